package chart

import (
	"errors"
	"slices"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Summary draws the firing tokens' mean F1 of each layer, with its standard deviation, for each predictor.
func Summary(rows []store.SummaryRow) (*Chart, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no scores to draw")
	}
	var layers []int
	for _, r := range rows {
		if !slices.Contains(layers, r.Layer) {
			layers = append(layers, r.Layer)
		}
	}
	labels := make([]string, len(layers))
	for i, layer := range layers {
		labels[i] = strconv.Itoa(layer)
	}
	c := &Chart{
		title: "How well graphs predict neurons",
		x:     axis{name: "layer", low: -0.5, high: float64(len(layers)) - 0.5, ticks: names(labels)},
		y:     axis{name: "F1 of firing tokens (mean, standard deviation)", low: 0, high: 1, ticks: shares()},
		width: max(480, float64(len(layers))*84), height: 280,
	}
	for i, predictor := range predictors() {
		c.keys = append(c.keys, key{string(predictor.name), predictor.fill})
		c.marks = append(c.marks, func(a *area) {
			const bar = 0.24
			for _, r := range rows {
				if r.Predictor != predictor.name {
					continue
				}
				f1 := r.Firing.F1
				x := float64(slices.Index(layers, r.Layer)) + float64(i-1)*bar
				a.bar(x-bar/2, x+bar/2, 0, f1.Mean, predictor.fill)
				low, high := max(0, f1.Mean-f1.Std), min(1, f1.Mean+f1.Std)
				ink := scene.Solid(scene.Ink)
				a.line(x, low, x, high, ink, 1)
				a.line(x-bar/6, low, x+bar/6, low, ink, 1)
				a.line(x-bar/6, high, x+bar/6, high, ink, 1)
			}
		})
	}
	return c, nil
}
