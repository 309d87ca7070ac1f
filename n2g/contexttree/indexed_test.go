package contexttree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// An index of a corpus gives what the corpus and the dense activations give.
func TestFromIndex(t *testing.T) {
	rule := func(text []string) float64 {
		if back(text, 0) == "c" && back(text, 1) == "d" {
			return 2
		}
		return float64(len(text)%3) / 8
	}
	w := newWorld(t, 100, 20, rule)
	x := w.index(t, index.Options{SampleEvery: 4, Keep: .01})
	windows := len(w.corpus.splits)
	c, err := CorpusOf(x, letter)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.symbols, w.corpus.symbols) || !slices.Equal(c.starts, w.corpus.starts) {
		t.Fatal("the corpus differs")
	}
	for number := range windows {
		if want := index.SplitOf(index.HashText(fmt.Sprint(number / 2 * 2))); c.splits[number] != want {
			t.Fatalf("window %d is in %v, not %v", number, c.splits[number], want)
		}
	}
	a, err := ActivationsOf(x, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range a.Positions {
		if float64(a.Values[i]) != w.dense[p] {
			t.Fatalf("position %d has %g, not %g", p, a.Values[i], w.dense[p])
		}
	}
	g, err := Learn(context.Background(), c, a, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.corpus.splits = c.splits // what the index decided
	w.corpus.sort()
	direct, err := Learn(context.Background(), w.corpus, w.activations(a.Level-1e-6, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if g.Root.Test == nil {
		t.Fatal("nothing was learned")
	}
	if diff := cmp.Diff(direct.Root.Test, g.Root.Test); diff != "" {
		t.Error(diff)
	}
	if _, err := ActivationsOf(x, 1); !errors.Is(err, ErrDead) {
		t.Error("a dead neuron:", err)
	}
}

// index is one of two neurons, the world's and a dead one, in documents of two windows.
func (w *world) index(t *testing.T, options index.Options) *index.Index {
	t.Helper()
	b := index.NewCorpusBuilder(index.Corpus{Name: "a test", Model: "by hand", Vocabulary: 30, BOS: 29, Window: 40},
		options)
	windows := len(w.corpus.splits)
	for number := range windows {
		if number%2 == 0 {
			if err := b.Begin(fmt.Sprint(number)); err != nil {
				t.Fatal(err)
			}
			b.Hash(fmt.Sprint(number))
		}
		ids := make([]int, 0, 40)
		for _, symbol := range w.corpus.symbols[w.corpus.starts[number]:w.corpus.starts[number+1]] {
			ids = append(ids, int(w.corpus.tokens[symbol][0]-'a'))
		}
		if err := b.Window(index.WindowIDs{IDs: ids, Start: -1}); err != nil {
			t.Fatal(err)
		}
		if number%2 == 1 {
			if err := b.End(); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := b.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	collector, err := index.NewCollector(text, []index.Site{{Layer: 0, Hook: "hook_mid", Neurons: 2}}, options)
	if err != nil {
		t.Fatal(err)
	}
	for number := range windows {
		values := make([]float32, 0, 80)
		for p := w.corpus.starts[number]; p < w.corpus.starts[number+1]; p++ {
			values = append(values, float32(w.dense[p]), -1)
		}
		if err := collector.Add(0, number, values); err != nil {
			t.Fatal(err)
		}
	}
	x, err := collector.Index()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Where firing tokens are missing and no window is sampled, as in little text, nothing is learned or compared.
func TestNoSample(t *testing.T) {
	w := newWorld(t, 200, 8, func(text []string) float64 {
		if back(text, 0) == "c" && back(text, 1) == "d" {
			return 2 - float64(len(text)%9)/10
		}
		return 0
	})
	full := w.index(t, index.Options{SampleEvery: 4, Keep: .2})
	little := w.index(t, index.Options{SampleEvery: 1 << 40, Keep: .001, Dense: .001})
	complete := func(x *Explainer) *n2g.Explanation {
		e := &n2g.Explanation{Site: n2g.Site{Hook: "hook_mid"}}
		if err := x.Complete(t.Context(), e, Asker{}); err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := complete(NewExplainer(little, letter, Options{})); e.Context != nil || len(e.Notes) != 1 {
		t.Errorf("learned: %q", e.Notes)
	}
	x := NewExplainer(full, letter, Options{})
	x.CompareOn("full", full)
	x.CompareOn("little", little)
	e := complete(x)
	others := map[string]bool{}
	for _, row := range e.Comparisons {
		others[row.Text] = true
	}
	if !others[OtherText("full")] || others[OtherText("little")] || len(e.Notes) != 1 {
		t.Errorf("compared on %v, notes %q", others, e.Notes)
	}
}
