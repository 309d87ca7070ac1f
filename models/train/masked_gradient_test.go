package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// TestMaskedGradientAgreesWithFiniteDifferences moves single weights of a small masked model up and down. The word
// embedding counts twice there, as input and as decoder, and only some rows are predicted.
func TestMaskedGradientAgreesWithFiniteDifferences(t *testing.T) {
	shape := transformer.BERT{Layers: 2, Heads: 2, DModel: 6, DMLP: 8, DVocab: 11, Positions: 5, Epsilon: bertEpsilon,
		Activation: "gelu"}
	params := maskedParameters(shape)
	r := rand.New(rand.NewPCG(3, 4))
	weights := make([]*tensors.Tensor, len(params))
	for i, p := range params {
		values := make([]float64, size(p.Shape))
		for k := range values {
			values[k] = r.NormFloat64()
		}
		weights[i] = tensors.FromFlatDataAndDimensions(values, p.Shape...)
	}
	loss := func(in []*Node) *Node {
		byName := make(map[string]*Node)
		for i, p := range params {
			byName[p.Name] = in[i]
		}
		g := in[0].Graph()
		ids := Reshape(Const(g, []int32{2, 4, 10, 4, 3, 2, 1, 4, 9, 3}), 2, 5)
		places := Reshape(Const(g, []int32{0, 3, 0, 1, 1, 2}), 3, 2)
		logits := maskedLogits(shape, func(name string) *Node { return byName[name] }, ids, places)
		return transformer.CrossEntropy(logits, Const(g, []int32{7, 5, 8}))
	}
	backend, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	gradient, err := NewExec(backend, func(in []*Node) []*Node { return Gradient(loss(in), in...) })
	if err != nil {
		t.Fatal(err)
	}
	value, err := NewExec(backend, loss)
	if err != nil {
		t.Fatal(err)
	}
	slopes, err := gradient.Call(arguments(weights)...)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i, k int, move float64) float64 {
		tensors.MustMutableFlatData(weights[i], func(flat []float64) { flat[k] += move })
		out, err := value.Call(arguments(weights)...)
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
