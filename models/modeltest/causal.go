package modeltest

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// LanguageModel is what package n2g asks of a causal model, in the same words.
type LanguageModel interface {
	Name() string
	Tokenize(text string) ([]int, error)
	TokenString(id int) string
	Decode(ids []int) string
	BOS() int
	MaskID() int
	ContextLength() int
	Activations(ctx context.Context, layer int, hook string, index int, prompts, positions [][]int) ([][]float32, error)
}

// Neuron is one neuron to ask a model for.
type Neuron struct {
	Layer int
	Hook  string
	Index int
	// Tolerance is by how much its activations may differ with what is asked beside them, absolute and relative. The zero
	// value asks for equal bits.
	Tolerance float64
}

// same says whether two answers for the neuron agree.
func (n Neuron) same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool {
		return a == b || math.Abs(float64(a)-float64(b)) <= n.Tolerance*(1+math.Abs(float64(b)))
	})
}

// TestLanguageModel is the contract of a causal model: every implementation, a fake in a test of a caller included,
// passes it. texts are not empty and shorter than the model's context; a dozen of different lengths tell most.
func TestLanguageModel(t *testing.T, m LanguageModel, neuron Neuron, texts []string) {
	t.Helper()
	if m.Name() == "" {
		t.Error("the model has no name: an explanation could not say what made it")
	}
	if m.ContextLength() < 2 {
		t.Fatalf("context of %d tokens: BOS and one more must fit", m.ContextLength())
	}
	prompts := make([][]int, len(texts))
	for i, text := range texts {
		ids, err := m.Tokenize(text)
		if err != nil || len(ids) == 0 {
			t.Fatalf("tokenize %q: %d tokens, error %v", text, len(ids), err)
		}
		prompts[i] = append([]int{m.BOS()}, ids...)
	}
	ask := func(t *testing.T, prompts, positions [][]int) [][]float32 {
		t.Helper()
		got, err := m.Activations(t.Context(), neuron.Layer, neuron.Hook, neuron.Index, prompts, positions)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(prompts) {
			t.Fatalf("%d answers to %d prompts", len(got), len(prompts))
		}
		return got
	}
	all := ask(t, prompts, nil)

	t.Run("texts", func(t *testing.T) { testTexts(t, m, texts, prompts) })
	t.Run("every position", func(t *testing.T) {
		for i, values := range all {
			if len(values) != len(prompts[i]) {
				t.Errorf("%d activations of %d tokens", len(values), len(prompts[i]))
			}
			for p, value := range values {
				if math.IsNaN(float64(value)) || math.IsInf(float64(value), 0) {
					t.Errorf("%q, position %d: activation %g", texts[i], p, value)
				}
			}
		}
	})
	t.Run("any batch", func(t *testing.T) {
		for i := range prompts {
			if alone := ask(t, prompts[i:i+1], nil)[0]; !neuron.same(alone, all[i]) {
				t.Errorf("%q: %v alone, %v among %d", texts[i], alone, all[i], len(prompts))
			}
		}
	})
	t.Run("prefixes and masks", func(t *testing.T) {
		// As the method asks: a prompt, its beginnings and its masked variants at once.
		ids := prompts[0]
		var variants [][]int
		for i := range ids {
			variant := slices.Clone(ids)
			variant[i] = m.MaskID()
			variants = append(variants, variant, ids[:i+1])
		}
		together := ask(t, variants, nil)
		for i := range ids {
			if got := together[2*i][:i]; !neuron.same(got, all[0][:i]) {
				t.Errorf("masking token %d changed activations before it", i)
			}
			if got := together[2*i+1]; !neuron.same(got, all[0][:i+1]) {
				t.Errorf("cutting behind token %d changed activations before it: the model looks ahead", i)
			}
		}
	})
	t.Run("positions", func(t *testing.T) {
		positions := make([][]int, len(prompts))
		for i, ids := range prompts {
			if i%3 != 2 { // every third asks all
				positions[i] = []int{len(ids) - 1, 0, len(ids) / 2, 0}[:4-i%3]
			}
		}
		for i, got := range ask(t, prompts, positions) {
			want := all[i]
			if positions[i] != nil {
				want = nil
				for _, p := range positions[i] {
					want = append(want, all[i][p])
				}
			}
			if !neuron.same(got, want) {
				t.Errorf("%q at %v: %v, want %v", texts[i], positions[i], got, want)
			}
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		var wait sync.WaitGroup
		for worker := range 4 {
			wait.Go(func() {
				some := prompts[worker%len(prompts):]
				got, err := m.Activations(t.Context(), neuron.Layer, neuron.Hook, neuron.Index, some, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range got {
					if !neuron.same(got[i], all[worker%len(prompts)+i]) {
						t.Error("activations changed while others asked")
					}
				}
			})
		}
		wait.Wait()
	})
	t.Run("bad input", func(t *testing.T) { testBadInput(t, m, neuron, prompts[0]) })
}

// testTexts checks tokens against texts.
func testTexts(t *testing.T, m LanguageModel, texts []string, prompts [][]int) {
	for i, text := range texts {
		ids := prompts[i][1:]
		if got := m.Decode(ids); strings.ToValidUTF8(text, "") == text && got != text {
			t.Errorf("%q became %q through tokens and back", text, got)
		}
		joined := ""
		for _, id := range ids {
			joined += m.TokenString(id)
		}
		if !strings.ContainsRune(joined, '\uFFFD') && joined != m.Decode(ids) {
			t.Errorf("the tokens of %q give %q one by one", text, joined)
		}
	}
}

// testBadInput checks that what cannot be answered is an error of one sentence.
func testBadInput(t *testing.T, m LanguageModel, neuron Neuron, prompt []int) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	long := make([]int, m.ContextLength()+1)
	for i := range long {
		long[i] = prompt[0]
	}
	for _, c := range []struct {
		what               string
		ctx                context.Context
		layer              int
		hook               string
		index              int
		prompts, positions [][]int
	}{
		{"an empty prompt", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{{}}, nil},
		{"a prompt longer than the context", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{long}, nil},
		{"a negative token", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{{-1}}, nil},
		{"a negative layer", t.Context(), -1, neuron.Hook, neuron.Index, [][]int{prompt}, nil},
		{"a layer out of range", t.Context(), 1 << 20, neuron.Hook, neuron.Index, [][]int{prompt}, nil},
		{"a negative neuron", t.Context(), neuron.Layer, neuron.Hook, -1, [][]int{prompt}, nil},
		{"a neuron out of range", t.Context(), neuron.Layer, neuron.Hook, 1 << 20, [][]int{prompt}, nil},
		{"an unknown hook", t.Context(), neuron.Layer, "hook_nowhere", neuron.Index, [][]int{prompt}, nil},
		{"a position behind the prompt", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{prompt}, [][]int{{len(prompt)}}},
		{"a negative position", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{prompt}, [][]int{{-1}}},
		{"fewer positions than prompts", t.Context(), neuron.Layer, neuron.Hook, neuron.Index, [][]int{prompt, prompt}, [][]int{nil}},
		{"a canceled context", canceled, neuron.Layer, neuron.Hook, neuron.Index, [][]int{prompt}, nil},
	} {
		if _, err := m.Activations(c.ctx, c.layer, c.hook, c.index, c.prompts, c.positions); err == nil {
			t.Errorf("%s: no error", c.what)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: an error of several lines: %v", c.what, err)
		}
	}
	if got, err := m.Activations(t.Context(), neuron.Layer, neuron.Hook, neuron.Index, nil, nil); err != nil || len(got) != 0 {
		t.Errorf("no prompts: %d answers, error %v", len(got), err)
	}
}
