package kernels_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// The places are those that sorting finds, whatever the lengths, with equal values, values below 0 and NaN.
func TestTopK(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var got []int32
	for round := range 2000 {
		longest := 300
		if round%50 == 0 {
			longest = 40_000
		}
		x := make([]float32, rng.IntN(longest))
		kinds := 1 + rng.IntN(60)
		for i := range x {
			x[i] = float32(rng.IntN(kinds)-kinds/3) / 4
			if rng.IntN(200) == 0 {
				x[i] = float32(math.NaN())
			}
		}
		k := rng.IntN(40)
		var want []int32
		for i := range x {
			if x[i] > 0 {
				want = append(want, int32(i))
			}
		}
		slices.SortStableFunc(want, func(a, b int32) int { return cmp.Compare(x[b], x[a]) })
		want = want[:min(k, len(want))]
		slices.Sort(want)
		if got = kernels.TopK(got, x, k); !slices.Equal(got, want) {
			t.Fatalf("the %d highest of %v are at %v, want %v", k, x, got, want)
		}
	}
}

func BenchmarkTopK(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1024, 4096, 24576} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			var at []int32
			for b.Loop() {
				at = kernels.TopK(at, x, 32)
			}
		})
	}
}
