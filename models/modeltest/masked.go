package modeltest

import (
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// MaskedModel is what package n2g asks of a masked model, in the same words.
type MaskedModel interface {
	Name() string
	MaskToken() string
	Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error)
}

// maskedDepth is how many substitutes of each mask the tests look at.
const maskedDepth = 40

// substitute is one entry of what a model answers.
type substitute struct {
	word        string
	probability float64
}

// TestMaskedModel is the contract of a masked model: every implementation, a fake in a test of a caller included, passes
// it. Each of texts holds the model's mask token at least once; a dozen of different lengths tell most.
func TestMaskedModel(t *testing.T, m MaskedModel, texts []string) {
	t.Helper()
	if m.Name() == "" {
		t.Error("the model has no name: an explanation could not say what made it")
	}
	mask := m.MaskToken()
	if strings.TrimSpace(mask) == "" {
		t.Fatalf("mask token %q: it must be visible in a text", mask)
	}
	var asked []string // each mask of each text
	var offsets []int
	for _, text := range texts {
		for at := 0; ; at++ {
			next := strings.Index(text[at:], mask)
			if next < 0 {
				break
			}
			at += next
			asked, offsets = append(asked, text), append(offsets, at)
		}
	}
	if len(asked) == 0 {
		t.Fatalf("no text holds %s", mask)
	}
	fill := func(t *testing.T, from, to int) [][]substitute {
		t.Helper()
		filled, err := m.Fill(t.Context(), asked[from:to], offsets[from:to])
		if err != nil {
			t.Fatalf("masks %d to %d: %v", from, to, err)
		}
		if len(filled) != to-from {
			t.Fatalf("%d answers to %d masks", len(filled), to-from)
		}
		return collect(filled)
	}

	t.Run("probabilities", func(t *testing.T) {
		for i, list := range fill(t, 0, len(asked)) {
			checkSubstitutes(t, asked[i], list)
		}
	})
	t.Run("any batch", func(t *testing.T) {
		together := fill(t, 0, len(asked))
		for i := range asked {
			if alone := fill(t, i, i+1)[0]; !slices.Equal(alone, together[i]) {
				t.Errorf("%q at %d: %v alone, %v among %d", asked[i], offsets[i], first(alone), first(together[i]), len(asked))
			}
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		want := fill(t, 0, len(asked))
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				filled, err := m.Fill(t.Context(), asked, offsets)
				if err != nil {
					t.Error(err)
					return
				}
				for i, got := range collect(filled) {
					if !slices.Equal(got, want[i]) {
						t.Errorf("%q at %d: %v, before that %v", asked[i], offsets[i], first(got), first(want[i]))
					}
				}
			})
		}
		wait.Wait()
	})
	t.Run("walked twice", func(t *testing.T) {
		filled, err := m.Fill(t.Context(), asked[:1], offsets[:1])
		if err != nil {
			t.Fatal(err)
		}
		if a, b := collect(filled)[0], collect(filled)[0]; !slices.Equal(a, b) {
			t.Errorf("%v, then %v", first(a), first(b))
		}
	})
	t.Run("bad input", func(t *testing.T) { testMaskedBadInput(t, m, asked[0], offsets[0]) })
}

// testMaskedBadInput checks that what cannot be answered is an error of one sentence.
func testMaskedBadInput(t *testing.T, m MaskedModel, text string, offset int) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		what    string
		ctx     context.Context
		texts   []string
		offsets []int
	}{
		{"more texts than offsets", t.Context(), []string{text, text}, []int{offset}},
		{"no mask", t.Context(), []string{"a text"}, []int{0}},
		{"the mask elsewhere", t.Context(), []string{text}, []int{offset + 1}},
		{"a negative offset", t.Context(), []string{text}, []int{-1}},
		{"an offset behind the text", t.Context(), []string{text}, []int{len(text) + 1}},
		{"a canceled context", canceled, []string{text}, []int{offset}},
	} {
		if _, err := m.Fill(c.ctx, c.texts, c.offsets); err == nil {
			t.Errorf("%s: no error", c.what)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: an error of several lines: %v", c.what, err)
		}
	}
	if filled, err := m.Fill(t.Context(), nil, nil); err != nil || len(filled) != 0 {
		t.Errorf("no texts: %d answers, %v", len(filled), err)
	}
}

// checkSubstitutes checks one answer: probabilities in descending order and of no more than 1 in all, each word once.
func checkSubstitutes(t *testing.T, text string, list []substitute) {
	t.Helper()
	if len(list) == 0 {
		t.Errorf("%q: no substitutes", text)
	}
	sum := 0.0
	seen := map[string]bool{}
	for i, s := range list {
		if math.IsNaN(s.probability) || s.probability < 0 || s.probability > 1 {
			t.Errorf("%q: %q has probability %g", text, s.word, s.probability)
		}
		if i > 0 && s.probability > list[i-1].probability {
			t.Errorf("%q: %q at %g stands behind %q at %g", text, s.word, s.probability, list[i-1].word, list[i-1].probability)
		}
		if seen[s.word] {
			t.Errorf("%q: %q comes twice", text, s.word)
		}
		seen[s.word] = true
		sum += s.probability
	}
	if sum > 1+1e-9 {
		t.Errorf("%q: probabilities add up to %g", text, sum)
	}
}

// collect takes the first substitutes of each mask.
func collect(filled []iter.Seq2[string, float64]) [][]substitute {
	lists := make([][]substitute, len(filled))
	for i, sequence := range filled {
		for word, p := range sequence {
			lists[i] = append(lists[i], substitute{word, p})
			if len(lists[i]) == maskedDepth {
				break
			}
		}
	}
	return lists
}

// first is the beginning of an answer, for a message.
func first(list []substitute) []substitute { return list[:min(3, len(list))] }
