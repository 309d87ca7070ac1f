package heatmap

import (
	"iter"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// scene is a laid-out map: what SVG and PNG draw, in CSS pixels.
type scene struct {
	width, height float64
	groups        []group
}

// group is a token's shapes, which share a tooltip; or others without.
type group struct {
	box     bool // a token's
	tooltip string
	shapes  []shape
}

// shape is a rectangle, or a text if it has one.
type shape struct {
	x, y, w, h float64 // of a text: x is its start or middle as anchor says, y its baseline, w its width if pinned
	radius     float64
	fill       paint
	stroke     paint
	dashed     bool

	text   string
	size   float64
	anchor anchor
	mono   bool // the tokens' font
	bold   bool
}

// paint is a colour of the palette at an opacity; the zero value paints nothing.
type paint struct {
	role    role
	opacity float64
}

// role is a colour's place in a palette.
type role uint8

const (
	none role = iota
	surface
	ink
	muted
	line
	mark
	on
	hueRed
	hueBlue
	hueViolet
	hueGrey
)

// of returns the palette's colour of a role.
func (p palette) of(r role) rgb {
	switch r {
	case surface:
		return p.surface
	case muted:
		return p.muted
	case line:
		return p.line
	case mark:
		return p.mark
	case on:
		return p.on
	case hueRed, hueBlue, hueViolet, hueGrey:
		return p.hues[r-hueRed]
	}
	return p.ink
}

// anchor is the part of a text that its x places.
type anchor uint8

const (
	start anchor = iota
	middle
)

// shade returns a value's background and the colour of text on it.
func shade(row Row, v float64) (background, text paint) {
	if math.IsNaN(v) {
		return paint{muted, 0.25}, paint{ink, 1}
	}
	l := level(v, row.max())
	background = paint{hueRed + role(min(row.Color, Violet)), float64(l) / levels}
	if l < 0 {
		background = paint{hueGrey, float64(-l) / levels}
	}
	if l > lastInk || l < -lastInk {
		return background, paint{on, 1}
	}
	return background, paint{ink, 1}
}

// outlined gives a shape the outline of a mark.
func outlined(s shape, m Mark) shape {
	switch m {
	case Peak:
		s.stroke = paint{ink, 1}
	case Missed:
		s.stroke = paint{mark, 1}
	case FalseAlarm:
		s.stroke, s.dashed = paint{mark, 1}, true
	}
	return s
}

// strokeWidth is that of an outline: marks of a wrong prediction are bolder.
func (s shape) strokeWidth() float64 {
	if s.stroke.role == mark {
		return 2
	}
	return 1
}

// runs cuts a token's text into the glyphs of blanks, which are drawn pale, and the rest.
func runs(s shape) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for text := s.text; text != ""; {
			pale := s.mono && paleGlyph(text)
			end := strings.IndexFunc(text, func(r rune) bool { return s.mono && paleGlyph(string(r)) != pale })
			if end < 0 {
				end = len(text)
			}
			if !yield(text[:end], pale) {
				return
			}
			text = text[end:]
		}
	}
}

// paleGlyph tells whether a text begins with the glyph of a blank.
func paleGlyph(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return r == glyph.Blank || r == glyph.Newline || r == glyph.Tab
}
