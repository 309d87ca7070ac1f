package graphviz

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"

	"github.com/goccy/go-graphviz"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// naturalSize is the CSS pixels a point of the layout takes where there is room: labels of 25 points are large in print
// and in the published figures, but not beside a page's own text.
const naturalSize = 0.6

// SVG draws the graph as an SVG element that can stand in a page or alone: as wide as there is room up to its natural
// size, with a title for every node (the whole token and its numbers), no script, no link and no id.
func SVG(ctx context.Context, g *n2g.Graph, o Options) ([]byte, error) {
	p, err := layout(ctx, g, o)
	if err != nil {
		return nil, err
	}
	return p.svg(o), nil
}

// layout asks Graphviz where everything goes.
func layout(ctx context.Context, g *n2g.Graph, o Options) (*picture, error) {
	svg, err := render(ctx, DOT(g, o), graphviz.SVG)
	if err != nil {
		return nil, err
	}
	return parsePicture(svg)
}

func (p *picture) svg(o Options) []byte {
	var b bytes.Buffer
	name := o.Title
	if name == "" {
		name = "neuron graph"
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="100%%" style="max-width:%.0fpx;height:auto" role="img" aria-label="%s" font-family="%s">`,
		short(p.width), short(p.height), p.width*naturalSize, attribute(name), family)
	b.WriteByte('\n')
	if ground := o.palette().ground; ground != "transparent" {
		fmt.Fprintf(&b, `<rect width="%s" height="%s" fill="%s"/>`+"\n", short(p.width), short(p.height), ground)
	}
	fmt.Fprintf(&b, `<g transform="translate(%s %s)">`+"\n", short(p.dx), short(p.dy))
	open := false
	for _, s := range p.shapes {
		if open && (s.first || !s.node) {
			b.WriteString("</g>\n")
			open = false
		}
		if s.first {
			open = true
			fmt.Fprintf(&b, "<g><title>%s</title>", attribute(s.title))
		}
		s.svg(&b)
		if !open {
			b.WriteByte('\n')
		}
	}
	if open {
		b.WriteString("</g>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

func (s *shape) svg(b *bytes.Buffer) {
	if s.path == nil {
		fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s" fill="%s"`, short(s.x), short(s.y), short(s.size), attribute(s.fill))
		if s.anchor == "middle" {
			b.WriteString(` text-anchor="middle"`)
		}
		if s.bold {
			b.WriteString(` font-weight="bold"`)
		}
		fmt.Fprintf(b, ">%s</text>", attribute(s.text))
		return
	}
	b.WriteString(`<path d="`)
	for _, segment := range s.path {
		b.WriteByte(segment.op)
		for i, point := range segment.points {
			if i > 0 && segment.op != 'C' {
				break
			}
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(b, "%s %s", short(point[0]), short(point[1]))
		}
	}
	if s.closed {
		b.WriteByte('Z')
	}
	fmt.Fprintf(b, `" fill="%s" stroke="%s"`, attribute(s.fill), attribute(s.stroke))
	if s.pen != 1 {
		fmt.Fprintf(b, ` stroke-width="%s"`, short(s.pen))
	}
	if s.dashed {
		b.WriteString(` stroke-dasharray="5 4"`)
	}
	b.WriteString("/>")
}

// short writes a coordinate; a hundredth of a point is finer than any screen.
func short(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

func attribute(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(text)) //nolint:errcheck // a bytes.Buffer never fails
	return b.String()
}
