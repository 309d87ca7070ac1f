package chart

import (
	"errors"
	"slices"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Layers draws how a value of neurons is distributed in each layer, as box plots after Tukey: the middle half in the
// box, the median in it, whiskers to the furthest value within one and a half boxes, dots beyond. value tells the value
// of a neuron, or false for one that has none. name is what the value is called.
func Layers(rows []store.Row, name string, value func(store.Row) (float64, bool)) (*Chart, error) {
	values := map[int][]float64{}
	for _, r := range rows {
		if v, ok := value(r); ok {
			values[r.Layer] = append(values[r.Layer], v)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("there is nothing to draw")
	}
	layers := layersOf(values)
	labels := make([]string, len(layers))
	low, high := values[layers[0]][0], values[layers[0]][0]
	for i, layer := range layers {
		slices.Sort(values[layer])
		labels[i] = strconv.Itoa(layer)
		low, high = min(low, values[layer][0]), max(high, values[layer][len(values[layer])-1])
	}
	room := (high - low) / 25
	if room == 0 {
		room = 1
	}
	c := &Chart{
		title: name + " by layer",
		x:     axis{name: "layer", low: -0.5, high: float64(len(layers)) - 0.5, ticks: names(labels)},
		y:     axis{name: name, low: low - room, high: high + room, ticks: rounds(low, high)},
		width: max(320, float64(len(layers))*72), height: 260,
	}
	for i, layer := range layers {
		c.marks = append(c.marks, func(a *area) { a.boxPlot(float64(i), values[layer], layerColor(i, 0.55)) })
	}
	return c, nil
}

// boxPlot draws ascending values over a place of the axis of things.
func (a *area) boxPlot(x float64, sorted []float64, fill scene.Paint) {
	const half = 0.22
	ink := scene.Solid(scene.Ink)
	q1, median, q3 := quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)
	reach := 1.5 * (q3 - q1)
	low, high := q1, q3
	for _, v := range sorted {
		switch {
		case v < q1-reach || v > q3+reach:
			a.dot(x, v, 1.5, scene.Solid(scene.Muted))
		default:
			low, high = min(low, v), max(high, v)
		}
	}
	a.line(x, low, x, q1, ink, 1)
	a.line(x, q3, x, high, ink, 1)
	a.line(x-half/2, low, x+half/2, low, ink, 1)
	a.line(x-half/2, high, x+half/2, high, ink, 1)
	a.bar(x-half, x+half, q1, q3, fill)
	a.line(x-half, median, x+half, median, ink, 2)
}
