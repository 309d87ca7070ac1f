package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows have the same bits with wide vectors as with narrow ones, but for queries times keys, whose sums are taken in
// another order; at every length of what is left behind whole vectors.
func TestWideRows(t *testing.T) {
	if !wideVectors {
		t.Skip("the processor has no AVX-512, or N2G_INSTRUCTIONS forbids it")
	}
	defer func() { wideVectors = true }()
	both := func(f func() []float32) (wide, narrow []float32) {
		wideVectors = true
		wide = f()
		wideVectors = false
		return wide, f()
	}
	rng := rand.New(rand.NewPCG(11, 12))
	const dHead, stride, rows = 144, 150, 40
	keys, q := randoms(rng, rows*stride), randoms(rng, dHead)
	path := make([]int32, rows)
	for i := range path {
		path[i] = int32(rng.IntN(rows))
	}
	for n := 1; n <= 200; n++ {
		x, y := randoms(rng, n), randoms(rng, n)
		for i := range x {
			x[i] *= 30
		}
		for name, f := range map[string]func() []float32{
			"exps":    func() []float32 { dst := make([]float32, n); return append(dst, exps(dst, x, x[0])) },
			"largest": func() []float32 { return []float32{largest(x)} },
			"scale":   func() []float32 { dst := make([]float32, n); scale(dst, x, y[0], 0.3); return dst },
			"mul":     func() []float32 { dst := slices.Clone(y); mul(dst, x); return dst },
			"mix": func() []float32 {
				z := make([]float32, min(n, dHead))
				mix(z, q, keys, stride, path)
				return z
			},
		} {
			if wide, narrow := both(f); !slices.Equal(wide, narrow) {
				t.Errorf("%s of %d elements: %v wide, %v narrow", name, n, wide, narrow)
			}
		}
		seen := path[:min(n, rows)]
		wide, narrow := both(func() []float32 {
			dst := make([]float32, rows+4)
			scores(dst, q[:min(n, dHead)], keys, stride, seen)
			return dst[:len(seen)]
		})
		for i := range wide {
			if math.Abs(float64(wide[i]-narrow[i])) > 1e-5 {
				t.Errorf("score %d of %d elements: %g wide, %g narrow", i, n, wide[i], narrow[i])
			}
		}
	}
}
