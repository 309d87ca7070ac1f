package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// shifted draws error bars moved aside by a length, as bar charts move their bars.
type shifted struct {
	*plotter.YErrorBars
	offset vg.Length
}

// Plot draws the error bars.
func (s shifted) Plot(c draw.Canvas, p *plot.Plot) {
	c.Min.X += s.offset
	c.Max.X += s.offset
	s.YErrorBars.Plot(c, p)
}
