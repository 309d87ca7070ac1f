package behaviours

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// width of the fake residual stream.
const width = 96

// reads is a model whose neuron reads its firing token: terms gives the input there.
type reads struct {
	*n2gtest.Model
	terms func(token string, at int) []float32 // at counts the calls
	none  error
	calls int
}

func (m *reads) HasInputTerms(int, string) error { return m.none }

func (m *reads) InputTerms(_ context.Context, _ int, _ string, _ int, prompts,
	positions [][]int) ([][][]float32, error) {
	m.calls++
	list := make([][][]float32, len(prompts))
	for i, ids := range prompts {
		if len(ids) != positions[i][0]+1 {
			return nil, fmt.Errorf("%d tokens are sent for one at %d", len(ids), positions[i][0])
		}
		// By the text, not by the place in the call.
		seed := 0
		for _, id := range ids {
			seed = 31*seed + id
		}
		list[i] = [][]float32{m.terms(m.TokenString(ids[positions[i][0]]), seed)}
	}
	return list, nil
}

// feature is an input that writes into some coordinates, with noise everywhere.
func feature(seed, first, end int, noise float64) []float32 {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	v := make([]float32, width)
	for i := range v {
		v[i] = float32(noise * r.NormFloat64())
		if i >= first && i < end {
			v[i] += 1 + float32(0.2*r.NormFloat64())
		}
	}
	return v
}

// texts are so many examples that end in each of the tokens, behind different words.
func texts(t *testing.T, m *n2gtest.Model, each int, tokens ...string) []Example {
	t.Helper()
	var list []Example
	for k, token := range tokens {
		for i := range each {
			ids, err := n2g.Prompt(m, fmt.Sprintf("a%s b%s%s c d e f g", strings.Repeat("x", i+1), strings.Repeat("y", k),
				token))
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(ids, func(id int) bool { return m.TokenString(id) == token })
			list = append(list, Example{IDs: ids, Position: at, Activations: make([]float64, len(ids))})
			list[len(list)-1].Activations[at] = 1
		}
	}
	return list
}

func find(t *testing.T, m *reads, e *n2g.Explanation, examples []Example) *n2g.Behaviours {
	t.Helper()
	b, err := Find(t.Context(), m, e, examples)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func labels(b *n2g.Behaviours) []string {
	list := make([]string, len(b.List))
	for i, one := range b.List {
		list[i] = one.Label
	}
	slices.Sort(list)
	return list
}

func TestBehavioursFollowTheInput(t *testing.T) {
	m := n2gtest.NewModel()
	apart := func(token string, seed int) []float32 {
		if token == " if" || token == " for" {
			return feature(seed, 0, 24, 0.2)
		}
		return feature(seed, 24, 48, 0.2)
	}
	together := func(_ string, seed int) []float32 { return feature(seed, 0, 24, 0.2) }
	// All examples are as far from each other as two behaviours are, so that any division of them is by chance.
	loose := func(_ string, seed int) []float32 {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		v := make([]float32, width)
		for i := range v {
			v[i] = float32(1.25*r.NormFloat64() + 1)
		}
		return v
	}
	// No input is like another.
	alone := func(_ string, seed int) []float32 { return feature(seed, 0, 0, 1) }
	for _, c := range []struct {
		name   string
		terms  func(string, int) []float32
		tokens []string
		each   int
		want   []string
		stray  int
	}{
		{"two features", apart, []string{" if", " func"}, 6, []string{"` func`", "` if`"}, 0},
		{"two features behind three tokens", apart, []string{" if", " for", " func"}, 5,
			[]string{"` func`", "` if`; or ` for`"}, 0},
		{"one feature behind two tokens", together, []string{" if", " func"}, 6, []string{"` if`; or ` func`"}, 0},
		{"one token", apart, []string{" if"}, 12, []string{"` if`"}, 0},
		{"two of another kind", apart, []string{" if", " if", " func"}, 2, []string{"` if`"}, 2},
		{"loose", loose, []string{" if", " func"}, 12, nil, -1},
		{"nothing alike", alone, []string{" if", " func"}, 8, []string{}, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			examples := texts(t, m, c.each, c.tokens...)
			b := find(t, &reads{Model: m, terms: c.terms}, &n2g.Explanation{}, examples)
			if c.want == nil {
				if len(b.List) > 1 {
					t.Fatalf("%s: %v", b.Summary(), labels(b))
				}
				return
			}
			if got := labels(b); len(got) != len(c.want) || c.stray != b.Stray || b.Examples != len(examples) {
				t.Fatalf("%d stray of %d: %v, want %v", b.Stray, b.Examples, got, c.want)
			}
			if c.name == "two features behind three tokens" {
				if got := b.List[0]; got.Examples != 10 || len(got.Branches) != 2 || math.Abs(got.Share-10./15) > 1e-9 {
					t.Errorf("the first is %+v", got)
				}
				return
			}
			for i, want := range c.want {
				if got := labels(b)[i]; got != want && c.name != "one feature behind two tokens" {
					t.Errorf("labels %v, want %v", labels(b), c.want)
				}
			}
			for _, one := range b.List {
				if len(one.Shown) != min(shown, one.Examples) || one.ToldApart != 1 {
					t.Errorf("%d are shown, %g told apart", len(one.Shown), one.ToldApart)
				}
				for _, e := range one.Shown {
					if !slices.Contains(one.Branches[0].Tokens, e.Tokens[e.Peak]) && len(one.Branches) == 1 ||
						e.Activations[e.Peak] != 1 || len(e.Tokens) != e.Peak+1+after || e.Tokens[0] == "<|endoftext|>" {
						t.Errorf("an example is %+v", e)
					}
				}
			}
			if len(b.List) > 1 != (b.Separation > b.Chance) || len(b.List) > 1 && b.List[0].Between == nil {
				t.Errorf("separation %g, chance %g", b.Separation, b.Chance)
			}
		})
	}
}

func TestFewExamples(t *testing.T) {
	m := n2gtest.NewModel()
	model := &reads{Model: m, terms: func(token string, seed int) []float32 {
		return feature(seed, 0+len(token), 20+len(token), .1)
	}}
	for _, n := range []int{0, 1, MinExamples - 1} {
		b := find(t, model, &n2g.Explanation{}, texts(t, m, n, " if"))
		if b.Examples != n || len(b.List) != 0 || b.Stray != 0 || !strings.Contains(b.Summary(), "too few") {
			t.Errorf("%d: %+v: %s", n, b, b.Summary())
		}
	}
	if b := find(t, model, &n2g.Explanation{}, texts(t, m, MinExamples, " if")); len(b.List) != 1 {
		t.Errorf("%d examples: %+v", MinExamples, b)
	}
}

// The order in which examples come decides nothing.
func TestOrderOfExamples(t *testing.T) {
	m := n2gtest.NewModel()
	model := &reads{Model: m, terms: func(token string, seed int) []float32 {
		first := 12 * (len(token) % 4)
		return feature(seed, first, first+24, .6)
	}}
	examples := texts(t, m, 6, " a", " bb", " ccc", " dddd")
	want := find(t, model, &n2g.Explanation{}, examples)
	if len(want.List) < 2 {
		t.Fatalf("%s", want.Summary())
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		r.Shuffle(len(examples), func(i, j int) { examples[i], examples[j] = examples[j], examples[i] })
		if got := find(t, model, &n2g.Explanation{}, examples); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
	}
}

// What is not finite, or all zeros, has no direction and is left out; the rest stays as it is.
func TestUnsoundInput(t *testing.T) {
	m := n2gtest.NewModel()
	terms := func(token string, seed int) []float32 {
		switch token {
		case " nan":
			v := feature(seed, 0, 24, .1)
			v[5] = float32(math.NaN())
			return v
		case " inf":
			v := feature(seed, 0, 24, .1)
			v[5] = float32(math.Inf(-1))
			return v
		case " zero":
			return make([]float32, width)
		}
		return feature(seed, 0, 24, .1)
	}
	model := &reads{Model: m, terms: terms}
	b := find(t, model, &n2g.Explanation{}, texts(t, m, 7, " nan", " if", " inf", " zero"))
	if b.Examples != 7 || len(b.List) != 1 || b.List[0].Label != "` if`" || b.List[0].Share != 1 {
		t.Errorf("%+v", b)
	}
	if b := find(t, model, &n2g.Explanation{}, texts(t, m, 7, " nan", " zero")); b.Examples != 0 {
		t.Errorf("%+v", b)
	}
	// Activations to be shown may be unsound too.
	examples := texts(t, m, 7, " if")
	for i := range examples {
		examples[i].Activations = []float64{math.NaN(), math.Inf(1)}
	}
	if b := find(t, model, &n2g.Explanation{}, examples); b.List[0].Shown[0].Activations[0] != 0 {
		t.Errorf("%+v", b.List[0].Shown[0])
	}
}

func TestComplete(t *testing.T) {
	m := n2gtest.NewModel()
	model := &reads{Model: m, terms: func(_ string, seed int) []float32 { return feature(seed, 0, 24, .1) }}
	examples := texts(t, m, 7, " if")
	e := &n2g.Explanation{}
	if err := Complete(t.Context(), model, e, examples); err != nil || e.Behaviours == nil || len(e.Notes) > 0 {
		t.Fatal(e.Behaviours, e.Notes, err)
	}
	data, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var read n2g.Explanation
	if err := read.UnmarshalJSON(data); err != nil || !reflect.DeepEqual(read.Behaviours, e.Behaviours) {
		t.Errorf("%+v, want %+v: %v", read.Behaviours, e.Behaviours, err)
	}
	for _, without := range []n2g.LanguageModel{m, &reads{Model: m, none: errors.New("it is a coordinate")}} {
		e := &n2g.Explanation{}
		if err := Complete(t.Context(), without, e, examples); err != nil || e.Behaviours != nil || len(e.Notes) != 1 ||
			!strings.HasPrefix(e.Notes[0], "behaviours are not told apart: ") {
			t.Error(e.Behaviours, e.Notes, err)
		}
	}
	broken := &reads{Model: m, terms: func(token string, seed int) []float32 { return make([]float32, 3+seed%2) }}
	if err := Complete(t.Context(), broken, e, examples); err == nil {
		t.Error("terms of different lengths are compared")
	}
	examples[3].Position = len(examples[3].IDs)
	if err := Complete(t.Context(), model, e, examples); err == nil {
		t.Error("a place behind the text is read")
	}
}

// A behaviour that the graph's branches do not tell apart is said to be so: the same token, the same leaf.
func TestToldApart(t *testing.T) {
	m := n2gtest.NewModel()
	model := &reads{Model: m, terms: func(_ string, seed int) []float32 {
		return feature(seed, 24*(seed%2), 24+24*(seed%2), .2)
	}}
	b := find(t, model, &n2g.Explanation{}, texts(t, m, 20, " if"))
	if len(b.List) != 2 {
		t.Fatal(b.Summary())
	}
	if b.List[0].ToldApart+b.List[1].ToldApart > 1 || !strings.Contains(b.Summary(), "the graph does not tell") {
		t.Errorf("%s: %g and %g", b.Summary(), b.List[0].ToldApart, b.List[1].ToldApart)
	}
	// With a graph that asks for the word before, each has leaves of its own.
	var before []string
	for _, x := range texts(t, m, 20, " if") {
		seed := 0
		for _, id := range x.IDs[:x.Position+1] {
			seed = 31*seed + id
		}
		if seed%2 == 0 {
			before = append(before, m.TokenString(x.IDs[1]))
		}
	}
	leaf := func(v float64) *n2g.ContextNode { return &n2g.ContextNode{Value: v} }
	graph := &n2g.ContextGraph{FireThreshold: .5, Root: &n2g.ContextNode{
		Test: &n2g.ContextTest{Kind: n2g.TestWithin, Window: 32, Tokens: before}, Yes: leaf(1), No: leaf(.9)}}
	b = find(t, model, &n2g.Explanation{Context: graph}, texts(t, m, 20, " if"))
	for _, one := range b.List {
		if one.ToldApart != 1 || !strings.HasPrefix(one.Label, "` if`, ") {
			t.Errorf("%+v", one)
		}
	}
}
