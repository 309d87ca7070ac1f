package effects

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestExp: to the last digits of math.Exp, over all that divergence asks; below -700 it is 0.
func TestExp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		x := -math.Exp(random.Float64()*19.5 - 13)
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > (1e-15-2e-16*x)*want {
			t.Fatalf("exp(%g) is %g, want %g", x, got, want)
		}
	}
	if exp(0) != 1 || exp(math.Inf(-1)) != 0 || exp(-1e300) != 0 {
		t.Error(exp(0), exp(math.Inf(-1)), exp(-1e300))
	}
}

// exactKL is the definition in 200 bits.
func exactKL(before, after []float32) float64 {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
	exponential := func(x float64) *big.Float { // by its series, at x/2^10
		term, sum := number(1), number(1)
		small := new(big.Float).Quo(number(x), number(1024))
		for k := 1; k < 40; k++ {
			term.Mul(term, small).Quo(term, number(float64(k)))
			sum.Add(sum, term)
		}
		for range 10 {
			sum.Mul(sum, sum)
		}
		return sum
	}
	// KL = (Σ e^b·(b-a))/Σ e^b + ln(Σ e^a / Σ e^b), whose last quotient is near 1 where KL is small.
	sumB, sumA, mean := number(0), number(0), number(0)
	for i, b := range before {
		e := exponential(float64(b))
		sumB.Add(sumB, e)
		sumA.Add(sumA, exponential(float64(after[i])))
		mean.Add(mean, new(big.Float).Mul(e, new(big.Float).Sub(number(float64(b)), number(float64(after[i])))))
	}
	mean.Quo(mean, sumB)
	u := new(big.Float).Quo(new(big.Float).Sub(sumA, sumB), sumB) // ln(1+u), by Newton's steps on exp
	start, _ := u.Float64()
	y := number(math.Log1p(start))
	for range 3 {
		e := exponentialOf(y)
		y.Sub(y, new(big.Float).Quo(new(big.Float).Sub(e, new(big.Float).Add(u, number(1))), e))
	}
	result, _ := new(big.Float).Add(mean, y).Float64()
	return result
}

func exponentialOf(x *big.Float) *big.Float {
	one := new(big.Float).SetPrec(200).SetInt64(1)
	term, sum := new(big.Float).Copy(one), new(big.Float).Copy(one)
	small := new(big.Float).SetPrec(200).Quo(x, new(big.Float).SetInt64(1024))
	for k := int64(1); k < 40; k++ {
		term.Mul(term, small).Quo(term, new(big.Float).SetInt64(k))
		sum.Add(sum, term)
	}
	for range 10 {
		sum.Mul(sum, sum)
	}
	return sum
}

// TestDivergence: against its definition in many digits, from changes that rounding would hide to large ones.
func TestDivergence(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, change := range []float64{1e-6, 1e-4, 1e-2, .3, 2, 20} {
		before, after := make([]float32, 300), make([]float32, 300)
		for i := range before {
			before[i] = float32(3 * random.NormFloat64())
			after[i] = before[i] + float32(change*random.NormFloat64())
		}
		kl, a, b := divergence(before, after)
		if want := exactKL(before, after); math.Abs(kl-want) > 1e-9*want+1e-17 {
			t.Errorf("changes of %g: KL %g, want %g", change, kl, want)
		}
		if math.Abs(a-logSumExp(before)) > 1e-12 || math.Abs(b-logSumExp(after)) > 1e-12 {
			t.Errorf("changes of %g: sums %g and %g, want %g and %g", change, a, b, logSumExp(before), logSumExp(after))
		}
		far, _, _ := farDivergence(before, after)
		if math.Abs(kl-far) > 1e-12+1e-9*kl {
			t.Errorf("changes of %g: KL %g, by the plain sum %g", change, kl, far)
		}
	}
	inf := float32(math.Inf(-1))
	kl, _, b := divergence([]float32{0, 0, inf, -900}, []float32{0, 1, inf, 900})
	if want := -math.Ln2 + 899.5; math.Abs(kl-want) > 1e-9 || b != 900 {
		t.Errorf("far: %g, want %g; %g", kl, want, b)
	}
	if kl, _, _ := divergence([]float32{1, 2}, []float32{1, 2}); kl != 0 {
		t.Errorf("no change: %g", kl)
	}
}

func BenchmarkDivergence(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	before, after := make([]float32, 4096), make([]float32, 4096)
	for i := range before {
		before[i] = float32(3 * random.NormFloat64())
		after[i] = before[i] + float32(.01*random.NormFloat64())
	}
	b.Run("series", func(b *testing.B) {
		for b.Loop() {
			divergence(before, after)
		}
	})
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			farDivergence(before, after)
		}
	})
}
