package kernels

import "math"

// The loops over a row in plain Go. Where there are vectors, these do what is left of a row behind the last whole
// vector.

// largestPlain is the greatest element, at least from.
func largestPlain(x []float32, from float32) float32 {
	for _, v := range x {
		from = max(from, v)
	}
	return from
}

// expsPlain writes exp(x − shift) to dst and returns the sum.
func expsPlain(dst, x []float32, shift float32) float32 {
	var sum float32
	for i, v := range x {
		dst[i] = exp(v - shift)
		sum += dst[i]
	}
	return sum
}

// The exponential function after Cephes (S. Moshier, netlib.org/cephes, expf): x = n·ln 2 + r with |r| ≤ ½·ln 2, a
// polynomial for r, and n put into the exponent. ln 2 is split in two, so that n times the first part is exact.
const (
	expLeast = -87 // where the result is nothing to 1
	expMost  = 88

	log2e  = 1.44269504088896341
	ln2Hi  = 0.693359375
	ln2Lo  = -2.12194440e-4
	expC2  = 5.0000001201e-1
	expC3  = 1.6666665459e-1
	expC4  = 4.1665795894e-2
	expC5  = 8.3334519073e-3
	expC6  = 1.3981999507e-3
	expC7  = 1.9875691500e-4
	expOne = 127 // of float32's exponent field, for 2⁰
)

// exp is e to the power of x, clamped to what float32 holds.
func exp(x float32) float32 {
	x = min(max(x, expLeast), expMost)
	n := float32(math.RoundToEven(float64(x * log2e)))
	r := x - n*ln2Hi - n*ln2Lo
	p := (((((expC7*r+expC6)*r+expC5)*r+expC4)*r+expC3)*r+expC2)*(r*r) + r + 1
	return p * math.Float32frombits(uint32(int32(n)+expOne)<<23)
}

// dotPlain is from + Σ a·b.
func dotPlain(a, b []float32, from float32) float32 {
	for i, v := range a {
		from += v * b[i]
	}
	return from
}

// sumPlain is from + Σ x.
func sumPlain(x []float32, from float32) float32 {
	for _, v := range x {
		from += v
	}
	return from
}

// squaresPlain is from + Σ (x − mean)².
func squaresPlain(x []float32, mean, from float32) float32 {
	for _, v := range x {
		from += (v - mean) * (v - mean)
	}
	return from
}

// addPlain adds x to dst.
func addPlain(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// reluPlain replaces negative elements by 0.
func reluPlain(x []float32) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// mulPlain multiplies dst by x.
func mulPlain(dst, x []float32) {
	for i, v := range x {
		dst[i] *= v
	}
}

// mulAddPlain adds a·b to dst.
func mulAddPlain(dst, a, b []float32) {
	for i, v := range a {
		dst[i] += v * b[i]
	}
}

// addScaledPlain adds c·x to dst.
func addScaledPlain(dst, x []float32, c float32) {
	for i, v := range x {
		dst[i] += c * v
	}
}

// scalePlain writes (x − shift)·c to dst.
func scalePlain(dst, x []float32, shift, c float32) {
	for i, v := range x {
		dst[i] = (v - shift) * c
	}
}

// scaleMulPlain writes x·c·weight to dst.
func scaleMulPlain(dst, x, weight []float32, c float32) {
	for i, v := range x {
		dst[i] = v * c * weight[i]
	}
}

// dividePlain divides x by 1 + y.
func dividePlain(x, y []float32) {
	for i, v := range y {
		x[i] /= 1 + v
	}
}

// rotatePlain turns each plane (a, b) by an angle.
func rotatePlain(a, b, cos, sin []float32) {
	for i, c := range cos {
		x, y := a[i], b[i]
		a[i], b[i] = x*c-y*sin[i], y*c+x*sin[i]
	}
}

// The normal distribution's upper tail, after Abramowitz and Stegun 7.1.26: ½·(a1·t + … + a5·t⁵)·exp(−x²/2) with
// t = 1/(1 + p·|x|), right to 10⁻⁷.
const (
	tailP  = 0.3275911 / math.Sqrt2
	tailA1 = 0.254829592 / 2
	tailA2 = -0.284496736 / 2
	tailA3 = 1.421413741 / 2
	tailA4 = -1.453152027 / 2
	tailA5 = 1.061405429 / 2
)

// geluPlain replaces x by x·Φ(x); exponentials holds exp(−x²/2).
func geluPlain(x, exponentials []float32) {
	for i, v := range x {
		a := max(v, -v)
		t := 1 / (1 + tailP*a)
		tail := ((((tailA5*t+tailA4)*t+tailA3)*t+tailA2)*t + tailA1) * t * exponentials[i]
		x[i] = max(v, 0) - a*tail // x·(1 − tail) above 0, x·tail below
	}
}
