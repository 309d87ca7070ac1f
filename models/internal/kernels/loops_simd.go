//go:build amd64 && goexperiment.simd

package kernels

import (
	"math"
	"simd/archsimd"
)

// What the compiler makes of plain Go is much slowed down by what vector instructions leave in the registers. So every
// function ends with ClearAVXUpperBits, and takes no single element out of a vector but through memory.

// lanes is the number of elements of a vector.
const lanes = 8

// total adds a vector's elements up, the last thing that a function does with vectors.
func total(v archsimd.Float32x8) float32 {
	w := v.GetHi().Add(v.GetLo())
	var pairs [4]float32
	w.AddPairs(w).Store(&pairs)
	archsimd.ClearAVXUpperBits()
	return pairs[0] + pairs[1]
}

// largest is the greatest element of a row.
func largest(x []float32) float32 {
	least := float32(math.Inf(-1))
	if !vectors {
		return largestPlain(x, least)
	}
	if pairs := len(x) / (2 * wideVector); wideVectors && pairs > 1 {
		least = largestAVX512(&x[0], pairs)
		if x = x[pairs*2*wideVector:]; len(x) == 0 {
			return least
		}
	}
	a := archsimd.BroadcastFloat32x8(least)
	b := a
	for len(x) >= 2*lanes {
		a = a.Max(archsimd.LoadFloat32x8Slice(x))
		b = b.Max(archsimd.LoadFloat32x8Slice(x[lanes:]))
		x = x[2*lanes:]
	}
	var all [lanes]float32
	a.Max(b).Store(&all)
	archsimd.ClearAVXUpperBits()
	return largestPlain(x, largestPlain(all[:], least))
}

// exps writes exp(x − shift) to dst and returns the sum.
func exps(dst, x []float32, shift float32) float32 {
	if !vectors {
		return expsPlain(dst, x, shift)
	}
	var wide [lanes]float32
	if n := len(x) / wideVector; wideVectors && n > 0 {
		_ = dst[n*wideVector-1]
		expsAVX512(&dst[0], &x[0], n, shift, &expParameters, &wide)
		if x, dst = x[n*wideVector:], dst[n*wideVector:]; len(x) == 0 {
			sums := archsimd.LoadFloat32x8(&wide)
			return total(sums)
		}
	}
	subtract := archsimd.BroadcastFloat32x8(shift)
	least, most := archsimd.BroadcastFloat32x8(expLeast), archsimd.BroadcastFloat32x8(expMost)
	perLn2 := archsimd.BroadcastFloat32x8(log2e)
	hi, lo := archsimd.BroadcastFloat32x8(-ln2Hi), archsimd.BroadcastFloat32x8(-ln2Lo)
	c7, c6, c5 := archsimd.BroadcastFloat32x8(expC7), archsimd.BroadcastFloat32x8(expC6),
		archsimd.BroadcastFloat32x8(expC5)
	c4, c3, c2 := archsimd.BroadcastFloat32x8(expC4), archsimd.BroadcastFloat32x8(expC3),
		archsimd.BroadcastFloat32x8(expC2)
	one, bias := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(expOne)
	sums := archsimd.LoadFloat32x8(&wide)
	for len(x) >= lanes {
		v := archsimd.LoadFloat32x8Slice(x).Sub(subtract).Max(least).Min(most)
		n := v.Mul(perLn2).RoundToEven()
		r := n.MulAdd(lo, n.MulAdd(hi, v))
		p := c7.MulAdd(r, c6).MulAdd(r, c5).MulAdd(r, c4).MulAdd(r, c3).MulAdd(r, c2)
		p = p.MulAdd(r.Mul(r), r).Add(one)
		p = p.Mul(n.ConvertToInt32().Add(bias).ShiftAllLeft(23).AsFloat32x8())
		p.StoreSlice(dst)
		sums = sums.Add(p)
		x, dst = x[lanes:], dst[lanes:]
	}
	return total(sums) + expsPlain(dst, x, shift)
}

// expConstants are those of the exponential function in the order in which assembly reads them.
type expConstants struct {
	least, most, log2e, minusLn2Hi, minusLn2Lo, c7, c6, c5, c4, c3, c2, one float32
	bias                                                                    int32
}

var expParameters = expConstants{expLeast, expMost, log2e, -ln2Hi, -ln2Lo, expC7, expC6, expC5, expC4, expC3, expC2, 1,
	expOne}

// expsAVX512 is exps of n vectors of sixteen; the sums are of the lanes of vectors of eight.
//
//go:noescape
func expsAVX512(dst, x *float32, n int, shift float32, constants *expConstants, sums *[lanes]float32)

// largestAVX512 is largest of n pairs of vectors of sixteen.
//
//go:noescape
func largestAVX512(x *float32, n int) float32

// sum adds a row up.
func sum(x []float32) float32 {
	if !vectors {
		return sumPlain(x, 0)
	}
	var a archsimd.Float32x8
	for len(x) >= lanes {
		a = a.Add(archsimd.LoadFloat32x8Slice(x))
		x = x[lanes:]
	}
	return sumPlain(x, total(a))
}

// squares is Σ (x − mean)².
func squares(x []float32, mean float32) float32 {
	if !vectors {
		return squaresPlain(x, mean, 0)
	}
	var a, b, c, d archsimd.Float32x8
	subtract := archsimd.BroadcastFloat32x8(mean)
	for len(x) >= 4*lanes {
		u, v := archsimd.LoadFloat32x8Slice(x).Sub(subtract), archsimd.LoadFloat32x8Slice(x[lanes:]).Sub(subtract)
		w, z := archsimd.LoadFloat32x8Slice(x[2*lanes:]).Sub(subtract), archsimd.LoadFloat32x8Slice(x[3*lanes:]).Sub(subtract)
		a, b, c, d = u.MulAdd(u, a), v.MulAdd(v, b), w.MulAdd(w, c), z.MulAdd(z, d)
		x = x[4*lanes:]
	}
	for len(x) >= lanes {
		v := archsimd.LoadFloat32x8Slice(x).Sub(subtract)
		a = v.MulAdd(v, a)
		x = x[lanes:]
	}
	return squaresPlain(x, mean, total(a.Add(b).Add(c.Add(d))))
}

// dot is Σ a·b.
func dot(a, b []float32) float32 {
	if !vectors {
		return dotPlain(a, b, 0)
	}
	var s, t archsimd.Float32x8
	for len(a) >= 2*lanes {
		s = archsimd.LoadFloat32x8Slice(a).MulAdd(archsimd.LoadFloat32x8Slice(b), s)
		t = archsimd.LoadFloat32x8Slice(a[lanes:]).MulAdd(archsimd.LoadFloat32x8Slice(b[lanes:]), t)
		a, b = a[2*lanes:], b[2*lanes:]
	}
	return dotPlain(a, b, total(s.Add(t)))
}

// mulAdd adds a·b to dst.
func mulAdd(dst, a, b []float32) {
	if vectors {
		for len(a) >= lanes {
			archsimd.LoadFloat32x8Slice(a).MulAdd(archsimd.LoadFloat32x8Slice(b),
				archsimd.LoadFloat32x8Slice(dst)).StoreSlice(dst)
			a, b, dst = a[lanes:], b[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	mulAddPlain(dst, a, b)
}

// addScaled adds c·x to dst.
func addScaled(dst, x []float32, c float32) {
	if vectors {
		times := archsimd.BroadcastFloat32x8(c)
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).MulAdd(times, archsimd.LoadFloat32x8Slice(dst)).StoreSlice(dst)
			x, dst = x[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	addScaledPlain(dst, x, c)
}

// add adds x to dst.
func add(dst, x []float32) {
	if vectors {
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).Add(archsimd.LoadFloat32x8Slice(dst)).StoreSlice(dst)
			x, dst = x[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	addPlain(dst, x)
}

// relu replaces negative elements by 0; NaN stays.
func relu(x []float32) {
	if vectors {
		var zero archsimd.Float32x8
		for len(x) >= lanes {
			v := archsimd.LoadFloat32x8Slice(x)
			v.AsInt32x8().AndNot(v.LessEqual(zero).ToInt32x8()).AsFloat32x8().StoreSlice(x)
			x = x[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	reluPlain(x)
}

// mul multiplies dst by x.
func mul(dst, x []float32) {
	if wideVectors {
		for len(x) >= wideVector {
			archsimd.LoadFloat32x16Slice(x).Mul(archsimd.LoadFloat32x16Slice(dst)).StoreSlice(dst)
			x, dst = x[wideVector:], dst[wideVector:]
		}
	}
	if vectors {
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).Mul(archsimd.LoadFloat32x8Slice(dst)).StoreSlice(dst)
			x, dst = x[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	mulPlain(dst, x)
}

// scale writes (x − shift)·c to dst.
func scale(dst, x []float32, shift, c float32) {
	if wideVectors {
		subtract, times := archsimd.BroadcastFloat32x16(shift), archsimd.BroadcastFloat32x16(c)
		for len(x) >= wideVector {
			archsimd.LoadFloat32x16Slice(x).Sub(subtract).Mul(times).StoreSlice(dst)
			x, dst = x[wideVector:], dst[wideVector:]
		}
	}
	if vectors {
		subtract, times := archsimd.BroadcastFloat32x8(shift), archsimd.BroadcastFloat32x8(c)
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).Sub(subtract).Mul(times).StoreSlice(dst)
			x, dst = x[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	scalePlain(dst, x, shift, c)
}

// scaleMul writes x·c·weight to dst.
func scaleMul(dst, x, weight []float32, c float32) {
	if vectors {
		times := archsimd.BroadcastFloat32x8(c)
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).Mul(times).Mul(archsimd.LoadFloat32x8Slice(weight)).StoreSlice(dst)
			x, weight, dst = x[lanes:], weight[lanes:], dst[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	scaleMulPlain(dst, x, weight, c)
}

// divide divides x by 1 + y.
func divide(x, y []float32) {
	if vectors {
		one := archsimd.BroadcastFloat32x8(1)
		for len(x) >= lanes {
			archsimd.LoadFloat32x8Slice(x).Div(archsimd.LoadFloat32x8Slice(y).Add(one)).StoreSlice(x)
			x, y = x[lanes:], y[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	dividePlain(x, y)
}

// rotate turns each plane (a, b) by an angle.
func rotate(a, b, cos, sin []float32) {
	if vectors {
		for len(cos) >= lanes {
			x, y := archsimd.LoadFloat32x8Slice(a), archsimd.LoadFloat32x8Slice(b)
			c, s := archsimd.LoadFloat32x8Slice(cos), archsimd.LoadFloat32x8Slice(sin)
			x.Mul(c).Sub(y.Mul(s)).StoreSlice(a)
			y.Mul(c).Add(x.Mul(s)).StoreSlice(b)
			a, b, cos, sin = a[lanes:], b[lanes:], cos[lanes:], sin[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	rotatePlain(a, b, cos, sin)
}

// gelu replaces x by x·Φ(x); exponentials holds exp(−x²/2).
func gelu(x, exponentials []float32) {
	if vectors {
		p, one, zero := archsimd.BroadcastFloat32x8(tailP), archsimd.BroadcastFloat32x8(1), archsimd.Float32x8{}
		a5, a4, a3 := archsimd.BroadcastFloat32x8(tailA5), archsimd.BroadcastFloat32x8(tailA4),
			archsimd.BroadcastFloat32x8(tailA3)
		a2, a1 := archsimd.BroadcastFloat32x8(tailA2), archsimd.BroadcastFloat32x8(tailA1)
		for len(x) >= lanes {
			v := archsimd.LoadFloat32x8Slice(x)
			a := v.Max(zero.Sub(v))
			t := one.Div(p.MulAdd(a, one))
			tail := a5.MulAdd(t, a4).MulAdd(t, a3).MulAdd(t, a2).MulAdd(t, a1).Mul(t).
				Mul(archsimd.LoadFloat32x8Slice(exponentials))
			v.Max(zero).Sub(a.Mul(tail)).StoreSlice(x)
			x, exponentials = x[lanes:], exponentials[lanes:]
		}
		archsimd.ClearAVXUpperBits()
	}
	geluPlain(x, exponentials)
}
