package kernels

import (
	"os"

	"golang.org/x/sys/cpu"
)

// InstructionsVar names the environment variable that keeps a processor from using its widest instructions, so that
// tests on one machine cover those of others: "avx2", or "none" for plain Go.
const InstructionsVar = "N2G_INSTRUCTIONS"

// What the processor has of the instructions of the assembly, and the program may use.
var (
	vectors     = cpu.X86.HasAVX2 && cpu.X86.HasFMA && os.Getenv(InstructionsVar) != "none"
	wideVectors = vectors && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && os.Getenv(InstructionsVar) == ""
)

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
	tileAVX2(&dst[0], stride*4, &start[0], startStride*4, &x[0], row*4, term*4, terms, &panel[0])
}

// tiles computes as many tiles side by side as make the widest kernel, of panels that lie panelStride apart. wideTiles
// says how many those are.
func tiles(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panels []float32, panelStride int) {
	const last, columns = tileRows - 1, wideTiles * tileColumns
	_, _, _, _ = dst[last*stride+columns-1], start[last*startStride+columns-1], x[last*row+(terms-1)*term],
		panels[(wideTiles-1)*panelStride+terms*tileColumns-1]
	tileAVX512(&dst[0], stride*4, &start[0], startStride*4, &x[0], row*4, term*4, terms, &panels[0], panelStride*4)
}

// tileAVX2 is tile with strides in bytes.
//
//go:noescape
func tileAVX2(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int,
	panel *float32)

// tileAVX512 is tiles with strides in bytes.
//
//go:noescape
func tileAVX512(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int,
	panel *float32, panelStride int)
