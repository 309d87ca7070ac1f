package gradient_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
)

// setting is a model with random weights and a part of a batch.
type setting struct {
	params  []transformer.Param
	weights [][]float32
	part    gradient.Part
}

func random(seed uint64, params []transformer.Param, vocabulary, windows, length, asked int) setting {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := setting{params: params, part: gradient.Part{Length: length}}
	for _, p := range params {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(rng.NormFloat64()) * 0.5
		}
		s.weights = append(s.weights, values)
	}
	for range windows * length {
		s.part.IDs = append(s.part.IDs, int32(rng.IntN(vocabulary)))
	}
	targets := len(s.part.IDs)
	if asked > 0 {
		targets = windows * asked
		for w := range windows {
			for _, p := range rng.Perm(length)[:asked] {
				s.part.Places = append(s.part.Places, int32(w), int32(p))
			}
		}
	}
	for range targets {
		s.part.Targets = append(s.part.Targets, int32(rng.IntN(vocabulary)))
	}
	return s
}

// byGraph computes a loss with GoMLX, and the gradients of loss and penalty; their inputs are ids [windows, length],
// targets and, where there are any, places. The penalty may be nil.
func (s setting) byGraph(t *testing.T,
	graph func(w transformer.Weights, in []*Node) (loss, penalty *Node)) (float64, [][]float32) {
	t.Helper()
	backend, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.params)
	program, err := NewExec(backend, func(in []*Node) []*Node {
		byName := map[string]*Node{}
		for i, p := range s.params {
			byName[p.Name] = in[i]
		}
		loss, penalty := graph(func(name string) *Node { return byName[name] }, in[n:])
		sum := loss
		if penalty != nil {
			sum = Add(sum, penalty)
		}
		return append([]*Node{loss}, Gradient(sum, in[:n]...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	var args []any
	for i, p := range s.params {
		args = append(args, tensors.FromFlatDataAndDimensions(s.weights[i], p.Shape...))
	}
	args = append(args, tensors.FromFlatDataAndDimensions(s.part.IDs, s.part.Windows(), s.part.Length),
		tensors.FromFlatDataAndDimensions(s.part.Targets, len(s.part.Targets)))
	if s.part.Places != nil {
		args = append(args, tensors.FromFlatDataAndDimensions(s.part.Places, len(s.part.Targets), 2))
	}
	out, err := program.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	var gradients [][]float32
	for _, g := range out[1:] {
		values, err := tensors.CopyFlatData[float32](g)
		if err != nil {
			t.Fatal(err)
		}
		gradients = append(gradients, values)
	}
	return float64(tensors.ToScalar[float32](out[0])), gradients
}

// compare holds the gradients of a model to those of the graph, relative to the largest element of each.
func (s setting) compare(t *testing.T, m *gradient.Model, wantLoss float64, want [][]float32) {
	t.Helper()
	m.Workers(2)
	m.Load(s.weights)
	m.Gradient(1, s.part) // what was there before does not matter
	loss, got := m.Gradient(1, s.part)
	if math.Abs(loss-wantLoss) > 1e-5*max(1, wantLoss) {
		t.Errorf("loss %g, want %g", loss, wantLoss)
	}
	for i, p := range s.params {
		var most, worst float64
		for k, v := range want[i] {
			most = max(most, math.Abs(float64(v)))
			worst = max(worst, math.Abs(float64(v-got[i][k])))
		}
		if worst > 2e-5*max(most, 1e-2) {
			t.Errorf("%s: away by %g where the largest is %g", p.Name, worst, most)
		}
	}
	_, other := m.Gradient(0, s.part)
	for i, p := range s.params {
		if !slices.Equal(other[i], got[i]) {
			t.Errorf("%s: two workers differ", p.Name)
		}
	}
}

// Gradients of the causal model are those of its graph functions.
func TestSoLU(t *testing.T) {
	for i, c := range []struct {
		layers, heads, dHead, mlp, vocabulary, length, windows int
		balance                                                float64
	}{
		{1, 1, 8, 16, 11, 3, 1, 0}, {2, 2, 6, 20, 37, 9, 3, 0}, {1, 3, 8, 70, 90, 8, 2, 0},
		{3, 2, 16, 64, 130, 33, 2, 0}, {2, 2, 6, 20, 37, 9, 3, 0.3}, {3, 2, 16, 64, 130, 33, 2, 0.1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			shape := transformer.Decoder{Layers: c.layers, DModel: c.heads * c.dHead, Heads: c.heads, DHead: c.dHead,
				DMLP:   c.mlp,
				DVocab: c.vocabulary, Positions: c.length + 2, Activation: "solu_ln", Epsilon: 1e-5}
			s := random(uint64(i), shape.Parameters(), c.vocabulary, c.windows, c.length, 0)
			loss, want := s.byGraph(t, func(w transformer.Weights, in []*Node) (loss, penalty *Node) {
				x := shape.Embed(w, in[0], nil, nil)
				penalty = ScalarZero(x.Graph(), x.DType())
				for layer := range shape.Layers {
					x = shape.Block(w, layer, x, shape.Causal(layer), func(name string, x *Node) *Node {
						if name == transformer.BlockName(layer, "mlp.hook_pre") {
							shares := DivScalar(ReduceSum(Softmax(x), 1), float64(c.length)) // [windows, d_mlp]
							equal := 1 / float64(c.mlp)
							away := ReduceAllSum(Square(AddScalar(shares, -equal))) // Σ(p̄-1/n)² is Σp̄²-1/n
							penalty = Add(penalty, MulScalar(away, c.balance*float64(c.mlp)/float64(c.windows)))
						}
						return x
					})
				}
				logits := shape.Unembed(w, Reshape(x, -1, shape.DModel), nil)
				return transformer.CrossEntropy(logits, in[1]), penalty
			})
			m, err := gradient.NewSoLU(shape, s.params, c.balance)
			if err != nil {
				t.Fatal(err)
			}
			s.compare(t, m, loss, want)
		})
	}
}

// Gradients of the masked model are those of its graph functions.
func TestBERT(t *testing.T) {
	for i, c := range []struct{ layers, heads, dHead, mlp, vocabulary, length, windows, asked int }{
		{1, 1, 8, 16, 11, 5, 1, 2}, {2, 2, 6, 20, 37, 9, 3, 3}, {2, 2, 16, 64, 130, 34, 2, 10},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			shape := transformer.BERT{Layers: c.layers, Heads: c.heads, DModel: c.heads * c.dHead, DMLP: c.mlp,
				DVocab:    c.vocabulary,
				Positions: c.length, Epsilon: 1e-12, Activation: "gelu"}
			params := shape.BodyParameters()
			for _, p := range shape.HeadParameters() {
				if p.Name != transformer.BERTDecoder {
					params = append(params, p)
				}
			}
			s := random(uint64(i), params, c.vocabulary, c.windows, c.length, c.asked)
			loss, want := s.byGraph(t, func(w transformer.Weights, in []*Node) (loss, penalty *Node) {
				dims := in[0].Shape().Dimensions
				x := shape.Embed(w, in[0], nil)
				for layer := range shape.Layers {
					x = shape.Block(w, layer, x, transformer.Bidirectional(
						BroadcastToDims(Scalar(x.Graph(), in[0].DType(), dims[1]), dims[0])), nil)
				}
				return transformer.CrossEntropy(shape.Unembed(w, Gather(x, in[2])), in[1]), nil
			})
			m, err := gradient.NewBERT(shape, s.params)
			if err != nil {
				t.Fatal(err)
			}
			s.compare(t, m, loss, want)
		})
	}
}

// What is not written out is refused.
func TestOtherShapes(t *testing.T) {
	shape := transformer.Decoder{Layers: 1, DModel: 8, Heads: 1, DHead: 8, DMLP: 8, DVocab: 9, Positions: 4,
		Activation: "gelu", Epsilon: 1e-5}
	if _, err := gradient.NewSoLU(shape, shape.Parameters(), 0); err == nil {
		t.Error("a GELU model was taken for a SoLU one")
	}
	shape.Activation = "solu_ln"
	if _, err := gradient.NewSoLU(shape, shape.Parameters()[1:], 0); err == nil {
		t.Error("a model without embeddings was taken")
	}
}

// BenchmarkSoLU is the gradient of half a batch of the embedded causal model, on one core.
func BenchmarkSoLU(b *testing.B) {
	shape := transformer.Decoder{Layers: 3, DModel: 128, Heads: 2, DHead: 64, DMLP: 512, DVocab: 4096, Positions: 256,
		Activation: "solu_ln", Epsilon: 1e-5}
	s := random(1, shape.Parameters(), 4096, 4, 256, 0)
	m, err := gradient.NewSoLU(shape, s.params, 0)
	if err != nil {
		b.Fatal(err)
	}
	m.Workers(1)
	for b.Loop() {
		m.Load(s.weights)
		m.Gradient(0, s.part)
	}
	b.ReportMetric(float64(b.N*len(s.part.IDs))/b.Elapsed().Seconds(), "tokens/s")
}
