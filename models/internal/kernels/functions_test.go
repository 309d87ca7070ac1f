package kernels

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"
)

// wide reads a row in float64.
func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func normal(x []float64, mean, eps float64) []float64 {
	square, y := 0.0, make([]float64, len(x))
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(square+eps)
	}
	return y
}

func softmax(x []float64) []float64 {
	y, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		y[i] = math.Exp(v - slices.Max(x))
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

func each(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

// Every function of a row agrees with float64, for widths that are and are not whole vectors.
func TestFunctions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 5, 8, 16, 37, 128, 515} {
		x, weight, bias := randoms(rng, n), randoms(rng, n), randoms(rng, n)
		for i := range x {
			x[i] *= 4
		}
		w, b := wide(weight), wide(bias)
		scratch := make([]float32, n)
		mean := 0.0
		for _, v := range x {
			mean += float64(v) / float64(n)
		}
		weighted := func(y []float64) []float64 {
			for i := range y {
				y[i] *= w[i]
			}
			return y
		}
		for _, test := range []struct {
			name string
			run  func(x []float32)
			want []float64
		}{
			{"LayerNorm", func(x []float32) { LayerNorm(x, x, weight, bias, 1e-5) }, func() []float64 {
				y := weighted(normal(wide(x), mean, 1e-5))
				for i := range y {
					y[i] += b[i]
				}
				return y
			}()},
			{"LayerNorm alone", func(x []float32) { LayerNorm(x, x, nil, nil, 1e-5) }, normal(wide(x), mean, 1e-5)},
			{"RMSNorm", func(x []float32) { RMSNorm(x, x, weight, 1e-5) }, weighted(normal(wide(x), 0, 1e-5))},
			{"SoLU", func(x []float32) { SoLU(x, scratch) }, func() []float64 {
				y := softmax(wide(x))
				for i := range y {
					y[i] *= float64(x[i])
				}
				return y
			}()},
			{"ReLU", ReLU, each(wide(x), func(v float64) float64 { return max(v, 0) })},
			{"GELU", func(x []float32) { GELU(x, scratch) },
				each(wide(x), func(v float64) float64 { return v / 2 * (1 + math.Erf(v/math.Sqrt2)) })},
			{"GELUTanh", func(x []float32) { GELUTanh(x, scratch) }, each(wide(x), func(v float64) float64 {
				return v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
			})},
			{"SiLU", func(x []float32) { SiLU(x, scratch) },
				each(wide(x), func(v float64) float64 { return v / (1 + math.Exp(-v)) })},
		} {
			y := slices.Clone(x)
			test.run(y)
			for i, got := range y {
				if diff := math.Abs(float64(got) - test.want[i]); !(diff <= 2e-6*(1+math.Abs(test.want[i]))) {
					t.Errorf("%s of %d elements: element %d, of %g, is %g, want %g", test.name, n, i, x[i], got, test.want[i])
				}
			}
		}
	}
}

// ReLU keeps NaN of either sign, and makes no -0.
func TestReLU(t *testing.T) {
	nan := float32(math.NaN())
	x := slices.Repeat([]float32{nan, math.Float32frombits(math.Float32bits(nan) | 1<<31), float32(math.Copysign(0, -1)),
		-1, 2}, 5)
	ReLU(x)
	for i, v := range x {
		switch i % 5 {
		case 0, 1:
			if v == v {
				t.Errorf("NaN at place %d became %g", i, v)
			}
		default:
			if want := []float32{0, 0, 2}[i%5-2]; math.Float32bits(v) != math.Float32bits(want) {
				t.Errorf("place %d: %g, want %g", i, v, want)
			}
		}
	}
}

// exp is right to a few units of the last place, by vectors and one at a time, and neither overflows nor vanishes
// wildly.
func TestExp(t *testing.T) {
	var x []float32
	for v := float32(-87); v < 88; v += 0.0137 {
		x = append(x, v)
	}
	vector := make([]float32, len(x))
	exps(vector, x, 0)
	for i, v := range x {
		want := math.Exp(float64(v))
		for _, got := range []float32{vector[i], exp(v)} {
			if diff := math.Abs(float64(got)-want) / want; diff > 3e-7 {
				t.Fatalf("exp(%g) is %g, %g of it away", v, got, diff)
			}
		}
	}
	for _, v := range []float32{float32(math.Inf(-1)), -1e30} {
		if got := exp(v); got > 1e-37 {
			t.Errorf("exp(%g) is %g", v, got)
		}
	}
}

// Attention agrees with plain loops, with shared heads, windows and odd sizes.
func TestAttend(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, h := range []Heads{
		{4, 4, 32, 0.2, 0}, {4, 2, 16, 1, 0}, {2, 1, 5, 0.5, 3}, {3, 3, 40, 0.1, 7}, {1, 1, 72, 0.1, 0},
		{9, 3, 64, 0.125, 0}, {4, 2, 64, 0.125, 3}, {7, 1, 32, 0.2, 0}, {8, 2, 96, 0.1, 5}, {6, 2, 40, 0.1, 0},
	} {
		t.Run(fmt.Sprint(h), func(t *testing.T) {
			const rows = 30
			width := h.KVHeads * h.DHead
			stride := 2*width + 3
			kv, q, z := randoms(rng, rows*stride), randoms(rng, h.Heads*h.DHead), make([]float32, h.Heads*h.DHead)
			path := []int32{3, 4, 9, 10, 11, 29, 0, 7, 8, 9, 12}
			h.Attend(z, q, kv, kv[width:], stride, path, nil)
			seen := path
			if h.Window > 0 {
				seen = path[len(path)-h.Window:]
			}
			for head := range h.Heads {
				share := head / (h.Heads / h.KVHeads)
				alone := make([]float32, h.DHead)
				from := share * h.DHead
				Heads{1, 1, h.DHead, h.Scale, h.Window}.Attend(alone, q[head*h.DHead:][:h.DHead], kv[from:], kv[width+from:],
					stride, path, nil)
				if !slices.Equal(alone, z[head*h.DHead:][:h.DHead]) {
					t.Errorf("head %d differs from itself alone", head)
				}
				var p []float64
				for _, row := range seen {
					score := 0.0
					for e := range h.DHead {
						score += float64(q[head*h.DHead+e]) * float64(kv[int(row)*stride+share*h.DHead+e]) * float64(h.Scale)
					}
					p = append(p, score)
				}
				p = softmax(p)
				for e := range h.DHead {
					want := 0.0
					for j, row := range seen {
						want += p[j] * float64(kv[int(row)*stride+width+share*h.DHead+e])
					}
					if got := z[head*h.DHead+e]; math.Abs(float64(got)-want) > 1e-5 {
						t.Fatalf("head %d, element %d: %g, want %g", head, e, got, want)
					}
				}
			}
		})
	}
}

// Rotation keeps lengths, does nothing at angle 0, and leaves the dimensions behind the rotated ones.
func TestRotate(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	Rotate(x, 5, []float32{0, 1}, []float32{1, 0})
	want := []float32{-3, 2, 1, 4, 5, -8, 7, 6, 9, 10}
	if !slices.Equal(x, want) {
		t.Errorf("got %v, want %v", x, want)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	const heads, dHead, half = 2, 64, 21
	x = randoms(rng, heads*dHead)
	turned, cos, sin := slices.Clone(x), randoms(rng, half), randoms(rng, half)
	Rotate(turned, dHead, cos, sin)
	for head := 0; head < heads*dHead; head += dHead {
		for i := range half {
			a, b := complex(x[head+i], x[head+half+i]), complex(turned[head+i], turned[head+half+i])
			if want := a * complex(cos[i], sin[i]); cmplx.Abs(complex128(b-want)) > 1e-6*(1+cmplx.Abs(complex128(want))) {
				t.Errorf("plane %d of the head at %d is %g, want %g", i, head, b, want)
			}
		}
		if !slices.Equal(turned[head+2*half:head+dHead], x[head+2*half:head+dHead]) {
			t.Errorf("what is behind the planes of the head at %d was changed", head)
		}
	}
}

func BenchmarkSoLU(b *testing.B) {
	x, scratch := randoms(rand.New(rand.NewPCG(5, 6)), 3072), make([]float32, 3072)
	for b.Loop() {
		SoLU(x, scratch)
	}
}

func BenchmarkGELU(b *testing.B) {
	x, scratch := randoms(rand.New(rand.NewPCG(5, 6)), 3072), make([]float32, 3072)
	for b.Loop() {
		GELU(x, scratch)
	}
}

func BenchmarkSiLU(b *testing.B) {
	x, scratch := randoms(rand.New(rand.NewPCG(5, 6)), 3072), make([]float32, 3072)
	for b.Loop() {
		SiLU(x, scratch)
	}
}

func BenchmarkRMSNorm(b *testing.B) {
	x, w := randoms(rand.New(rand.NewPCG(5, 6)), 768), randoms(rand.New(rand.NewPCG(7, 6)), 768)
	for b.Loop() {
		RMSNorm(x, x, w, 1e-5)
	}
}

func BenchmarkRotate(b *testing.B) {
	x, angles := randoms(rand.New(rand.NewPCG(5, 6)), 9*64), randoms(rand.New(rand.NewPCG(7, 6)), 32)
	for i := range angles {
		angles[i] = float32(math.Sqrt(0.5))
	}
	for b.Loop() {
		Rotate(x, 64, angles, angles)
	}
}

func BenchmarkLayerNorm(b *testing.B) {
	x, w := randoms(rand.New(rand.NewPCG(5, 6)), 768), randoms(rand.New(rand.NewPCG(7, 6)), 768)
	for b.Loop() {
		LayerNorm(x, x, w, w, 1e-5)
	}
}

// BenchmarkAttend is a query that sees 40 rows, in a small model, in one of GPT-2's size, and where heads share keys.
func BenchmarkAttend(b *testing.B) {
	for _, h := range []Heads{{4, 4, 32, 0.125, 0}, {12, 12, 64, 0.125, 0}, {9, 3, 64, 0.125, 0}, {32, 8, 64, 0.125, 0}} {
		b.Run(fmt.Sprintf("%d heads of %d and %d", h.Heads, h.DHead, h.KVHeads), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(5, 6))
			width := h.KVHeads * h.DHead
			kv, q := randoms(rng, 100*2*width), randoms(rng, h.Heads*h.DHead)
			z := make([]float32, h.Heads*h.DHead)
			path := make([]int32, 40)
			for i := range path {
				path[i] = int32(i * 2)
			}
			var scratch []float32
			for b.Loop() {
				scratch = h.Attend(z, q, kv, kv[width:], 2*width, path, scratch)
			}
		})
	}
}
