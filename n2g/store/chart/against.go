package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Against draws a point for each neuron with a firing test token: the F1 of a baseline to the right, that of its graph upwards. Above the
// diagonal the graph is better. Points are moved by up to a hundredth, since many neurons have the same simple fraction; the
// same rows are always drawn alike.
func Against(rows []store.Row, baseline store.Predictor) (*Chart, error) {
	of := func(r store.Row) *n2g.Scores { return r.TokenLookup }
	switch baseline {
	case store.TokenLookup:
	case store.NGram:
		of = func(r store.Row) *n2g.Scores { return r.NGram }
	default:
		return nil, fmt.Errorf("%q is no baseline: name %q or %q", baseline, store.TokenLookup, store.NGram)
	}
	points := map[int]plotter.XYs{}
	random := rand.New(rand.NewPCG(1, 1))
	near := func(f1 float64) float64 { return f1 + (random.Float64()-0.5)/50 }
	for _, r := range rows {
		if b := of(r); b != nil && r.Scores != nil && r.Scores.Firing.Support > 0 {
			points[r.Layer] = append(points[r.Layer], plotter.XY{X: near(b.Firing.F1), Y: near(r.Scores.Firing.F1)})
		}
	}
	if len(points) == 0 {
		return nil, errors.New("there are no scores to draw")
	}
	p := newPlot(fmt.Sprintf("Graph against %s, F1 of each neuron", baseline), string(baseline), "neuron graph")
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.02, 1.25, -0.02, 1.02 // the legend stands to the right of the points
	p.X.Tick.Marker, p.Y.Tick.Marker = shares(), shares()
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	diagonal, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	if err != nil {
		return nil, fmt.Errorf("drawing a comparison: %w", err)
	}
	diagonal.Color = color.Gray{Y: 0xaa}
	p.Add(diagonal)
	for i, layer := range layersOf(points) {
		dots, err := plotter.NewScatter(points[layer])
		if err != nil {
			return nil, fmt.Errorf("drawing a comparison: %w", err)
		}
		shade := layerColor(i)
		shade.A = 0xa0
		dots.GlyphStyle = draw.GlyphStyle{Color: shade, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
		p.Add(dots)
		p.Legend.Add(fmt.Sprintf("layer %d", layer), dots)
	}
	return &Chart{p, 5.75 * vg.Inch, 5 * vg.Inch}, nil
}

// layersOf are the keys of a map by layer, ascending.
func layersOf[V any](byLayer map[int]V) []int {
	layers := make([]int, 0, len(byLayer))
	for layer := range byLayer {
		layers = append(layers, layer)
	}
	slices.Sort(layers)
	return layers
}
