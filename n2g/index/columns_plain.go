//go:build !(amd64 && goexperiment.simd)

package index

// vectors says whether the processor has the instructions that take [lanes] neurons at a time, wide whether in one
// vector.
var vectors, wide = false, false

func (t *tally) add([]float32, []int, *[lanes * slots]uint32, *binned, *[lanes]int32) {}
