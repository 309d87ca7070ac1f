package effects

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// matrix projects by a matrix of [d_vocab][d_model].
type matrix [][]float32

func (m matrix) ProjectToLogits(_ context.Context, directions [][]float32, visit func(int, []float32)) error {
	for i, d := range directions {
		logits := make([]float32, len(m))
		for id, row := range m {
			for k, x := range row {
				logits[id] += x * d[k]
			}
		}
		visit(i, logits)
		clear(logits) // they are valid until visit returns
	}
	return nil
}

// tokens are two of them with their effects.
func tokens(a int, x float64, b int, y float64) []n2g.TokenEffect {
	return []n2g.TokenEffect{{ID: a, Token: fmt.Sprint("t", a), Value: x}, {ID: b, Token: fmt.Sprint("t", b), Value: y}}
}

func TestAttribute(t *testing.T) {
	m := matrix{{1, 0}, {0, 1}, {3, 0}, {3, 1}, {-2, 0}, {99, 99}}
	v := Vocabulary{Size: 5, TokenString: func(id int) string { return fmt.Sprint("t", id) }}
	got, err := Attribute(context.Background(), m, [][]float32{{1, 0}, {0, -2}}, 2, v)
	if err != nil {
		t.Fatal(err)
	}
	want := []n2g.Attribution{
		{Promoted: tokens(2, 3., 3, 3.), Suppressed: tokens(4, -2., 1, 0.)},
		{Promoted: tokens(0, 0., 2, 0.), Suppressed: tokens(1, -2., 3, -2.)},
	}
	for i := range got {
		got[i].Kurtosis = 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := Attribute(context.Background(), m, [][]float32{{1, 0}}, 100, v); err != nil ||
		len(got[0].Promoted) != 5 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Attribute(context.Background(), m, nil, -1, v); err == nil {
		t.Error("-1 tokens")
	}
}

func TestExtremesAgainstSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := make([]float32, random.IntN(50))
		for i := range values {
			values[i] = float32(random.IntN(10))
		}
		for _, sign := range []float32{1, -1} {
			order := make([]int, len(values))
			for i := range order {
				order[i] = i
			}
			slices.SortStableFunc(order, func(a, b int) int { return int(sign * (values[b] - values[a])) })
			k := random.IntN(12)
			if got, want := extremes(values, k, sign), order[:min(k, len(order))]; !slices.Equal(got, want) {
				t.Fatalf("%v of %v: %v, want %v", k, values, got, want)
			}
		}
	}
}

func TestKurtosis(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	normal := make([]float32, 200000)
	for i := range normal {
		normal[i] = float32(random.NormFloat64())
	}
	for _, test := range []struct {
		name   string
		values []float32
		want   float64
	}{
		{"normal", normal, 3}, {"two values", []float32{-1, 1, -1, 1}, 1}, {"equal", []float32{2, 2}, 0}, {"none", nil, 0},
		{"one of five", []float32{0, 0, 0, 0, 1}, 3.25},
	} {
		if got := kurtosis(test.values); math.Abs(got-test.want) > .05 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	// Two tokens; the change moves the logit of token 1 by log 2 at position 1.
	run := func(_ context.Context, prompts, _ [][]int, visit func(int, int, []float32, []float32)) error {
		for i, ids := range prompts {
			for p := range ids {
				after := []float32{0, 0}
				if p == 1 {
					after[1] = float32(math.Log(2))
				}
				visit(i, p, []float32{0, 0}, after)
			}
		}
		return nil
	}
	v := Vocabulary{TokenString: func(id int) string { return string(rune('a' + id)) }}
	got, err := Measure(context.Background(), run, [][]int{{0, 0, 1}, {0}}, 1, v)
	if err != nil {
		t.Fatal(err)
	}
	kl := .5*math.Log(.5/(1./3)) + .5*math.Log(.5/(2./3))
	half := NextToken{0, "a", 0, .5}
	want := []Change{
		{
			LossBefore: math.Log(2), LossAfter: (math.Log(2) + math.Log(1.5)) / 2,
			KL: []float64{0, kl, 0}, LogProbs: []float64{0, math.Log(4. / 3)},
			NextBefore: []NextToken{half}, NextAfter: []NextToken{half},
		},
		{KL: []float64{0}, LogProbs: []float64{}, NextBefore: []NextToken{half}, NextAfter: []NextToken{half}},
	}
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-7 })
	if diff := cmp.Diff(want, got, close); diff != "" {
		t.Error(diff)
	}
	if mean := got[0].MeanKL(); math.Abs(mean-kl/3) > 1e-7 {
		t.Error(mean)
	}
}

func TestFaithfulness(t *testing.T) {
	for _, test := range []struct {
		name      string
		kl        []float64
		predicted []bool
		want      float64
	}{
		{"all of it", []float64{0, 0, 0, 1}, []bool{false, false, false, true}, .75},
		{"half of it", []float64{0, 1, 0, 1}, []bool{false, false, false, true}, .25},
		{"everywhere", []float64{0, 1, 0, 1}, []bool{true, true, true, true}, 0},
		{"nowhere", []float64{0, 1, 0, 1}, []bool{false, false, false, false}, 0},
		{"the wrong place", []float64{1, 0}, []bool{false, true}, -.5},
		{"nothing to find", []float64{0, -1e-9}, []bool{false, true}, 0},
	} {
		if got := Faithfulness(test.kl, test.predicted); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
}

// TestFaithful: the tests' predictions, activations and the context graph's predictions are each held to the KL.
func TestFaithful(t *testing.T) {
	// The KL is above 0 at position 2 alone, which is token "b" behind BOS and "a".
	run := func(_ context.Context, prompts, _ [][]int, visit func(int, int, []float32, []float32)) error {
		for i, ids := range prompts {
			for p := range ids {
				after := []float32{0, 0}
				if ids[p] == 1 {
					after[1] = 2
				}
				visit(i, p, []float32{0, 0}, after)
			}
		}
		return nil
	}
	e := &n2g.Explanation{
		Tests: []n2g.Test{
			{Tokens: []string{"<bos>", "a", "b"}, Activations: []float64{0, 0, 1}, Predictions: []float64{9, .6, .4}},
			{Tokens: []string{"<bos>", "a", "a"}, Activations: []float64{0, 0, .2}, Predictions: []float64{0, 0, 0}},
		},
		Context: &n2g.ContextGraph{FireThreshold: .1, Root: &n2g.ContextNode{
			Table: []n2g.TokenValue{{Token: "b", Value: .2}}}},
	}
	for name, ids := range map[string][][]int{"with BOS": {{9, 0, 1}, {9, 0, 0}}, "without": {{0, 1}, {0, 0}}} {
		got, err := Faithful(context.Background(), run, e, ids)
		if err != nil {
			t.Fatal(err)
		}
		p := math.Exp(2) / (1 + math.Exp(2))
		kl := .5*math.Log(.5/(1-p)) + .5*math.Log(.5/p)
		want := &n2g.Faithfulness{Graph: -.25, Context: new(.75), Firing: .75, Positions: 4, Predicted: 1, MeanKL: kl / 4}
		close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
		if diff := cmp.Diff(want, got, close); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if list := e.Tests[0].KL; len(list) != 3 || list[1] != 0 || math.Abs(list[2]-kl) > .005*kl {
			t.Errorf("%s: KL %v, want 0 and %g", name, list, kl)
		}
	}
	for _, ids := range [][][]int{nil, {{0, 1}}, {{0}, {0, 0}}} {
		if _, err := Faithful(context.Background(), run, e, ids); err == nil {
			t.Errorf("%v is no list of its test prompts", ids)
		}
	}
}

func TestSum(t *testing.T) {
	got := Sum([]Change{
		{LossBefore: 1, LossAfter: 2, KL: []float64{0, .5, .1}, LogProbs: make([]float64, 2)},
		{LossBefore: 4, LossAfter: 8, KL: []float64{.2, 0}, LogProbs: make([]float64, 1)},
		{KL: []float64{.2}},
	})
	want := Total{Texts: 3, Tokens: 3, LossBefore: 2, LossAfter: 4, MeanKL: 1. / 6}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })); diff != "" {
		t.Error(diff)
	}
	if got := Sum(nil); got != (Total{}) {
		t.Error(got)
	}
}

func TestSample(t *testing.T) {
	logits := []float32{0, float32(math.Log(3)), 0, float32(math.Inf(-1))}
	if got := Sample(logits, 0, .99); got != 1 {
		t.Error(got)
	}
	counts := make([]int, 4)
	const draws = 10000
	for i := range draws {
		counts[Sample(logits, 1, (float64(i)+.5)/draws)]++
	}
	if want := []int{2000, 6000, 2000, 0}; !cmp.Equal(counts, want,
		cmp.Comparer(func(a, b int) bool { return max(a-b, b-a) < 5 })) {
		t.Errorf("%v, want %v", counts, want)
	}
}

func TestConnected(t *testing.T) {
	layers := []*Weights{
		{Out: [][]float32{{1, 0}, {0, 1}}, In: [][]float32{{1, 0}, {0, 2}}, Norm: []float32{1, 1}},
		{Out: [][]float32{{2, 0}, {1, 1}}, In: [][]float32{{1, 1}, {-1, 0}}, Gate: [][]float32{{5, 0}, {0, 1}},
			Norm: []float32{2, 0}},
	}
	read := func(l int) (*Weights, error) { return layers[l], nil }
	got, err := Connected(2, read, 0, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := &Neighbours{
		// With the norm folded in, all of layer 1 reads along the first axis, but for the gate of neuron 1.
		Down:    []Neighbour{{1, 0, 1, "in"}, {1, 0, 1, "gate"}},
		LikeIn:  []Neighbour{{1, 0, 1, ""}, {0, 1, 0, ""}},
		LikeOut: []Neighbour{{1, 0, 1, ""}, {1, 1, math.Sqrt(.5), ""}},
	}
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-7 })
	if diff := cmp.Diff(want.Down, got.Down, close); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.LikeIn, got.LikeIn, close); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.LikeOut, got.LikeOut, close); diff != "" {
		t.Error(diff)
	}
	if len(got.Up) != 0 {
		t.Error(got.Up)
	}
	up, err := Connected(2, read, 1, 0, 1)
	if err != nil || len(up.Up) != 1 || up.Up[0].Layer != 0 || up.Up[0].Neuron != 0 {
		t.Errorf("%+v %v", up, err)
	}
	if _, err := Connected(2, read, 1, 7, 1); err == nil {
		t.Error("neuron 7 of 2")
	}
}
