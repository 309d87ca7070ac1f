package train

import "math"

// waves is a start for attention in which heads look at neighbours: positions are sinusoids (Vaswani et al. 2017,
// section 3.5), all wavelengths in each head; keys are the positions as they are, and queries are turned by the
// head's offset, -1, +1, -2, +2 …, so that a query fits best the key that far away, and its neighbours less the
// farther they are. All of it is trained like any other weight.
type waves struct {
	width int // of the residual stream
	head  int // of a head
}

const (
	waveAmplitude = 0.4   // of a position's sinusoids; words start with a standard deviation of 0.1
	longestWave   = 256.0 // the largest radius, in tokens: the slowest sinusoid turns by 1/longestWave a token
	waveSharpness = 3.0   // of queries and keys
)

// frequency is how far the sinusoids of a column turn a token.
func (w waves) frequency(column int) float64 {
	place := float64(column%w.head/2) / (float64(w.head) / 2)
	return math.Pow(longestWave, -place)
}

// positions fills a table of positions.
func (w waves) positions(table []float32) {
	for i := range table {
		angle := float64(i/w.width) * w.frequency(i%w.width)
		if i%2 == 0 {
			table[i] += float32(waveAmplitude * math.Sin(angle))
		} else {
			table[i] += float32(waveAmplitude * math.Cos(angle))
		}
	}
}

// keys adds the identity to a matrix [width, width].
func (w waves) keys(matrix []float32) {
	for i := range w.width {
		matrix[i*w.width+i] += waveSharpness
	}
}

// queries adds to a matrix [width, width] the rotation by each head's offset.
func (w waves) queries(matrix []float32) {
	for i := 0; i+1 < w.width; i += 2 {
		head := i / w.head
		offset := float64(head/2 + 1)
		if head%2 == 0 {
			offset = -offset
		}
		sin, cos := math.Sincos(offset * w.frequency(i))
		matrix[i*w.width+i] += float32(waveSharpness * cos)
		matrix[i*w.width+i+1] += float32(waveSharpness * sin)
		matrix[(i+1)*w.width+i] -= float32(waveSharpness * sin)
		matrix[(i+1)*w.width+i+1] += float32(waveSharpness * cos)
	}
}
