package effects

import (
	"math"
	"slices"
)

// divergence compares the next-token distributions of two rows of logits: KL(before ‖ after) in nats, and the
// logarithms of what their exponentials add up to.
//
// With p the probabilities before and d what logits grow by, the sum after is the sum before times Σ p·exp(d), so that
// KL = ln Σ p·exp(d) - Σ p·d. It is added up as Σ p·(exp(d)-1-d) and Σ p·d, which loses nothing where d is small, as it
// is almost everywhere when one neuron changes.
func divergence(before, after []float32) (kl, sumBefore, sumAfter float64) {
	top := float64(slices.Max(before))
	var sum, mean, rest float64
	after = after[:len(before)]
	for i, b := range before {
		d := float64(after[i]) - float64(b)
		p := exp(float64(b) - top)
		sum += p
		mean += p * d
		rest += p * growth(d)
	}
	mean, rest = mean/sum, rest/sum
	sumBefore = top + math.Log(sum)
	grown := math.Log1p(mean + rest)
	if kl = grown - mean; !math.IsInf(kl, 0) && !math.IsNaN(kl) {
		return max(kl, 0), sumBefore, sumBefore + grown
	}
	return farDivergence(before, after)
}

// farDivergence is divergence where logits are infinite or grow beyond what exponentials can tell.
func farDivergence(before, after []float32) (kl, sumBefore, sumAfter float64) {
	sumBefore, sumAfter = logSumExp(before), logSumExp(after)
	for i, b := range before {
		x, y := float64(b)-sumBefore, float64(after[i])-sumAfter
		if p := math.Exp(x); p > 0 {
			kl += p * (x - y)
		}
	}
	return kl, sumBefore, sumAfter
}

// growth is exp(d) - 1 - d.
func growth(d float64) float64 {
	if d < -.05 || d > .05 {
		return math.Expm1(d) - d
	}
	return d * d * (1./2 + d*(1./6+d*(1./24+d*(1./120+d*(1./720+d/5040)))))
}

const steps = 64 // of the table of powers between 1 and 2

// powers are 2^(i/steps).
var powers = func() (table [steps]float64) {
	for i := range table {
		table[i] = math.Exp2(float64(i) / steps)
	}
	return table
}()

// exp is math.Exp of a number that is at most 0, to 15 digits where that counts: 2^(n/steps) times a polynomial on what
// is left, a few times as fast.
func exp(x float64) float64 {
	if !(x > -700) {
		return 0
	}
	const perStep = math.Ln2 / steps
	n := int(x*(1/perStep) - .5) // towards 0, so that it rounds
	r := x - float64(n)*perStep
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r/120))))
	return math.Float64frombits(math.Float64bits(powers[n&(steps-1)])+uint64(n>>6)<<52) * p
}

// logSumExp is log Σ exp(logits).
func logSumExp(logits []float32) float64 {
	top := float64(slices.Max(logits))
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	return top + math.Log(sum)
}
