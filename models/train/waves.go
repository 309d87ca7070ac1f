package train

import "math"

// waves is a start for attention in which heads look at neighbours. A quarter of each head's columns of the residual
// stream holds the position, as sinusoids (Vaswani et al. 2017, section 3.5) of all wavelengths; words have the rest.
// Keys and queries read the position alone, and queries are turned by the head's offset, -1, +1, -2, +2 …, so that a
// query fits best the key that far away, and its neighbours less the farther they are. All of it is trained like any
// other weight.
type waves struct {
	width int // of the residual stream
	head  int // of a head
}

const (
	waveAmplitude = 0.14  // of a position's sinusoids: with it they have the power of wordSpread
	wordSpread    = 0.1   // standard deviation of words
	longestWave   = 256.0 // the slowest sinusoid turns by 1/longestWave a token
	waveSharpness = 4     // of queries and keys
)

// columns is how many columns of a head hold the position, an even number.
func (w waves) columns() int { return max(2, w.head/8*2) }

// holds reports whether a column holds the position.
func (w waves) holds(column int) bool { return column%w.head < w.columns() }

// angle is how far the sinusoids of a column turn a token.
func (w waves) angle(column int) float64 {
	return math.Pow(longestWave, -float64(column%w.head/2)/float64(w.columns()/2))
}

// positions adds the sinusoids to a table of positions [n, width].
func (w waves) positions(table []float32) {
	for i := range table {
		column := i % w.width
		if !w.holds(column) {
			continue
		}
		sin, cos := math.Sincos(float64(i/w.width) * w.angle(column))
		if column%w.head%2 == 0 {
			table[i] += float32(waveAmplitude * sin)
		} else {
			table[i] += float32(waveAmplitude * cos)
		}
	}
}

// words clears the columns of the position in a table of words [n, width].
func (w waves) words(table []float32) {
	for i := range table {
		if w.holds(i % w.width) {
			table[i] = 0
		}
	}
}

// keys adds to a matrix [width, width] the identity of the position's columns.
func (w waves) keys(matrix []float32) { w.turn(matrix, func(int) float64 { return 0 }) }

// queries adds to a matrix [width, width] the rotation of the position's columns by each head's offset.
func (w waves) queries(matrix []float32) {
	w.turn(matrix, func(head int) float64 {
		offset := float64(head/2 + 1)
		if head%2 == 0 {
			return -offset
		}
		return offset
	})
}

func (w waves) turn(matrix []float32, offset func(head int) float64) {
	for i := 0; i < w.width; i++ {
		if !w.holds(i) || i%w.head%2 != 0 {
			continue
		}
		sin, cos := math.Sincos(offset(i/w.head) * w.angle(i))
		matrix[i*w.width+i] += float32(waveSharpness * cos)
		matrix[i*w.width+i+1] += float32(waveSharpness * sin)
		matrix[(i+1)*w.width+i] -= float32(waveSharpness * sin)
		matrix[(i+1)*w.width+i+1] += float32(waveSharpness * cos)
	}
}
