// Package chart draws the summary of a store: how well graphs predict neurons, layer by layer, beside the baselines.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// SVG draws the firing tokens' mean F1 of each layer, with its standard deviation, for each predictor.
func SVG(rows []store.SummaryRow) ([]byte, error) { return picture(rows, "svg") }

// PNG draws the same picture at 96 dots an inch.
func PNG(rows []store.SummaryRow) ([]byte, error) { return picture(rows, "png") }

// predictors in the order of their bars, with colours that people with colour blindness tell apart.
func predictors() []struct {
	name store.Predictor
	fill color.Color
} {
	return []struct {
		name store.Predictor
		fill color.Color
	}{
		{store.Graph, color.RGBA{R: 0xd5, G: 0x5e, A: 0xff}},
		{store.TokenLookup, color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}},
		{store.NGram, color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff}},
	}
}

// bar is how wide a bar is.
const bar = vg.Length(12)

func picture(rows []store.SummaryRow, format string) ([]byte, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no scores to draw")
	}
	p := plot.New()
	p.Title.Text = "How well graphs predict neurons"
	p.X.Label.Text = "layer"
	p.Y.Label.Text = "F1 of firing tokens (mean, standard deviation)"
	p.Y.Min, p.Y.Max = 0, 1.25 // the legend stands above the bars
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.25}, {Value: 0.5, Label: "0.5"}, {Value: 0.75}, {Value: 1, Label: "1"}}
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	var layers []int
	for _, r := range rows {
		if !slices.Contains(layers, r.Layer) {
			layers = append(layers, r.Layer)
		}
	}
	names := make([]string, len(layers))
	for i, layer := range layers {
		names[i] = strconv.Itoa(layer)
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.5, float64(len(layers))-0.5
	p.Add(plotter.NewGrid())
	for i, predictor := range predictors() {
		if err := addBars(p, rows, layers, predictor.name, predictor.fill, vg.Length(i-1)*bar); err != nil {
			return nil, err
		}
	}
	width := max(6*vg.Inch, vg.Length(len(layers))*5*bar+1.5*vg.Inch)
	out, err := p.WriterTo(width, 4*vg.Inch, format)
	if err != nil {
		return nil, fmt.Errorf("drawing the summary: %w", err)
	}
	var b bytes.Buffer
	if _, err := out.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing the summary: %w", err)
	}
	return b.Bytes(), nil
}

// deviations are the tops of bars, with how far each deviates within the scale.
type deviations struct {
	plotter.XYs
	plotter.YErrors
}

// addBars adds one predictor's bars, moved aside by offset.
func addBars(p *plot.Plot, rows []store.SummaryRow, layers []int, name store.Predictor, fill color.Color, offset vg.Length) error {
	heights := make(plotter.Values, len(layers))
	d := deviations{make(plotter.XYs, len(layers)), make(plotter.YErrors, len(layers))}
	for _, r := range rows {
		if r.Predictor == name {
			i := slices.Index(layers, r.Layer)
			f1 := r.Firing.F1
			heights[i] = f1.Mean
			d.XYs[i] = plotter.XY{X: float64(i), Y: f1.Mean}
			d.YErrors[i].Low, d.YErrors[i].High = min(f1.Std, f1.Mean), min(f1.Std, 1-f1.Mean)
		}
	}
	bars, err := plotter.NewBarChart(heights, bar)
	if err != nil {
		return fmt.Errorf("drawing the summary: %w", err)
	}
	bars.Color, bars.Offset, bars.LineStyle.Width = fill, offset, 0
	errs, err := plotter.NewYErrorBars(d)
	if err != nil {
		return fmt.Errorf("drawing the summary: %w", err)
	}
	p.Add(bars, shifted{errs, offset})
	p.Legend.Add(string(name), bars)
	return nil
}
