package chart

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Against draws a point for each neuron with a firing test token: the F1 of a baseline to the right, that of its graph
// upwards. Above the diagonal the graph is better. Points are moved by up to a hundredth, since many neurons have the
// same simple fraction; the same rows are always drawn alike.
func Against(rows []store.Row, baseline store.Predictor) (*Chart, error) {
	of := func(r store.Row) *n2g.Scores { return r.TokenLookup }
	switch baseline {
	case store.TokenLookup:
	case store.NGram:
		of = func(r store.Row) *n2g.Scores { return r.NGram }
	default:
		return nil, fmt.Errorf("%q is no baseline: name %q or %q", baseline, store.TokenLookup, store.NGram)
	}
	points := map[int][][2]float64{}
	random := rand.New(rand.NewPCG(1, 1))
	near := func(f1 float64) float64 { return f1 + (random.Float64()-0.5)/50 }
	for _, r := range rows {
		if b := of(r); b != nil && r.Scores != nil && r.Scores.Firing.Support > 0 {
			points[r.Layer] = append(points[r.Layer], [2]float64{near(b.Firing.F1), near(r.Scores.Firing.F1)})
		}
	}
	if len(points) == 0 {
		return nil, errors.New("there are no scores to draw")
	}
	c := &Chart{
		title: fmt.Sprintf("Graph against %s, F1 of each neuron", baseline),
		x:     axis{name: string(baseline), low: -0.02, high: 1.02, ticks: shares()},
		y:     axis{name: "neuron graph", low: -0.02, high: 1.02, ticks: shares()},
		width: 420, height: 420,
	}
	c.marks = append(c.marks, func(a *area) { a.line(0, 0, 1, 1, scene.Solid(scene.Muted), 1) })
	for i, layer := range layersOf(points) {
		fill := layerColor(i, 0.65)
		c.keys = append(c.keys, key{fmt.Sprintf("layer %d", layer), fill})
		c.marks = append(c.marks, func(a *area) {
			for _, p := range points[layer] {
				a.dot(p[0], p[1], 2.5, fill)
			}
		})
	}
	return c, nil
}
