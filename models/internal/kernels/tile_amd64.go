package kernels

import "golang.org/x/sys/cpu"

// vectors says whether the processor has the instructions of the assembly.
var vectors = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// tile computes a tile of x·W + b: dst[r·stride+c] = bias[c] + Σ x[r·step+k]·panel[k·tileColumns+c]. A step of 0 reads the
// same row for all.
func tile(dst []float32, stride int, x []float32, step int, panel, bias []float32) {
	if vectors {
		tileAVX2(&dst[0], stride*4, &x[0], step*4, len(panel)/tileColumns, &panel[0], &bias[0])
		return
	}
	tileGeneric(dst, stride, x, step, panel, bias)
}

// tileAVX2 is tile with strides in bytes and terms the length of the sums.
//
//go:noescape
func tileAVX2(dst *float32, stride int, x *float32, step, terms int, panel, bias *float32)
