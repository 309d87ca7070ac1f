package kernels

import "os"

// InstructionsVar names the environment variable that keeps a processor from using its vector instructions where it is
// "none", so that tests on one machine cover plain Go.
const InstructionsVar = "N2G_INSTRUCTIONS"

// Every arm64 has NEON, four elements to a vector.
var vectors = os.Getenv(InstructionsVar) != "none"

// wideVectors says that tiles has nothing faster to offer than tile.
const wideVectors = false

// tile computes a tile of x·W: dst[r·stride+c] = start[r·startStride+c] + Σ x[r·row+k·term]·panel[k·tileColumns+c],
// with terms of them, at least one.
func tile(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panel []float32) {
	if !vectors {
		tileGeneric(dst, stride, start, startStride, x, row, term, terms, panel)
		return
	}
	const last = tileRows - 1
	_, _, _, _ = dst[last*stride+tileColumns-1], start[last*startStride+tileColumns-1], x[last*row+(terms-1)*term],
		panel[terms*tileColumns-1]
	tileNEON(&dst[0], stride*4, &start[0], startStride*4, &x[0], row*4, term*4, terms, &panel[0])
}

// tiles is not reached.
func tiles(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panels []float32, panelStride int) {
	panic("kernels: no wide tile for this processor")
}

// tileNEON is tile with strides in bytes.
//
//go:noescape
func tileNEON(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int,
	panel *float32)
