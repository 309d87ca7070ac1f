package chart

import (
	"errors"
	"fmt"
	"math"

	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// binsABar is how many bins of a histogram make a bar: a quarter of a doubling.
const binsABar = 4

// Histogram draws how a neuron's activations are distributed, both axes logarithmic. What reaches firing, half of its
// highest as the method has it, is in colour. Bars are a quarter of a doubling wide; the one in which firing lies
// counts as below.
func Histogram(title string, h *index.Histogram, firing float64) (*Chart, error) {
	if h == nil || len(h.Counts) == 0 {
		return nil, errors.New("there are no activations above 0 to draw")
	}
	bars := map[int]float64{}
	for i, n := range h.Counts {
		bars[(h.First+i)/binsABar] += float64(n)
	}
	first, last := h.First/binsABar, (h.First+len(h.Counts)-1)/binsABar
	highest := 1.0
	for _, n := range bars {
		highest = max(highest, n)
	}
	low, high := math.Log2(index.HistogramEdge(first*binsABar)), math.Log2(index.HistogramEdge((last+1)*binsABar))
	below := scene.Paint{Role: scene.Grey, Opacity: 0.45}
	c := &Chart{
		title: title,
		x:     axis{name: "activation", low: low, high: high, ticks: doublings(low, high)},
		y:     axis{name: "tokens", low: 0.5, high: 2 * highest, log: true, ticks: decades(highest)},
		width: 520, height: 200,
	}
	fires := false
	c.marks = append(c.marks, func(a *area) {
		for b := first; b <= last; b++ {
			if bars[b] == 0 {
				continue
			}
			from, to := index.HistogramEdge(b*binsABar), index.HistogramEdge((b+1)*binsABar)
			fill := below
			if from >= firing {
				fill = vermilion
			}
			x0, x1 := math.Log2(from), math.Log2(to)
			gap := (x1 - x0) * 0.06
			a.bar(x0+gap, x1-gap, 0.5, bars[b], fill)
		}
	})
	for b, n := range bars {
		fires = fires || n > 0 && index.HistogramEdge(b*binsABar) >= firing
	}
	c.keys = []key{{"below", below}}
	if fires {
		c.keys = append(c.keys, key{"fires", vermilion})
	}
	return c, nil
}

// doublings are ticks at powers of two on an axis of base-2 logarithms, no more than about ten.
func doublings(low, high float64) []tick {
	step := max(1, math.Ceil((high-low)/10))
	var ticks []tick
	for at := math.Ceil(low); at <= high; at++ {
		t := tick{at: at}
		if math.Mod(at, step) == 0 {
			t.label = fmt.Sprintf("%.3g", math.Exp2(at))
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// decades are ticks at powers of ten.
func decades(high float64) []tick {
	var ticks []tick
	for at := 1.0; at <= 2*high; at *= 10 {
		ticks = append(ticks, tick{at, fmt.Sprintf("%.0f", at)})
	}
	return ticks
}
