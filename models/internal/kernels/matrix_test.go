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

// Products of parts of matrices, of their transposes, and added to what is there equal plain loops in float64.
func TestProduct(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 80 {
		in, out, rows := 1+rng.IntN(90), 1+rng.IntN(150), 1+rng.IntN(30)
		gap := rng.IntN(5)
		weight, x, before := randoms(rng, in*(out+gap)), randoms(rng, rows*in), randoms(rng, rows*(out+gap))
		m := NewMatrix(in, out)
		w := func(k, c int) float64 { return float64(weight[k*(out+gap)+c]) }
		if rng.IntN(2) == 0 {
			m.Pack(weight, out+gap)
		} else {
			turned := make([]float32, out*(in+gap))
			for c := range out {
				for k := range in {
					turned[c*(in+gap)+k] = weight[k*(out+gap)+c]
				}
			}
			m.PackTransposed(turned, in+gap)
		}
		view := Rows{x, in, 1}
		if rng.IntN(2) == 0 {
			turned := make([]float32, len(x))
			for r := range rows {
				for k := range in {
					turned[k*rows+r] = x[r*in+k]
				}
			}
			view = Rows{turned, 1, rows}
		}
		from := rng.IntN(in)
		to, columns, add := from+1+rng.IntN(in-from), 1+rng.IntN(out), rng.IntN(2) == 0
		got := slices.Clone(before)
		m.Product(got, out+gap, view, rows, from, to, columns, add)
		for r := range rows {
			for c := range columns {
				want := 0.0
				if add {
					want = float64(before[r*(out+gap)+c])
				}
				for k := from; k < to; k++ {
					want += float64(x[r*in+k]) * w(k, c)
				}
				if diff := math.Abs(float64(got[r*(out+gap)+c]) - want); diff > 1e-4 {
					t.Fatalf("[%d, %d]·[%d, %d] of terms %d to %d, added %v: element %d, %d is %g away", rows, in, in, out, from, to,
						add, r, c, diff)
				}
			}
			for c := out; c < out+gap; c++ {
				if got[r*(out+gap)+c] != before[r*(out+gap)+c] {
					t.Fatalf("what lies behind row %d was written to", r)
				}
			}
		}
		inputs, width := randoms(rng, in*(rows+gap)), rows
		got = randoms(rng, width*out)
		want := slices.Clone(got)
		m.AddTransposed(got, inputs, width+gap, width, nil)
		for i := range width {
			for c := range out {
				sum := float64(want[i*out+c])
				for k := range in {
					sum += float64(inputs[k*(width+gap)+i]) * w(k, c)
				}
				if diff := math.Abs(float64(got[i*out+c]) - sum); diff > 1e-4 {
					t.Fatalf("[%d, %d]ᵀ·[%d, %d]: element %d, %d is %g away", in, width, in, out, i, c, diff)
				}
			}
		}
	}
}

// The wide tile computes the bits of the narrow one, so that results do not depend on the width of a processor's
// registers.
func TestWideTiles(t *testing.T) {
	if !wideVectors {
		t.Skip("the processor has no AVX-512, or N2G_INSTRUCTIONS forbids it")
	}
	rng := rand.New(rand.NewPCG(9, 10))
	const terms, columns = 61, wideTiles * tileColumns
	x, panels, start := randoms(rng, tileRows*terms), randoms(rng, wideTiles*terms*tileColumns), randoms(rng, columns)
	wide, narrow := make([]float32, tileRows*columns), make([]float32, tileRows*columns)
	tiles(wide, columns, start, 0, x, terms, 1, terms, panels, terms*tileColumns)
	for i := range wideTiles {
		tile(narrow[i*tileColumns:], columns, start[i*tileColumns:], 0, x, terms, 1, terms, panels[i*terms*tileColumns:])
	}
	if !slices.Equal(wide, narrow) {
		t.Error("the wide tile differs from narrow ones")
	}
}

// The plain tile serves where the processor lacks the vector instructions: it computes the same but for rounding.
func TestTileGeneric(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const terms, stride = 77, 20
	x, panel, bias := randoms(rng, tileRows*terms), randoms(rng, terms*tileColumns), randoms(rng, tileColumns)
	plain, fast := make([]float32, tileRows*stride), make([]float32, tileRows*stride)
	tileGeneric(plain, stride, bias, 0, x, terms, 1, terms, panel)
	tile(fast, stride, bias, 0, x, terms, 1, terms, panel)
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
