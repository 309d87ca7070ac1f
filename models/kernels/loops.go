package kernels

import "math"

// The loops over a row in plain Go. Where there are vectors, these do what is left of a row behind the last whole vector.

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

// mulPlain multiplies dst by x.
func mulPlain(dst, x []float32) {
	for i, v := range x {
		dst[i] *= v
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
