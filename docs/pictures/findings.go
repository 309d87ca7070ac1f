package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// finding is a neuron that docs/findings.md shows.
type finding struct {
	name          string // of its pictures
	layer, neuron int
}

func findings() []finding {
	return []finding{
		{"range", 2, 114},
		{"make", 2, 168},
		{"function", 1, 188},
	}
}

// finding draws a neuron's graph, and what neuron and graph say of a text that the graph was not made from.
func (a *artist) finding(ctx context.Context, f finding) error {
	e, err := a.explain(ctx, f.layer, f.neuron, 0, n2g.Options{})
	if err != nil {
		return err
	}
	if err := a.graph(ctx, f.name+"-graph.png", e); err != nil {
		return err
	}
	if len(e.Tests) == 0 {
		return errors.New("no example is left to test with")
	}
	strongest := slices.MaxFunc(e.Tests, func(a, b n2g.Test) int { return cmp.Compare(peak(a), peak(b)) })
	figure := heatmap.FromTest(around(strongest), *e.Options.Resolved().FireThreshold)
	figure.Title = fmt.Sprintf("%s, layer %d neuron %d, on a test text", e.Model, f.layer, f.neuron)
	return a.text(ctx, f.name+"-text.png", figure)
}

// peak is the highest activation of a test text, BOS left out.
func peak(t n2g.Test) float64 { return slices.Max(t.Activations[1:]) }

// around cuts a test text to some tokens about its peak, BOS left out.
func around(t n2g.Test) n2g.Test {
	const before, after = 28, 12
	at := slices.Index(t.Activations, peak(t))
	from, to := max(1, at-before), min(len(t.Tokens), at+after)
	t.Tokens, t.Activations, t.Predictions = t.Tokens[from:to], t.Activations[from:to], t.Predictions[from:to]
	return t
}
