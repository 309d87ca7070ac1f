package kernels

// tileGeneric computes a tile of x·W in plain Go, two rows of four columns at a time: dst[r·stride+c] =
// start[r·startStride+c] + Σ x[r·row+k·term]·panel[k·tileColumns+c].
func tileGeneric(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panel []float32) {
	for r := 0; r < tileRows; r += 2 {
		x0, x1 := x[r*row:], x[(r+1)*row:]
		for column := 0; column < tileColumns; column += 4 {
			s0, s1 := start[r*startStride+column:][:4], start[(r+1)*startStride+column:][:4]
			a0, a1, a2, a3 := s0[0], s0[1], s0[2], s0[3]
			b0, b1, b2, b3 := s1[0], s1[1], s1[2], s1[3]
			at, from := column, 0
			for range terms {
				u, v, w := x0[from], x1[from], panel[at:at+4]
				a0, a1, a2, a3 = a0+u*w[0], a1+u*w[1], a2+u*w[2], a3+u*w[3]
				b0, b1, b2, b3 = b0+v*w[0], b1+v*w[1], b2+v*w[2], b3+v*w[3]
				at, from = at+tileColumns, from+term
			}
			d0, d1 := dst[r*stride+column:][:4], dst[(r+1)*stride+column:][:4]
			d0[0], d0[1], d0[2], d0[3] = a0, a1, a2, a3
			d1[0], d1[1], d1[2], d1[3] = b0, b1, b2, b3
		}
	}
}
