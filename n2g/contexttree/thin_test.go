package contexttree_test

import (
	"context"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// TestThinIndex: where an index leaves out tokens that fire, a context graph would take them for quiet ones, so none is
// learned; where it has them all, one is. The embedded index has both kinds of neurons.
func TestThinIndex(t *testing.T) {
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	explainer := contexttree.NewExplainer(x, func(int) string { return "" }, contexttree.Options{})
	m, seen := x.Meta(), map[bool]bool{}
	for number := range m.Neurons() {
		stats, err := x.Stats(number)
		if err != nil {
			t.Fatal(err)
		}
		thin := float64(stats.Level) > index.FireShare*stats.Maximum()
		if share := float64(stats.Firing) / float64(m.Counted); thin && share < m.Dense/10 {
			t.Errorf("neuron %d fires on %g of all tokens, and not all of these are in the index", number, share)
		}
		if seen[thin] {
			continue
		}
		seen[thin] = true
		neuron := m.Neuron(number)
		e := &n2g.Explanation{Site: n2g.Site{Layer: neuron.Layer, Hook: neuron.Hook, Index: neuron.Index}}
		if err := explainer.Complete(context.Background(), e, contexttree.Asker{}); err != nil {
			t.Fatal(err)
		}
		if noted := len(e.Notes) == 1 && strings.Contains(e.Notes[0], "no context graph"); noted != thin ||
			(e.Context == nil) != thin {
			t.Errorf("neuron %d, with firing tokens left out %v: notes %q, context graph %v", number, thin, e.Notes,
				e.Context != nil)
		}
	}
	if !seen[true] || !seen[false] {
		t.Errorf("the embedded index lacks a kind of neuron: %v", seen)
	}
}
