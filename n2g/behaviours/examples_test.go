package behaviours_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/behaviours"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// The examples of an index are places where the neuron fires, each token in turn, and stand for all of them.
func TestOfIndex(t *testing.T) {
	m, x := behaviours.OpenTiny(t)
	for _, s := range []n2g.Site{{Layer: 1, Index: 427}, {Layer: 2, Index: 120}, {Layer: 0, Index: 17}} {
		number, err := x.Meta().Number(s.Layer, s.Hook, s.Index)
		if err != nil {
			t.Fatal(err)
		}
		stats, err := x.Stats(number)
		if err != nil {
			t.Fatal(err)
		}
		examples, err := behaviours.OfIndex(x, s, 12)
		if err != nil || len(examples) == 0 || len(examples) > 12 {
			t.Fatalf("%s: %d examples, %v", s.Name(), len(examples), err)
		}
		counts := map[int]int{}
		var prompts, positions [][]int
		seen := map[string]bool{}
		for _, e := range examples {
			counts[e.IDs[e.Position]]++
			prompts, positions = append(prompts, e.IDs), append(positions, []int{e.Position})
			if text := fmt.Sprint(e.IDs[max(0, e.Position-15) : e.Position+1]); seen[text] {
				t.Errorf("%s: a text comes twice", s.Name())
			} else {
				seen[text] = true
			}
			if e.Weight < 1 || len(e.Activations) != len(e.IDs) {
				t.Errorf("%s: weight %g, %d activations of %d tokens", s.Name(), e.Weight, len(e.Activations), len(e.IDs))
			}
		}
		values, err := m.Activations(t.Context(), s.Layer, s.Hook, s.Index, prompts, positions)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			share := float64(v[0]) / stats.Maximum()
			if got := examples[i].Activations[examples[i].Position]; share < 0.499 || share > got+1e-2 || share < got-1e-2 {
				t.Errorf("%s: example %d fires at %.3f of the maximum, and is said to at %.3f", s.Name(), i, share, got)
			}
		}
		most, fewest := 0, 1<<30
		for _, n := range counts {
			most, fewest = max(most, n), min(fewest, n)
		}
		if len(counts) > 1 && len(examples) == 12 && most > 12/len(counts)+1 && fewest < 12/len(counts) {
			// A token with few places may have fewer; then it has all of them.
			for id, n := range counts {
				for _, e := range examples {
					if e.IDs[e.Position] == id && n < 12/len(counts) && e.Weight != 1 {
						t.Errorf("%s: token %q has %d of 12 examples, each for %g places", s.Name(), m.TokenString(id), n, e.Weight)
					}
				}
			}
		}
	}
	if list, err := behaviours.OfIndex(x, n2g.Site{Layer: 1, Index: 427}, 0); err != nil || len(list) != 0 {
		t.Error(len(list), err)
	}
	if _, err := behaviours.OfIndex(x, n2g.Site{Layer: 9}, 3); err == nil {
		t.Error("a layer that is not there has examples")
	}
}

// Without an index the explanation's own texts serve, whether the model has a BOS or not.
func TestOfPrompts(t *testing.T) {
	m := n2gtest.NewModel(n2gtest.Rule{Token: " cat", Full: 2, Alone: 2})
	x := n2g.Examples{MaxActivation: 2}
	for i := range 8 {
		x.Prompts = append(x.Prompts, fmt.Sprintf("the%s big cat sat on a mat", strings.Repeat("n", i)))
	}
	for name, model := range map[string]n2g.LanguageModel{"BOS": m, "no BOS": noBOS{m}} {
		e, err := n2g.Explain(t.Context(), model, nil, x, n2g.Options{})
		if err != nil {
			t.Fatal(err)
		}
		examples, err := behaviours.OfPrompts(model, e, x.Prompts, 7)
		if err != nil || len(examples) != 7 {
			t.Fatalf("%s: %d examples, %v", name, len(examples), err)
		}
		for _, one := range examples {
			if m.TokenString(one.IDs[one.Position]) != " cat" || one.Activations[one.Position] != 1 {
				t.Errorf("%s: %+v", name, one)
			}
			if i := slices.Index(one.IDs, m.BOS()); i > 0 || i == 0 && name == "no BOS" {
				t.Errorf("%s: BOS stands at %d", name, i)
			}
		}
		if _, err := behaviours.OfPrompts(model, e, x.Prompts[:2], 7); err == nil {
			t.Errorf("%s: texts are missing, and nobody says so", name)
		}
	}
}

type noBOS struct{ *n2gtest.Model }

func (noBOS) BOS() int { return -1 }
