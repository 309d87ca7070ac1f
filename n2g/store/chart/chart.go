// Package chart draws what runs and mining find: how well graphs predict, layer by layer and neuron by neuron, beside
// the baselines, and how a neuron's activations are distributed.
//
//	c, err := chart.Summary(rows)
//	...
//	svg, err := c.SVG()
//
// Every chart is drawn on its own, without a display or fonts of the machine, the same everywhere, in the colours and
// fonts of heat maps and graphs.
package chart

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Chart is a drawing.
type Chart struct {
	title         string
	x, y          axis
	width, height float64 // of the area of the plot, in CSS pixels
	marks         []func(*area)
	keys          []key
}

// axis is a direction of a chart.
type axis struct {
	name      string
	low, high float64
	ticks     []tick
	log       bool // to base 10
}

// tick is a place on an axis; without a label it is a minor one.
type tick struct {
	at    float64
	label string
}

// key is an entry of the legend.
type key struct {
	name string
	fill scene.Paint
}

// share is where a value lies on the axis, 0 to 1.
func (a axis) share(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(max(v, math.SmallestNonzeroFloat64))
	}
	return max(0, min(1, (v-low)/(high-low)))
}

// SVG is the chart as a vector drawing that follows the reader's theme.
func (c *Chart) SVG() ([]byte, error) {
	return []byte(c.layout(scene.Viewer{}).SVG(scene.Auto, false)), nil
}

// Inline is the chart for a page whose style sheet holds that of package graphviz.
func (c *Chart) Inline() string { return c.layout(scene.Viewer{}).SVG(scene.Auto, true) }

// PNG is the chart at two dots a CSS pixel.
func (c *Chart) PNG() ([]byte, error) {
	picture, err := scene.PNG(context.Background(), c.layout, scene.PNGOptions{NoBrowser: true})
	if err != nil {
		return nil, fmt.Errorf("drawing %q: %w", c.title, err)
	}
	return picture, nil
}

// area is the inside of a chart while it is drawn.
type area struct {
	chart *Chart
	scene *scene.Scene
	face  scene.Face
	left  float64
	top   float64
}

func (a *area) x(v float64) float64 { return a.left + a.chart.x.share(v)*a.chart.width }
func (a *area) y(v float64) float64 { return a.top + (1-a.chart.y.share(v))*a.chart.height }

// bar draws an upright box between two values of each axis.
func (a *area) bar(x0, x1, y0, y1 float64, fill scene.Paint) {
	left, right, top, bottom := a.x(x0), a.x(x1), a.y(y1), a.y(y0)
	a.scene.Add(scene.Rect{X: left, Y: top, W: max(0, right-left), H: max(0, bottom-top), Fill: fill})
}

// line draws a straight line between two points.
func (a *area) line(x0, y0, x1, y1 float64, stroke scene.Paint, pen float64) {
	a.scene.Add(scene.Path{Points: []scene.Point{{X: a.x(x0), Y: a.y(y0)}, {X: a.x(x1), Y: a.y(y1)}}, Stroke: stroke,
		Pen: pen})
}

// dot draws a disc.
func (a *area) dot(x, y, radius float64, fill scene.Paint) {
	a.scene.Add(scene.Rect{X: a.x(x) - radius, Y: a.y(y) - radius, W: 2 * radius, H: 2 * radius, Radius: radius,
		Fill: fill})
}

const margin = 16

func (c *Chart) layout(f scene.Face) scene.Scene {
	s := scene.Scene{Title: scene.Label(c.title)}
	ink, muted, line := scene.Solid(scene.Ink), scene.Solid(scene.Muted), scene.Solid(scene.Line)
	wide := 0.0
	for _, t := range c.y.ticks {
		wide = max(wide, f.Width(t.label, scene.LabelSize))
	}
	a := &area{chart: c, scene: &s, face: f, left: margin + wide + 10, top: margin + 28}
	s.Width = math.Ceil(a.left + c.width + margin)
	title := f.Show(scene.Label(c.title))
	s.Add(scene.Text{X: margin, Y: margin + 12, Text: title, Size: scene.TitleSize, Bold: true, Fill: ink})
	s.Width = math.Ceil(max(s.Width, 1.15*f.Width(title, scene.TitleSize)+2*margin))
	legend := scene.NewKey(f, margin, s.Width-2*margin, a.top+4)
	for _, k := range c.keys {
		legend.Swatch(scene.Rect{Fill: k.fill}, f.Show(scene.Label(k.name)))
	}
	s.Add(legend.Shapes...)
	if len(c.keys) > 0 {
		a.top = legend.Y + 14
	}
	// The upright axis is named above it, where its name is read without turning the head.
	s.Add(scene.Text{X: margin, Y: a.top + 8, Text: f.Show(scene.Label(c.y.name)), Size: scene.LabelSize, Fill: muted})
	a.top += 20
	bottom, right := a.top+c.height, a.left+c.width
	for _, t := range c.y.ticks {
		y := a.y(t.at)
		if t.label == "" {
			s.Add(scene.Path{Points: []scene.Point{{X: a.left - 3, Y: y}, {X: a.left, Y: y}}, Stroke: muted})
			continue
		}
		s.Add(scene.Path{Points: []scene.Point{{X: a.left - 4, Y: y}, {X: right, Y: y}}, Stroke: line},
			scene.Text{X: a.left - 8, Y: y + 4, Text: t.label, Size: scene.LabelSize, End: true, Fill: muted})
	}
	for _, mark := range c.marks {
		mark(a)
	}
	s.Add(scene.Path{Points: []scene.Point{{X: a.left, Y: a.top}, {X: a.left, Y: bottom}, {X: right, Y: bottom}},
		Stroke: muted})
	for _, t := range c.x.ticks {
		x := a.x(t.at)
		s.Add(scene.Path{Points: []scene.Point{{X: x, Y: bottom}, {X: x, Y: bottom + 4}}, Stroke: muted})
		if t.label != "" {
			s.Add(scene.Text{X: x, Y: bottom + 16, Text: t.label, Size: scene.LabelSize, Middle: true, Fill: muted})
		}
	}
	s.Add(scene.Text{X: a.left + c.width/2, Y: bottom + 34, Text: f.Show(scene.Label(c.x.name)), Size: scene.LabelSize,
		Middle: true, Fill: muted})
	s.Height = math.Ceil(bottom + 34 + margin)
	return s
}

// shares are the ticks of an axis from 0 to 1.
func shares() []tick {
	return []tick{{0, "0"}, {0.25, ""}, {0.5, "0.5"}, {0.75, ""}, {1, "1"}}
}

// rounds are ticks at round numbers, about five.
func rounds(low, high float64) []tick {
	if !(high > low) {
		return []tick{{low, strconv.FormatFloat(low, 'g', 3, 64)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/5)))
	for _, times := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*times) <= 6 {
			step *= times
			break
		}
	}
	var ticks []tick
	for k := math.Ceil(low / step); k*step <= high+step/1e6; k++ {
		ticks = append(ticks, tick{k * step, strconv.FormatFloat(k*step, 'g', 4, 64)})
	}
	return ticks
}

// names are ticks at 0, 1, 2 …, an axis of things.
func names(list []string) []tick {
	ticks := make([]tick, len(list))
	for i, name := range list {
		ticks[i] = tick{float64(i), name}
	}
	return ticks
}

// predictors in the order of their bars, with colours that people with colour blindness tell apart.
func predictors() []struct {
	name store.Predictor
	fill scene.Paint
} {
	return []struct {
		name store.Predictor
		fill scene.Paint
	}{
		{store.Graph, vermilion},
		{store.TokenLookup, scene.FixedColor(scene.RGB{0x56, 0xb4, 0xe9}, 1)},
		{store.NGram, scene.FixedColor(scene.RGB{0x99, 0x99, 0x99}, 1)},
	}
}

// vermilion is the colour of what a chart is about.
var vermilion = scene.FixedColor(scene.RGB{0xd5, 0x5e, 0x00}, 1)

// layerColor is the colour of a layer among others, from Okabe and Ito's palette, which people with colour blindness
// tell apart.
func layerColor(i int, opacity float64) scene.Paint {
	palette := []scene.RGB{{0x00, 0x72, 0xb2}, {0xe6, 0x9f, 0x00}, {0x00, 0x9e, 0x73}, {0xcc, 0x79, 0xa7},
		{0xd5, 0x5e, 0x00}, {0x56, 0xb4, 0xe9}}
	return scene.FixedColor(palette[i%len(palette)], opacity)
}

// quantile is the value below which a share of ascending values lies, between the two nearest by proportion.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
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
