//go:build !amd64 && !arm64

package kernels

// wideVectors says that tiles has nothing faster to offer than tile.
const wideVectors = false

// tile is tileGeneric, since there is no faster one for this processor.
func tile(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panel []float32) {
	tileGeneric(dst, stride, start, startStride, x, row, term, terms, panel)
}

// tiles is not reached.
func tiles(dst []float32, stride int, start []float32, startStride int, x []float32, row, term, terms int,
	panels []float32, panelStride int) {
	panic("kernels: no wide tile for this processor")
}
