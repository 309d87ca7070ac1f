package graphviz

import (
	"context"
	"fmt"
	"math"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// SVG draws a neuron graph as an SVG element that can stand in a page or alone, with a title for every node (the whole
// token and its numbers), no script, no link and no id.
func SVG(ctx context.Context, g *n2g.Graph, o Options) ([]byte, error) { return Of(g, o).SVG(ctx, o) }

// PNG draws a neuron graph at two dots a CSS pixel. The built-in font has Latin, Greek and Cyrillic letters; a graph
// with others (CJK, Hebrew, emoji …) is drawn by Chromium with the fonts of the machine where one is installed and
// o.NoBrowser is not set, else those characters appear as escapes such as \u{1f600}.
func PNG(ctx context.Context, g *n2g.Graph, o Options) ([]byte, error) { return Of(g, o).PNG(ctx, o) }

// SVG draws the diagram as [SVG] draws a neuron graph.
func (d Diagram) SVG(ctx context.Context, o Options) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []byte(d.layout(o, scene.Viewer{}).SVG(o.Theme.scene(), o.Inline)), nil
}

// mostPixels of a PNG; a larger graph is drawn smaller.
const mostPixels = 40e6

// PNG draws the diagram as [PNG] draws a neuron graph.
func (d Diagram) PNG(ctx context.Context, o Options) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := d.layout(o, scene.Viewer{})
	scale := min(2, math.Sqrt(mostPixels/(s.Width*s.Height)))
	picture, err := scene.PNG(ctx, func(f scene.Face) scene.Scene { return d.layout(o, f) },
		scene.PNGOptions{Theme: o.Theme.scene(), Scale: scale, NoBrowser: o.NoBrowser})
	if err != nil {
		return nil, fmt.Errorf("drawing the graph: %w", err)
	}
	return picture, nil
}

// Style returns the style sheet that graphs of theme Auto need on a page that holds them with [Options].Inline. All of
// its rules are within the class n2g-scene.
func Style() string { return scene.Style() }
