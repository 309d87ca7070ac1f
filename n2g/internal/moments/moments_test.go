package moments_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/neuron2graph/neuron2graph/n2g/internal/moments"
)

// near compares but for rounding; NaN equals NaN.
func near(got, want float64) bool {
	return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= 1e-12*(math.Abs(want)+1)
}

func TestAgainstGonum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 10, 1000} {
		for _, offset := range []float64{0, 1, -1e6, 1e9} {
			for _, scale := range []float64{0, 1e-3, 1, 1e6} {
				x, y := make([]float64, n), make([]float64, n)
				for i := range x {
					common := random.NormFloat64()
					x[i], y[i] = offset+scale*common, 3+common+random.NormFloat64()
				}
				mean, variance := moments.MeanVariance(x)
				wantMean, wantVariance := stat.PopMeanVariance(x, nil)
				if !near(mean, wantMean) || !near(variance, wantVariance) {
					t.Errorf("%d values at %g, %g apart: mean %v, variance %v, want %v, %v", n, offset, scale, mean, variance,
						wantMean, wantVariance)
				}
				mean, std := moments.MeanStd(x)
				wantMean, wantStd := stat.PopMeanStdDev(x, nil)
				if !near(mean, wantMean) || !near(std, wantStd) {
					t.Errorf("%d values at %g, %g apart: mean %v, std %v, want %v, %v", n, offset, scale, mean, std, wantMean, wantStd)
				}
				if n < 2 || scale == 0 {
					continue // no correlation is defined
				}
				if got, want := moments.Pearson(x, y), stat.Correlation(x, y, nil); !near(got, want) {
					t.Errorf("%d values at %g, %g apart: correlation %v, want %v", n, offset, scale, got, want)
				}
			}
		}
	}
}

// TestByHand: values whose moments are known.
func TestByHand(t *testing.T) {
	if mean, variance := moments.MeanVariance([]float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}); mean != 1e9+10 ||
		variance != 22.5 {
		t.Errorf("mean %v, variance %v", mean, variance)
	}
	if r := moments.Pearson([]float64{1, 2, 3}, []float64{-2, -4, -6}); r != -1 {
		t.Errorf("correlation %v, want -1", r)
	}
	if r := moments.Pearson([]float64{1, 2, 3}, []float64{5, 5, 5}); !math.IsNaN(r) {
		t.Errorf("correlation %v with a sample that does not vary", r)
	}
}
