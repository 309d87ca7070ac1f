//go:build !amd64

package kernels

// tile is tileGeneric, since there is no faster one for this processor.
func tile(dst []float32, stride int, x []float32, step int, panel, bias []float32) {
	tileGeneric(dst, stride, x, step, panel, bias)
}
