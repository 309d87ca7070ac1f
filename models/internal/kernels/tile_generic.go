package kernels

// tileGeneric computes a tile of x·W + b in plain Go, two rows of four columns at a time: dst[r·stride+c] = bias[c] +
// Σ x[r·step+k]·panel[k·tileColumns+c].
func tileGeneric(dst []float32, stride int, x []float32, step int, panel, bias []float32) {
	terms := len(panel) / tileColumns
	for row := 0; row < tileRows; row += 2 {
		x0 := x[row*step:][:terms]
		x1 := x[(row+1)*step:][:terms]
		for column := 0; column < tileColumns; column += 4 {
			b := bias[column:][:4]
			a0, a1, a2, a3 := b[0], b[1], b[2], b[3]
			b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
			at := column
			for k, u := range x0 {
				v, w := x1[k], panel[at:at+4]
				a0, a1, a2, a3 = a0+u*w[0], a1+u*w[1], a2+u*w[2], a3+u*w[3]
				b0, b1, b2, b3 = b0+v*w[0], b1+v*w[1], b2+v*w[2], b3+v*w[3]
				at += tileColumns
			}
			d0, d1 := dst[row*stride+column:][:4], dst[(row+1)*stride+column:][:4]
			d0[0], d0[1], d0[2], d0[3] = a0, a1, a2, a3
			d1[0], d1[1], d1[2], d1[3] = b0, b1, b2, b3
		}
	}
}
