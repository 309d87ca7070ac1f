package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func randoms(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// A product equals plain loops in float64, and each row's bits do not depend on the rows beside it.
func TestMul(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		in, rows := 1+rng.IntN(200), 1+rng.IntN(40)
		widths := [2]int{1 + rng.IntN(60), 1 + rng.IntN(40)}
		x := randoms(rng, rows*in)
		m := NewMatrix(in, widths[0]+widths[1])
		var weights, biases [2][]float32
		for i, first := range []int{0, widths[0]} {
			weights[i] = randoms(rng, in*widths[i])
			if i > 0 {
				biases[i] = randoms(rng, widths[i])
			}
			switch rng.IntN(3) {
			case 0:
				m.Set(first, widths[i], weights[i], biases[i])
				continue
			case 1:
				m.Set(first, widths[i], make([]float32, in*widths[i]), biases[i])
				cut := rng.IntN(in)
				m.SetPart(0, first, widths[i], weights[i][:cut*widths[i]])
				m.SetPart(cut, first, widths[i], weights[i][cut*widths[i]:])
				continue
			}
			turned := make([]float32, len(weights[i]))
			for k := range in {
				for c := range widths[i] {
					turned[c*in+k] = weights[i][k*widths[i]+c]
				}
			}
			m.SetTransposed(first, widths[i], turned, biases[i])
		}
		got := make([]float32, rows*m.Out())
		for part := range 3 {
			m.MulPart(got, x, rows, part, 3)
		}
		for row := range rows {
			for c := range m.Out() {
				layer, column := 0, c
				if c >= widths[0] {
					layer, column = 1, c-widths[0]
				}
				want := 0.0
				if biases[layer] != nil {
					want = float64(biases[layer][column])
				}
				for k := range in {
					want += float64(x[row*in+k]) * float64(weights[layer][k*widths[layer]+column])
				}
				if diff := math.Abs(float64(got[row*m.Out()+c]) - want); diff > 1e-4 {
					t.Fatalf("%d rows of %d: element %d, %d is %g away", rows, in, row, c, diff)
				}
			}
		}
		row := rng.IntN(rows)
		alone := make([]float32, m.Out())
		m.Mul(alone, x[row*in:(row+1)*in], 1)
		if !slices.Equal(alone, got[row*m.Out():(row+1)*m.Out()]) {
			t.Fatalf("row %d of %d differs from the same row alone", row, rows)
		}
		column := rng.IntN(m.Out())
		one := make([]float32, rows)
		m.Column(one, x, rows, column)
		for row := range rows {
			if one[row] != got[row*m.Out()+column] {
				t.Fatalf("column %d alone differs at row %d", column, row)
			}
		}
	}
}

// The plain tile serves where the processor lacks the vector instructions: it computes the same but for rounding.
func TestTileGeneric(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const terms, stride = 77, 20
	x, panel, bias := randoms(rng, tileRows*terms), randoms(rng, terms*tileColumns), randoms(rng, tileColumns)
	plain, fast := make([]float32, tileRows*stride), make([]float32, tileRows*stride)
	tileGeneric(plain, stride, x, terms, panel, bias)
	tile(fast, stride, x, terms, panel, bias)
	for i := range plain {
		if math.Abs(float64(plain[i]-fast[i])) > 1e-4 {
			t.Fatalf("element %d: %g plain, %g with vectors", i, plain[i], fast[i])
		}
	}
}

func BenchmarkMul(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	const rows, in, out = 96, 768, 3072
	m := NewMatrix(in, out)
	m.Set(0, out, randoms(rng, in*out), nil)
	x, dst := randoms(rng, rows*in), make([]float32, rows*out)
	for b.Loop() {
		m.Mul(dst, x, rows)
	}
	b.ReportMetric(2*rows*in*out*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
