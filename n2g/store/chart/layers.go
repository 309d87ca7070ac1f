package chart

import (
	"errors"
	"fmt"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Layers draws how a value of neurons is distributed in each layer, as box plots: the middle half in the box, the median in it.
// value tells the value of a neuron, or false for one that has none. name is what the value is called.
func Layers(rows []store.Row, name string, value func(store.Row) (float64, bool)) (*Chart, error) {
	values := map[int]plotter.Values{}
	for _, r := range rows {
		if v, ok := value(r); ok {
			values[r.Layer] = append(values[r.Layer], v)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("there is nothing to draw")
	}
	p := newPlot(name+" by layer", "layer", name)
	p.Add(plotter.NewGrid())
	layers := layersOf(values)
	names := make([]string, len(layers))
	for i, layer := range layers {
		box, err := plotter.NewBoxPlot(vg.Points(36), float64(i), values[layer])
		if err != nil {
			return nil, fmt.Errorf("drawing layers: %w", err)
		}
		shade := layerColor(i)
		shade.A = 0x90
		box.FillColor = shade
		box.MedianStyle.Width = vg.Points(2)
		box.GlyphStyle.Radius = vg.Points(1.5)
		p.Add(box)
		names[i] = strconv.Itoa(layer)
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.5, float64(len(layers))-0.5
	return &Chart{p, max(4*vg.Inch, vg.Length(len(layers))*vg.Inch+vg.Inch), 3.5 * vg.Inch}, nil
}
