package n2gtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// contractTexts are run by the contract tests; they share beginnings and differ in length.
var contractTexts = []string{
	"the cat sat on the mat",
	"the cat",
	"return the value of x",
	" a",
}

// tolerance is how far two answers for the same activation may lie apart, relative to the highest.
const tolerance = 1e-4

// TestLanguageModel checks what package n2g relies on: tokens that can be put together again, activations that depend
// on a prompt's earlier tokens only and not on what else is asked, in any order and at the same time, and errors in
// place of panics.
func TestLanguageModel(t *testing.T, model n2g.LanguageModel, site n2g.Site) {
	ctx := context.Background()
	if named, ok := model.(interface{ DefaultHook() string }); ok && site.Hook == "" {
		site.Hook = named.DefaultHook()
	}
	var prompts [][]int
	for _, text := range contractTexts {
		ids, err := n2g.Prompt(model, text)
		if err != nil {
			t.Fatalf("Prompt(%q): %v", text, err)
		}
		prompts = append(prompts, ids)
	}
	ask := func(prompts, positions [][]int) ([][]float32, error) {
		return model.Activations(ctx, site.Layer, site.Hook, site.Index, prompts, positions)
	}
	all, err := ask(prompts, nil)
	if err != nil {
		t.Fatalf("Activations: %v", err)
	}
	if len(all) != len(prompts) {
		t.Fatalf("Activations answered %d of %d prompts", len(all), len(prompts))
	}
	scale := 0.0
	for i, row := range all {
		if len(row) != len(prompts[i]) {
			t.Fatalf("nil positions: %d activations of %d tokens", len(row), len(prompts[i]))
		}
		for _, a := range row {
			scale = max(scale, math.Abs(float64(a)))
		}
	}
	same := func(t *testing.T, what string, got, want []float32) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: %d activations, want %d", what, len(got), len(want))
			return
		}
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > tolerance*scale {
				t.Errorf("%s: activation %d is %g, want %g", what, i, got[i], want[i])
			}
		}
	}

	t.Run("tokens", func(t *testing.T) { checkTokens(t, model) })
	t.Run("positions", func(t *testing.T) {
		last := len(prompts[0]) - 1
		got, err := ask([][]int{prompts[0], prompts[1], prompts[0]}, [][]int{{last, 1, last}, nil, {}})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "positions in any order", got[0], []float32{all[0][last], all[0][1], all[0][last]})
		same(t, "nil entry", got[1], all[1])
		same(t, "no positions", got[2], nil)
		if none, err := ask(nil, nil); err != nil || len(none) != 0 {
			t.Errorf("no prompts: %v, %v", none, err)
		}
	})
	t.Run("rows", func(t *testing.T) {
		if counter, ok := model.(n2g.RowCounter); ok {
			checkRows(t, counter, prompts)
		}
	})
	t.Run("alone", func(t *testing.T) {
		for i, prompt := range prompts {
			got, err := ask([][]int{prompt}, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "a prompt alone", got[0], all[i])
		}
	})
	t.Run("causal", func(t *testing.T) {
		for n := 1; n <= len(prompts[0]); n++ {
			got, err := ask([][]int{prompts[0][:n]}, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "beginning of a prompt", got[0], all[0][:n])
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 4 * len(prompts) {
			wg.Go(func() {
				got, err := ask([][]int{prompts[i%len(prompts)]}, nil)
				if err != nil {
					t.Error(err)
					return
				}
				same(t, "at the same time", got[0], all[i%len(prompts)])
			})
		}
		wg.Wait()
	})
	t.Run("errors", func(t *testing.T) {
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := model.Activations(cancelled, site.Layer, site.Hook, site.Index, prompts, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled context: %v", err)
		}
		one := prompts[:1]
		tooLong := slices.Repeat(prompts[0][1:2], model.ContextLength()+1)
		for name, call := range map[string]func() ([][]float32, error){
			"layer -1":        func() ([][]float32, error) { return model.Activations(ctx, -1, site.Hook, site.Index, one, nil) },
			"layer 1e6":       func() ([][]float32, error) { return model.Activations(ctx, 1e6, site.Hook, site.Index, one, nil) },
			"neuron -1":       func() ([][]float32, error) { return model.Activations(ctx, site.Layer, site.Hook, -1, one, nil) },
			"neuron 1e9":      func() ([][]float32, error) { return model.Activations(ctx, site.Layer, site.Hook, 1e9, one, nil) },
			"unknown hook":    func() ([][]float32, error) { return model.Activations(ctx, site.Layer, "hook_x", site.Index, one, nil) },
			"token -1":        func() ([][]float32, error) { return ask([][]int{{model.BOS(), -1}}, nil) },
			"empty prompt":    func() ([][]float32, error) { return ask([][]int{{}}, nil) },
			"too long":        func() ([][]float32, error) { return ask([][]int{tooLong}, nil) },
			"position 1e6":    func() ([][]float32, error) { return ask(one, [][]int{{1e6}}) },
			"position -1":     func() ([][]float32, error) { return ask(one, [][]int{{-1}}) },
			"fewer positions": func() ([][]float32, error) { return ask(prompts, [][]int{{0}}) },
		} {
			if _, err := call(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// checkRows wants as many rows each time, at most one a token, at least those up to the last position asked of the longest
// prompt, and none for nothing.
func checkRows(t *testing.T, model n2g.RowCounter, prompts [][]int) {
	tokens, longest := 0, 0
	for _, ids := range prompts {
		tokens += len(ids)
		longest = max(longest, len(ids))
	}
	rows := model.Rows(prompts, nil)
	if rows < longest || rows > tokens {
		t.Errorf("%d rows for %d tokens, the longest prompt having %d", rows, tokens, longest)
	}
	if again := model.Rows(prompts, nil); again != rows {
		t.Errorf("%d rows, then %d for the same prompts", rows, again)
	}
	if one := model.Rows(prompts[:1], [][]int{{1}}); one < 1 || one > len(prompts[0]) {
		t.Errorf("%d rows for the first token of a prompt of %d", one, len(prompts[0]))
	}
	if none := model.Rows(nil, nil); none != 0 {
		t.Errorf("%d rows for no prompts", none)
	}
}

func checkTokens(t *testing.T, model n2g.LanguageModel) {
	if model.Name() == "" {
		t.Error("the model has no name")
	}
	for _, text := range contractTexts {
		ids, err := model.Tokenize(text)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(ids, model.BOS()) {
			t.Errorf("Tokenize(%q) holds BOS", text)
		}
		if got := model.Decode(ids); got != text {
			t.Errorf("Decode(Tokenize(%q)) = %q", text, got)
		}
		var joined strings.Builder
		for _, id := range ids {
			joined.WriteString(model.TokenString(id))
		}
		if joined.String() != text {
			t.Errorf("token strings of %q make %q", text, joined.String())
		}
	}
	if model.TokenString(model.BOS()) == "" {
		t.Error("BOS has no text")
	}
}

// TestMaskedModel checks what package n2g relies on: for each mask the substitutes in descending probability, that can
// be walked again and left early, whatever else is asked, and errors in place of panics.
func TestMaskedModel(t *testing.T, model n2g.MaskedModel) {
	ctx := context.Background()
	mask := model.MaskToken()
	if model.Name() == "" || mask == "" {
		t.Fatalf("the model's name is %q and its mask token %q", model.Name(), mask)
	}
	texts := []string{"the " + mask + " is here", "the " + mask + " of " + mask, mask}
	offsets := []int{4, len("the " + mask + " of ") /* the second mask */, 0}
	filled, err := model.Fill(ctx, texts, offsets)
	if err != nil {
		t.Fatal(err)
	}
	if len(filled) != len(texts) {
		t.Fatalf("Fill answered %d of %d texts", len(filled), len(texts))
	}
	for i, text := range texts {
		before, sum, count := 1.0, 0.0, 0
		for word, p := range filled[i] {
			if p < 0 || p > before+1e-9 {
				t.Fatalf("%q: %q has the probability %g after %g", text, word, p, before)
			}
			before = p
			sum += p
			count++
		}
		if count == 0 || sum > 1.001 {
			t.Errorf("%q: %d substitutes of probability %g together", text, count, sum)
		}
		alone, err := model.Fill(ctx, texts[i:i+1], offsets[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		words, probabilities := first(filled[i], 5)
		ownWords, own := first(alone[0], 5)
		for k := range words {
			if math.Abs(probabilities[k]-own[k]) > tolerance {
				t.Errorf("%q: %q %g in a batch, %q %g alone", text, words[k], probabilities[k], ownWords[k], own[k])
			}
		}
	}
	if none, err := model.Fill(ctx, nil, nil); err != nil || len(none) != 0 {
		t.Errorf("no texts: %v, %v", none, err)
	}

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := model.Fill(ctx, texts[i%3:i%3+1], offsets[i%3:i%3+1]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := model.Fill(cancelled, texts, offsets); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled context: %v", err)
	}
	for name, wrong := range map[string]struct {
		texts   []string
		offsets []int
	}{
		"no mask there":   {texts[:1], []int{0}},
		"negative offset": {texts[:1], []int{-1}},
		"offset past end": {texts[:1], []int{1000}},
		"fewer offsets":   {texts, offsets[:1]},
	} {
		if _, err := model.Fill(ctx, wrong.texts, wrong.offsets); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// first are the n most probable substitutes.
func first(filled func(func(string, float64) bool), n int) (words []string, probabilities []float64) {
	for word, p := range filled {
		words, probabilities = append(words, word), append(probabilities, p)
		if len(words) == n {
			break
		}
	}
	return words, probabilities
}
