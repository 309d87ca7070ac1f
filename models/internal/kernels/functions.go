package kernels

import "math"

// Add adds x to dst, element by element.
func Add(dst, x []float32) { add(dst, x) }

// Mul multiplies dst by x, element by element.
func Mul(dst, x []float32) { mul(dst, x) }

// LayerNorm writes the normalised row x to dst (Ba et al. 2016, https://arxiv.org/abs/1607.06450), times weight, plus
// bias; either may be nil. dst may be x.
func LayerNorm(dst, x, weight, bias []float32, epsilon float64) {
	mean := sum(x) / float32(len(x))
	variance := squares(x, mean) / float32(len(x))
	scale(dst, x, mean, float32(1/math.Sqrt(float64(variance)+epsilon)))
	if weight != nil {
		mul(dst, weight)
	}
	if bias != nil {
		add(dst, bias)
	}
}

// RMSNorm writes the row x, divided by its root mean square (Zhang and Sennrich 2019,
// https://arxiv.org/abs/1910.07467), to dst, times weight, which may be nil. dst may be x.
func RMSNorm(dst, x, weight []float32, epsilon float64) {
	square := squares(x, 0) / float32(len(x))
	inverse := float32(1 / math.Sqrt(float64(square)+epsilon))
	if weight == nil {
		scale(dst, x, 0, inverse)
		return
	}
	scaleMul(dst, x, weight, inverse)
}

// Activation is the activation function of a name: solu, gelu, gelu_new, relu or silu; nil where there is none of it.
// It replaces the row x and uses scratch, which is as long.
func Activation(name string) func(x, scratch []float32) {
	return map[string]func(x, scratch []float32){
		"solu": SoLU, "gelu": GELU, "gelu_new": GELUTanh, "silu": SiLU,
		"relu": func(x, _ []float32) { ReLU(x) },
	}[name]
}

// SoLU replaces the row x by x·softmax(x) (https://transformer-circuits.pub/2022/solu). scratch is as long as x.
func SoLU(x, scratch []float32) {
	total := exps(scratch, x, largest(x))
	mul(x, scratch)
	scale(x, x, 0, 1/total)
}

// SoLUAt is one element of what [SoLU] makes of the row x, which stays as it is. scratch is as long as x.
func SoLUAt(x, scratch []float32, index int) float32 {
	total := exps(scratch, x, largest(x))
	return x[index] * scratch[index] * (1 / total)
}

// ReLU replaces negative elements by 0.
func ReLU(x []float32) { relu(x) }

// GELU replaces x by x·Φ(x), Φ the normal distribution (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415).
// scratch is as long as x.
func GELU(x, scratch []float32) {
	copy(scratch, x)
	mul(scratch, x)
	scale(scratch, scratch, 0, -0.5)
	exps(scratch, scratch, 0)
	gelu(x, scratch)
}

// GELUTanh is [GELU] in the form of the same paper that uses tanh. scratch is as long as x.
func GELUTanh(x, scratch []float32) {
	for i, v := range x {
		scratch[i] = float32(-2*0.7978845608028654) * (v + 0.044715*v*v*v) // √(2/π)
	}
	sigmoid(x, scratch)
}

// SiLU replaces x by x·sigmoid(x). scratch is as long as x.
func SiLU(x, scratch []float32) {
	scale(scratch, x, 0, -1)
	sigmoid(x, scratch)
}

// sigmoid replaces x by x·sigmoid(−y), and y by what is left of it.
func sigmoid(x, y []float32) {
	exps(y, y, 0)
	divide(x, y)
}
