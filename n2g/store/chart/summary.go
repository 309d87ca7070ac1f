package chart

import (
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

// bar is how wide a bar of the summary is.
const bar = vg.Length(12)

// Summary draws the firing tokens' mean F1 of each layer, with its standard deviation, for each predictor.
func Summary(rows []store.SummaryRow) (*Chart, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no scores to draw")
	}
	p := newPlot("How well graphs predict neurons", "layer", "F1 of firing tokens (mean, standard deviation)")
	p.Y.Min, p.Y.Max = 0, 1.25 // the legend stands above the bars
	p.Y.Tick.Marker = shares()
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
	return &Chart{p, width, 4 * vg.Inch}, nil
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
