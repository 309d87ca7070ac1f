//go:build !(amd64 && goexperiment.simd)

package index

// vectors says whether the processor has the instructions that take eight neurons at a time.
var vectors = false

func (t *tally) add([]float32, []int, *[8 * slots]uint32, *[8]int32) {}
