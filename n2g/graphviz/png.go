package graphviz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"strings"

	"github.com/fogleman/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// mostPixels of a PNG; a larger graph is drawn smaller.
const mostPixels = 40e6

// PNG draws the graph at a pixel a point (labels 25 pixels high). The built-in font has Latin, Greek and Cyrillic letters;
// a graph with others (CJK, Hebrew, emoji …) is drawn by Chromium with the fonts of the machine where one is
// installed and o.NoBrowser is not set, else those characters appear as escapes such as \u{1f600}.
func PNG(ctx context.Context, g *n2g.Graph, o Options) ([]byte, error) {
	if o.Theme == Auto {
		o.Theme = Light // a PNG has no reader's setting to follow
	}
	p, err := layout(ctx, g, o)
	if err != nil {
		return nil, err
	}
	faces, err := newFaces()
	if err != nil {
		return nil, err
	}
	scale := min(1, math.Sqrt(mostPixels/(p.width*p.height)))
	if !o.NoBrowser && !faces.cover(p) {
		picture, err := p.browse(ctx, o, scale)
		if !errors.Is(err, chromium.ErrMissing) {
			return picture, err
		}
	}
	return p.png(faces, o, scale)
}

// browse lets Chromium draw.
func (p *picture) browse(ctx context.Context, o Options, scale float64) ([]byte, error) {
	width, height := int(math.Ceil(p.width*naturalSize)), int(math.Ceil(p.height*naturalSize))
	page := fmt.Sprintf(`<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;background:%s}svg{display:block}</style>%s`,
		o.palette().ground, p.svg(o))
	return chromium.Screenshot(ctx, []byte(page), width, height, scale/naturalSize)
}

func (p *picture) png(faces *faces, o Options, scale float64) ([]byte, error) {
	c := gg.NewContext(int(math.Ceil(p.width*scale)), int(math.Ceil(p.height*scale)))
	c.SetColor(parseColor(o.palette().ground))
	c.Clear()
	c.Scale(scale, scale)
	c.Translate(p.dx, p.dy)
	for i := range p.shapes {
		s := &p.shapes[i]
		if s.path != nil {
			s.paint(c, scale)
		} else if err := faces.write(c, s, scale); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := c.EncodePNG(&b); err != nil {
		return nil, fmt.Errorf("encoding the graph as PNG: %w", err)
	}
	return b.Bytes(), nil
}

func (s *shape) paint(c *gg.Context, scale float64) {
	for _, segment := range s.path {
		p := segment.points
		switch segment.op {
		case 'M':
			c.MoveTo(p[0][0], p[0][1])
		case 'L':
			c.LineTo(p[0][0], p[0][1])
		case 'C':
			c.CubicTo(p[0][0], p[0][1], p[1][0], p[1][1], p[2][0], p[2][1])
		}
	}
	if s.closed {
		c.ClosePath()
	}
	if s.fill != "none" {
		c.SetColor(parseColor(s.fill))
		c.FillPreserve()
	}
	if s.stroke != "none" {
		c.SetColor(parseColor(s.stroke))
		c.SetLineWidth(s.pen * scale) // gg scales points, not pens
		c.SetDash()
		if s.dashed {
			c.SetDash(5*scale, 4*scale)
		}
		c.StrokePreserve()
	}
	c.ClearPath()
}

// parseColor reads the colours that this package writes: #rrggbb and two names.
func parseColor(name string) color.Color {
	switch name {
	case "white":
		return color.White
	case "black":
		return color.Black
	}
	c := color.RGBA{A: 255}
	fmt.Sscanf(name, "#%02x%02x%02x", &c.R, &c.G, &c.B) //nolint:errcheck // black, if ever it were none
	return c
}

// faces is the built-in font, regular and bold.
type faces struct{ regular, bold *sfnt.Font }

func newFaces() (*faces, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the built-in font: %w", err)
	}
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the built-in font: %w", err)
	}
	return &faces{regular, bold}, nil
}

// has tells whether the font draws r.
func (f *faces) has(r rune) bool {
	index, err := f.regular.GlyphIndex(nil, r)
	return err == nil && index != 0
}

// cover tells whether the font draws all texts of p well enough: a newline or a control character as an escape is no
// reason to start a browser.
func (f *faces) cover(p *picture) bool {
	for i := range p.shapes {
		for _, r := range p.shapes[i].text {
			if _, ok := plainEscape(r); !ok && !f.has(r) {
				return false
			}
		}
	}
	return true
}

// plainEscape is how programmers write the characters for which package glyph has pictures that few fonts have.
func plainEscape(r rune) (string, bool) {
	switch {
	case r == glyph.Newline:
		return `\n`, true
	case r == 0x2400+'\r':
		return `\r`, true
	case r >= 0x2400 && r < 0x2420:
		return fmt.Sprintf(`\x%02x`, r-0x2400), true
	case r == 0x2421:
		return `\x7f`, true
	}
	return "", false
}

// escaped is text in characters that the font has.
func (f *faces) escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if f.has(r) {
			b.WriteRune(r)
		} else if escape, ok := plainEscape(r); ok {
			b.WriteString(escape)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// write draws a line of text, smaller where escapes make it wider than its node.
func (f *faces) write(c *gg.Context, s *shape, scale float64) error {
	text := f.escaped(s.text)
	typeface := f.regular
	if s.bold {
		typeface = f.bold
	}
	size := s.size * scale
	face, err := newFace(typeface, size)
	if err != nil {
		return err
	}
	if room := (width(s.text)*72 - 8) * scale; s.node {
		if need := float64(font.MeasureString(face, text)) / 64; need > room {
			if face, err = newFace(typeface, size*room/need); err != nil {
				return err
			}
		}
	}
	c.SetFontFace(face)
	c.SetColor(parseColor(s.fill))
	anchor := 0.0
	if s.anchor == "middle" {
		anchor = 0.5
	}
	// gg scales where text stands but draws it in device pixels.
	c.DrawStringAnchored(text, s.x, s.y, anchor, 0)
	return nil
}

func newFace(typeface *sfnt.Font, size float64) (font.Face, error) {
	face, err := opentype.NewFace(typeface, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("sizing the built-in font: %w", err)
	}
	return face, nil
}
