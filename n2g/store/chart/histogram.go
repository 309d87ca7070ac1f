package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// binsABar is how many bins of a histogram make a bar: a quarter of a doubling.
const binsABar = 4

// Histogram draws how a neuron's activations are distributed, both axes logarithmic. What reaches firing, half of its highest as
// the method has it, is in colour. Bars are a quarter of a doubling wide; the one in which firing lies counts as below.
func Histogram(title string, h *corpus.Histogram, firing float64) (*Chart, error) {
	if h == nil || len(h.Counts) == 0 {
		return nil, errors.New("there are no activations above 0 to draw")
	}
	bars := map[int]float64{}
	for i, n := range h.Counts {
		bars[(h.First+i)/binsABar] += float64(n)
	}
	first, last := h.First/binsABar, (h.First+len(h.Counts)-1)/binsABar
	below, above := plotter.Histogram{}, plotter.Histogram{}
	highest := 0.0
	for b := first; b <= last; b++ {
		low, high := corpus.HistogramEdge(b*binsABar), corpus.HistogramEdge((b+1)*binsABar)
		highest = max(highest, bars[b])
		into := &below
		if low >= firing {
			into = &above
		}
		into.Bins = append(into.Bins, plotter.HistogramBin{Min: math.Log2(low), Max: math.Log2(high), Weight: bars[b]})
	}
	p := newPlot(title, "activation", "tokens")
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades(highest)
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	for _, part := range []struct {
		name string
		bars *plotter.Histogram
		fill color.Color
	}{{"below", &below, color.Gray{Y: 0xb0}}, {"fires", &above, color.RGBA{R: 0xd5, G: 0x5e, A: 0xff}}} {
		if len(part.bars.Bins) == 0 {
			continue
		}
		part.bars.FillColor, part.bars.LogY = part.fill, true
		part.bars.LineStyle = plotter.DefaultLineStyle
		part.bars.LineStyle.Width, part.bars.LineStyle.Color = vg.Points(0.5), color.White
		p.Add(part.bars)
		p.Legend.Add(part.name, part.bars)
	}
	p.X.Tick.Marker = doublings(math.Log2(corpus.HistogramEdge(first*binsABar)), math.Log2(corpus.HistogramEdge((last+1)*binsABar)))
	p.Y.Min, p.Y.Max = 0.5, 2*highest
	return &Chart{p, 6 * vg.Inch, 3 * vg.Inch}, nil
}

// doublings are ticks at powers of two on an axis of base-2 logarithms, no more than about ten.
func doublings(low, high float64) plot.ConstantTicks {
	step := max(1, math.Ceil((high-low)/10))
	var ticks plot.ConstantTicks
	for at := math.Ceil(low); at <= high; at++ {
		tick := plot.Tick{Value: at}
		if math.Mod(at, step) == 0 {
			tick.Label = fmt.Sprintf("%.3g", math.Exp2(at))
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// decades are ticks at powers of ten.
func decades(high float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for at := 1.0; at <= 2*high; at *= 10 {
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprintf("%.0f", at)})
	}
	return ticks
}
