// Package chart draws what runs and mining find: how well graphs predict, layer by layer and neuron by neuron, beside the
// baselines, and how a neuron's activations are distributed.
//
//	c, err := chart.Summary(rows)
//	...
//	svg, err := c.SVG()
//
// Every chart is drawn on its own, without a display or fonts of the machine, the same everywhere.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Chart is a drawing.
type Chart struct {
	plot          *plot.Plot
	width, height vg.Length
}

// SVG is the chart as a vector drawing.
func (c *Chart) SVG() ([]byte, error) { return c.render("svg") }

// PNG is the chart at 96 dots an inch.
func (c *Chart) PNG() ([]byte, error) { return c.render("png") }

func (c *Chart) render(format string) ([]byte, error) {
	out, err := c.plot.WriterTo(c.width, c.height, format)
	if err != nil {
		return nil, fmt.Errorf("drawing %q: %w", c.plot.Title.Text, err)
	}
	var b bytes.Buffer
	if _, err := out.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing %q: %w", c.plot.Title.Text, err)
	}
	return b.Bytes(), nil
}

// newPlot is an empty chart with a title and the names of its axes.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(low, high)
		for i := range ticks {
			if ticks[i].Label != "" {
				ticks[i].Label = strconv.FormatFloat(ticks[i].Value, 'g', 3, 64)
			}
		}
		return ticks
	})
	return p
}

// shares are the ticks of an axis from 0 to 1.
func shares() plot.ConstantTicks {
	return plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.25}, {Value: 0.5, Label: "0.5"}, {Value: 0.75}, {Value: 1, Label: "1"}}
}

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

// layerColor is the colour of a layer among others, from Okabe and Ito's palette, which people with colour blindness tell
// apart.
func layerColor(i int) color.NRGBA {
	palette := []color.NRGBA{
		{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, {R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, {R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
		{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, {R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, {R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	}
	return palette[i%len(palette)]
}
