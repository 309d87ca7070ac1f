package kernels

import "math"

// What training needs beside the forward functions: values that the way back reads, and the way back. A derivative of
// the loss by a value is written d of that value.

// Normalize writes the row x, less its mean and divided by its standard deviation, to dst, and returns one over the
// divisor. dst may be x.
func Normalize(dst, x []float32, epsilon float64) (inverse float32) {
	mean := sum(x) / float32(len(x))
	variance := squares(x, mean) / float32(len(x))
	inverse = float32(1 / math.Sqrt(float64(variance)+epsilon))
	scale(dst, x, mean, inverse)
	return inverse
}

// NormalizeBack writes to dx what [Normalize] makes of dy, the derivative by its result n: (dy − mean(dy) −
// n·mean(dy·n)), divided. dx may be dy.
func NormalizeBack(dx, dy, n []float32, inverse float32) {
	width := float32(len(n))
	mean, along := sum(dy)/width, dot(dy, n)/width
	copy(dx, dy)
	addScaled(dx, n, -along)
	scale(dx, dx, mean, inverse)
}

// Softmax writes the soft-max of the row x times factor to dst, which may be x.
func Softmax(dst, x []float32, factor float32) {
	scale(dst, x, 0, factor)
	total := exps(dst, dst, largest(dst))
	scale(dst, dst, 0, 1/total)
}

// SoftmaxBack writes to dx what [Softmax] makes of dp, the derivative by its result p: factor·p·(dp − Σ dp·p). dx may
// be dp.
func SoftmaxBack(dx, dp, p []float32, factor float32) {
	scale(dx, dp, dot(dp, p), factor)
	mul(dx, p)
}

// SoLUBack writes to dx the derivative by x of y = x·p with p = softmax(x): p·(dy − Σ dy·y) + y·dy. dx is neither of
// the others.
func SoLUBack(dx, dy, y, p []float32) {
	scale(dx, dy, dot(dy, y), 1)
	mul(dx, p)
	mulAdd(dx, y, dy)
}

// GELUBack multiplies dy by the derivative of x·Φ(x), which is Φ(x) + x·φ(x). scratch is as long as x.
func GELUBack(dy, x, scratch []float32) {
	copy(scratch, x)
	mul(scratch, x)
	scale(scratch, scratch, 0, -0.5)
	exps(scratch, scratch, 0)
	for i, v := range x {
		t := 1 / (1 + tailP*max(v, -v))
		tail := ((((tailA5*t+tailA4)*t+tailA3)*t+tailA2)*t + tailA1) * t * scratch[i]
		if v >= 0 {
			tail = 1 - tail
		}
		dy[i] *= tail + v*scratch[i]*0.3989422804014327 // 1/√(2π)
	}
}

// CrossEntropy returns −log of the probability that the logits give to the target, and replaces them by their
// derivatives times weight: weight·(softmax − one at the target).
func CrossEntropy(logits []float32, target int, weight float32) float64 {
	most := largest(logits)
	at := logits[target] - most
	total := exps(logits, logits, most)
	scale(logits, logits, 0, weight/total)
	logits[target] -= weight
	return math.Log(float64(total)) - float64(at)
}

// AddScaled adds c·x to dst.
func AddScaled(dst, x []float32, c float32) { addScaled(dst, x, c) }

// MulAdd adds a·b to dst, element by element.
func MulAdd(dst, a, b []float32) { mulAdd(dst, a, b) }

// Dot is Σ a·b.
func Dot(a, b []float32) float32 { return dot(a, b) }
