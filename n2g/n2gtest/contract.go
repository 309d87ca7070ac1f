package n2gtest

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

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
//
// It runs a few texts of its own and those given, which are not empty and shorter than the model's context: a dozen of
// different lengths tell most.
func TestLanguageModel(t *testing.T, model n2g.LanguageModel, site n2g.Site, texts ...string) {
	ctx := context.Background()
	if model.ContextLength() < 2 {
		t.Fatalf("context of %d tokens: BOS and one more must fit", model.ContextLength())
	}
	texts = slices.Concat(contractTexts, texts)
	if named, ok := model.(interface{ DefaultHook() string }); ok && site.Hook == "" {
		site.Hook = named.DefaultHook()
	}
	var prompts [][]int
	for _, text := range texts {
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
		for p, a := range row {
			if math.IsNaN(float64(a)) || math.IsInf(float64(a), 0) {
				t.Fatalf("%q, position %d: activation %g", texts[i], p, a)
			}
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

	t.Run("tokens", func(t *testing.T) { checkTokens(t, model, texts) })
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
	t.Run("prefixes and masks", func(t *testing.T) {
		// As the method asks: a prompt, its beginnings and its masked variants at once.
		for i, ids := range prompts {
			var variants [][]int
			for p := range ids {
				variant := slices.Clone(ids)
				variant[p] = model.MaskID()
				variants = append(variants, variant, ids[:p+1])
			}
			together, err := ask(variants, nil)
			if err != nil {
				t.Fatal(err)
			}
			for p := range ids {
				same(t, "before a masked token", together[2*p][:p], all[i][:p])
				same(t, "before the end of a prompt", together[2*p+1], all[i][:p+1])
			}
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
		if _, err := model.Activations(cancelled, site.Layer, site.Hook,
			site.Index, prompts, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled context: %v", err)
		}
		one := prompts[:1]
		tooLong := slices.Repeat(prompts[0][1:2], model.ContextLength()+1)
		for name, call := range map[string]func() ([][]float32, error){
			"layer -1": func() ([][]float32, error) {
				return model.Activations(ctx, -1, site.Hook, site.Index, one, nil)
			},
			"layer 1e6": func() ([][]float32, error) {
				return model.Activations(ctx, 1e6, site.Hook, site.Index, one, nil)
			},
			"neuron -1": func() ([][]float32, error) {
				return model.Activations(ctx, site.Layer, site.Hook, -1, one, nil)
			},
			"neuron 1e9": func() ([][]float32, error) {
				return model.Activations(ctx, site.Layer, site.Hook, 1e9, one, nil)
			},
			"unknown hook": func() ([][]float32, error) {
				return model.Activations(ctx, site.Layer, "hook_x", site.Index, one, nil)
			},
			"token -1":        func() ([][]float32, error) { return ask([][]int{{model.BOS(), -1}}, nil) },
			"empty prompt":    func() ([][]float32, error) { return ask([][]int{{}}, nil) },
			"too long":        func() ([][]float32, error) { return ask([][]int{tooLong}, nil) },
			"position 1e6":    func() ([][]float32, error) { return ask(one, [][]int{{1e6}}) },
			"position -1":     func() ([][]float32, error) { return ask(one, [][]int{{-1}}) },
			"fewer positions": func() ([][]float32, error) { return ask(prompts, [][]int{{0}}) },
		} {
			checkError(t, name, func() error { _, err := call(); return err }())
		}
	})
}

// checkRows wants as many rows each time, at most one a token, at least those up to the last position asked of the
// longest prompt, and none for nothing.
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

// checkError wants an error of one line.
func checkError(t *testing.T, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("%s: an error of several lines: %v", what, err)
	}
}

func checkTokens(t *testing.T, model n2g.LanguageModel, texts []string) {
	if model.Name() == "" {
		t.Error("the model has no name")
	}
	for _, text := range texts {
		ids, err := model.Tokenize(text)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(ids, model.BOS()) {
			t.Errorf("Tokenize(%q) holds BOS", text)
		}
		decoded := model.Decode(ids)
		if decoded != text && utf8.ValidString(text) {
			t.Errorf("Decode(Tokenize(%q)) = %q", text, decoded)
		}
		var joined strings.Builder
		for _, id := range ids {
			joined.WriteString(model.TokenString(id))
		}
		// A token alone may be a part of a character.
		if !strings.ContainsRune(joined.String(), utf8.RuneError) && joined.String() != decoded {
			t.Errorf("token strings of %q make %q", text, joined.String())
		}
	}
	if model.TokenString(model.BOS()) == "" {
		t.Error("BOS has no text")
	}
}

// TestMaskedModel checks what package n2g relies on: for each mask the substitutes in descending probability, each
// once, that can be walked again and left early, whatever else is asked, and errors in place of panics.
//
// It runs a few texts of its own and those given, each of which holds the model's mask token: a dozen of different
// lengths tell most.
func TestMaskedModel(t *testing.T, model n2g.MaskedModel, texts ...string) {
	ctx := context.Background()
	mask := model.MaskToken()
	if model.Name() == "" || strings.TrimSpace(mask) == "" {
		t.Fatalf("the model's name is %q and its mask token %q", model.Name(), mask)
	}
	var asked []string // each mask of each text
	var offsets []int
	for _, text := range slices.Concat([]string{"the " + mask + " is here", "the " + mask + " of " + mask, mask}, texts) {
		for at := strings.Index(text, mask); at >= 0; {
			asked, offsets = append(asked, text), append(offsets, at)
			next := strings.Index(text[at+len(mask):], mask)
			if next < 0 {
				break
			}
			at += len(mask) + next
		}
	}
	filled, err := model.Fill(ctx, asked, offsets)
	if err != nil {
		t.Fatal(err)
	}
	if len(filled) != len(asked) {
		t.Fatalf("Fill answered %d of %d masks", len(filled), len(asked))
	}
	same := func(t *testing.T, what string, i int, got iter.Seq2[string, float64]) {
		t.Helper()
		const depth = 5
		words, probabilities := first(filled[i], depth)
		otherWords, others := first(got, depth)
		for k := range words {
			if k >= len(others) || math.Abs(probabilities[k]-others[k]) > tolerance {
				t.Errorf("%q: %s, %q %v, among others %q %v", asked[i], what, otherWords, others, words, probabilities)
				return
			}
		}
	}

	t.Run("substitutes", func(t *testing.T) {
		for i := range asked {
			checkSubstitutes(t, asked[i], filled[i])
			same(t, "walked again", i, filled[i])
		}
	})
	t.Run("alone", func(t *testing.T) {
		for i := range asked {
			alone, err := model.Fill(ctx, asked[i:i+1], offsets[i:i+1])
			if err != nil {
				t.Fatal(err)
			}
			same(t, "alone", i, alone[0])
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		var wg sync.WaitGroup
		for caller := range 8 {
			wg.Go(func() {
				from := caller % len(asked)
				got, err := model.Fill(ctx, asked[from:], offsets[from:])
				if err != nil {
					t.Error(err)
					return
				}
				for i := range got {
					same(t, "at the same time", from+i, got[i])
				}
			})
		}
		wg.Wait()
	})
	t.Run("errors", func(t *testing.T) {
		if none, err := model.Fill(ctx, nil, nil); err != nil || len(none) != 0 {
			t.Errorf("no texts: %v, %v", none, err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := model.Fill(cancelled, asked, offsets); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled context: %v", err)
		}
		one := asked[:1]
		for name, wrong := range map[string]struct {
			texts   []string
			offsets []int
		}{
			"no mask there":   {one, []int{0}},
			"a mask before":   {one, []int{offsets[0] + 1}},
			"negative offset": {one, []int{-1}},
			"offset past end": {one, []int{len(one[0]) + 1}},
			"fewer offsets":   {asked, offsets[:1]},
		} {
			_, err := model.Fill(ctx, wrong.texts, wrong.offsets)
			checkError(t, name, err)
		}
	})
}

// checkSubstitutes checks one answer: probabilities in descending order and of no more than 1 in all, each word once.
func checkSubstitutes(t *testing.T, text string, filled iter.Seq2[string, float64]) {
	t.Helper()
	before, sum := 1.0, 0.0
	seen := map[string]bool{}
	for word, p := range filled {
		switch {
		case math.IsNaN(p) || p < 0 || p > before+1e-9:
			t.Fatalf("%q: %q has the probability %g after %g", text, word, p, before)
		case seen[word]:
			t.Errorf("%q: %q comes twice", text, word)
		}
		before = p
		sum += p
		seen[word] = true
	}
	if len(seen) == 0 || sum > 1.001 {
		t.Errorf("%q: %d substitutes of probability %g together", text, len(seen), sum)
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
