package transformer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
)

// goBackend runs one operation at a time: with more, its matrix products can starve each other of workers.
func goBackend(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// random64 is a tensor of normal values.
func random64(r *rand.Rand, dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = r.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// TestGradientsAgreeWithAutodiff compares the gradients written out with those that automatic differentiation makes of
// the plain operations, and the values with theirs, in double precision.
func TestGradientsAgreeWithAutodiff(t *testing.T) {
	type function func(in []*Node) *Node
	for _, test := range []struct {
		name           string
		shapes         [][]int
		written, plain function
	}{
		{"dense", [][]int{{2, 3, 5}, {5, 4}, {4}},
			func(in []*Node) *Node { return project(in[0], in[1], in[2], compute.DenseLayoutInputOutputs) },
			func(in []*Node) *Node { return Add(Einsum("bsi,io->bso", in[0], in[1]), ExpandLeftToRank(in[2], 3)) }},
		{"dense, more outputs", [][]int{{7, 3}, {3, 9}, {9}},
			func(in []*Node) *Node { return project(in[0], in[1], in[2], compute.DenseLayoutInputOutputs) },
			func(in []*Node) *Node { return Add(Einsum("bi,io->bo", in[0], in[1]), ExpandLeftToRank(in[2], 2)) }},
		{"dense, outputs first, no bias", [][]int{{2, 3, 5}, {4, 5}},
			func(in []*Node) *Node { return project(in[0], in[1], nil, compute.DenseLayoutOutputsInput) },
			func(in []*Node) *Node { return Einsum("bsi,oi->bso", in[0], in[1]) }},
		{"softmax", [][]int{{2, 3, 6}},
			func(in []*Node) *Node { return softmax(in[0]) },
			func(in []*Node) *Node {
				e := Exp(in[0])
				return Div(e, ReduceAndKeep(e, ReduceSum, -1))
			}},
		{"solu", [][]int{{4, 6}},
			func(in []*Node) *Node { return solu(in[0]) },
			func(in []*Node) *Node {
				e := Exp(in[0])
				return Mul(in[0], Div(e, ReduceAndKeep(e, ReduceSum, -1)))
			}},
		{"layer norm", [][]int{{2, 3, 6}, {6}, {6}},
			func(in []*Node) *Node { return layerNorm(in[0], in[1], in[2], 1e-5) },
			func(in []*Node) *Node {
				return Add(Mul(plainNorm(in[0], 1e-5), ExpandLeftToRank(in[1], 3)), ExpandLeftToRank(in[2], 3))
			}},
		{"layer norm without weights", [][]int{{4, 6}},
			func(in []*Node) *Node { return layerNorm(in[0], nil, nil, 1e-5) },
			func(in []*Node) *Node { return plainNorm(in[0], 1e-5) }},
		{"gelu", [][]int{{4, 6}},
			func(in []*Node) *Node { return gelu(in[0]) },
			func(in []*Node) *Node { return activation.Gelu(in[0]) }},
		{"scores", [][]int{{2, 3, 4, 5}, {2, 3, 6, 5}},
			func(in []*Node) *Node { return scoresOf(in[0], in[1]) },
			func(in []*Node) *Node { return Einsum("bhqd,bhkd->bhqk", in[0], in[1]) }},
		{"mix", [][]int{{2, 3, 4, 6}, {2, 3, 6, 5}},
			func(in []*Node) *Node { return mix(in[0], in[1]) },
			func(in []*Node) *Node { return Einsum("bhqk,bhkd->bhqd", in[0], in[1]) }},
		{"cross entropy", [][]int{{3, 7}},
			func(in []*Node) *Node { return CrossEntropy(in[0], Const(in[0].Graph(), []int32{6, 0, 2})) },
			func(in []*Node) *Node {
				logSum := Log(ReduceSum(Exp(in[0]), -1))
				target := OneHot(Const(in[0].Graph(), []int32{6, 0, 2}), 7, dtypes.Float64)
				return ReduceAllMean(Sub(logSum, ReduceSum(Mul(target, in[0]), -1)))
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			backend := goBackend(t)
			var args []any
			for _, shape := range test.shapes {
				args = append(args, random64(r, shape...))
			}
			results := func(f function) []*tensors.Tensor {
				program, err := NewExec(backend, func(in []*Node) []*Node {
					value := f(in)
					// Every place of the value counts differently.
					weight := Sin(AddScalar(IotaFull(value.Graph(), value.Shape()), 1))
					loss := ReduceAllSum(Mul(value, weight))
					return append([]*Node{value}, Gradient(loss, in...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := program.Call(args...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			want, got := results(test.plain), results(test.written)
			for i := range want {
				name := "value"
				if i > 0 {
					name = fmt.Sprintf("gradient by input %d", i-1)
				}
				compareFlat(t, name, want[i], got[i], 1e-6)
			}
		})
	}
}

func plainNorm(x *Node, epsilon float64) *Node {
	centered := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	variance := ReduceAndKeep(Square(centered), ReduceMean, -1)
	return Div(centered, Sqrt(AddScalar(variance, epsilon)))
}

func compareFlat(t *testing.T, name string, want, got *tensors.Tensor, tolerance float64) {
	t.Helper()
	if !want.Shape().Equal(got.Shape()) {
		t.Errorf("%s has the shape %s, want %s", name, got.Shape(), want.Shape())
		return
	}
	w, g := tensors.MustCopyFlatData[float64](want), tensors.MustCopyFlatData[float64](got)
	for i := range w {
		if !(math.Abs(w[i]-g[i]) <= tolerance*(1+math.Abs(w[i]))) {
			t.Errorf("%s at %d is %g, want %g", name, i, g[i], w[i])
			return
		}
	}
}

// TestBlockGradientAgreesWithFiniteDifferences moves single weights of a small model up and down.
func TestBlockGradientAgreesWithFiniteDifferences(t *testing.T) {
	shape := Decoder{Layers: 2, DModel: 6, Heads: 2, DHead: 3, DMLP: 8, DVocab: 11, Positions: 5, Activation: "solu_ln",
		Epsilon: 1e-5}
	params := shape.Parameters()
	r := rand.New(rand.NewPCG(3, 4))
	weights := make([]*tensors.Tensor, len(params))
	for i, p := range params {
		weights[i] = random64(r, p.Shape...)
	}
	ids := []int32{0, 3, 10, 3, 7, 0, 1, 2, 9, 9}
	targets := []int32{3, 10, 3, 7, 5, 1, 2, 9, 9, 4}
	loss := func(in []*Node) *Node {
		byName := make(map[string]*Node)
		for i, p := range params {
			byName[p.Name] = in[i]
		}
		g := in[0].Graph()
		w := func(name string) *Node { return byName[name] }
		logits := shape.Forward(w, Reshape(Const(g, ids), 2, 5), nil)
		return CrossEntropy(Reshape(logits, 10, shape.DVocab), Const(g, targets))
	}
	backend := goBackend(t)
	gradient, err := NewExec(backend, func(in []*Node) []*Node { return Gradient(loss(in), in...) })
	if err != nil {
		t.Fatal(err)
	}
	value, err := NewExec(backend, loss)
	if err != nil {
		t.Fatal(err)
	}
	args := func() (list []any) {
		for _, w := range weights {
			list = append(list, w)
		}
		return list
	}
	slopes, err := gradient.Call(args()...)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i, k int, move float64) float64 {
		tensors.MustMutableFlatData(weights[i], func(flat []float64) { flat[k] += move })
		out, err := value.Call(args()...)
		if err != nil {
			t.Fatal(err)
		}
		tensors.MustMutableFlatData(weights[i], func(flat []float64) { flat[k] -= move })
		return tensors.ToScalar[float64](out[0])
	}
	const h = 1e-5
	for i, p := range params {
		slope := tensors.MustCopyFlatData[float64](slopes[i])
		for range 3 {
			k := r.IntN(len(slope))
			want := (at(i, k, h) - at(i, k, -h)) / (2 * h)
			if math.Abs(want-slope[k]) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("%s[%d]: gradient %g, finite difference %g", p.Name, k, slope[k], want)
			}
		}
	}
}
