package scene

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// Scene is a laid-out picture in CSS pixels.
type Scene struct {
	Width, Height float64
	Title         string // what a screen reader says
	Groups        []Group
}

// Group is shapes that belong together.
type Group struct {
	Titled bool   // whether it has a tooltip, which may be empty
	Title  string // the tooltip
	Shapes []Shape
}

// Add appends shapes that have no tooltip.
func (s *Scene) Add(shapes ...Shape) { s.Groups = append(s.Groups, Group{Shapes: shapes}) }

// AddTitled appends shapes under a tooltip.
func (s *Scene) AddTitled(title string, shapes ...Shape) {
	s.Groups = append(s.Groups, Group{Titled: true, Title: title, Shapes: shapes})
}

// Shape is a [Rect], a [Text] or a [Path].
type Shape interface {
	svg(w *svgWriter)
	raster(r *raster) error
}

// Rect is a box. Its border lies within it.
type Rect struct {
	X, Y, W, H, Radius float64
	Fill, Stroke       Paint
	Pen                float64 // width of the border; 0 is 1
	Dashed             bool
}

// Text is one line of text.
type Text struct {
	X, Y   float64 // X is its start or middle, as Middle says, Y its baseline
	W      float64 // the width it is made to fit, if above 0
	Text   string
	Size   float64
	Middle bool
	End    bool // X is its end
	Mono   bool // the tokens' font, in which the glyphs of blanks are paler
	Bold   bool
	Fill   Paint
}

// Path is a line through points, or a closed shape.
type Path struct {
	Points []Point
	Curved bool // after the first, points come in threes: two controls of a Bézier curve, and its end
	Closed bool
	Fill   Paint
	Stroke Paint
	Pen    float64 // 0 is 1
	Dashed bool
}

// Point is a place in CSS pixels.
type Point struct{ X, Y float64 }

// Sizes in CSS pixels. A cell is the advance of a character in the common monospaced fonts, 0.6 of their size.
const (
	TokenSize = 13
	LabelSize = 11
	TitleSize = 14
	CellShare = 0.6
)

// Face is what a layout knows of the fonts that will draw it.
type Face interface {
	// Show returns what is drawn of a text whose characters are visible already.
	Show(text string) string
	// Width returns that of a label at a size.
	Width(text string, size float64) float64
}

// Viewer stands for the fonts of whoever opens an SVG: it has all characters, and none is wider than in the widest
// common sans-serif font.
type Viewer struct{}

// Show implements [Face].
func (Viewer) Show(text string) string { return text }

// digitShare is the width of a digit in shares of the size, at most.
const digitShare = 6.2 / LabelSize

// Width implements [Face].
func (Viewer) Width(text string, size float64) float64 {
	return float64(uniseg.StringWidth(text)) * digitShare * size
}

// Fit cuts a text of the tokens' font to room cells, and returns the cells it takes.
func Fit(text string, room int) (string, int) {
	cells := uniseg.StringWidth(text)
	if cells <= room {
		return text, cells
	}
	var b strings.Builder
	cells = 0
	for clusters := uniseg.NewGraphemes(text); clusters.Next(); {
		if cells+clusters.Width() > room-1 {
			break
		}
		b.WriteString(clusters.Str())
		cells += clusters.Width()
	}
	return b.String() + "…", cells + 1
}

// Label makes a caller's own text (a title, the name of a row) safe to draw: its blanks stay blanks, but for those that
// stand together, which SVG would draw as one.
func Label(s string) string {
	var b strings.Builder
	for s != "" {
		word, rest := s, ""
		if i := strings.IndexByte(s, ' '); i >= 0 {
			word, rest = s[:i], s[i:]
		}
		b.WriteString(glyph.Visible(word))
		s = strings.TrimLeft(rest, " ")
		switch blanks := len(rest) - len(s); {
		case blanks == 1:
			b.WriteByte(' ')
		case blanks > 1:
			b.WriteString(strings.Repeat(string(glyph.Blank), blanks))
		}
	}
	return b.String()
}

// run is a part of a text in one shade.
type run struct {
	text string
	pale bool
}

// runs cuts a token's text into the glyphs of blanks, which are drawn pale, and the rest.
func (t Text) runs() []run {
	if !t.Mono {
		return []run{{text: t.Text}}
	}
	var list []run
	for text := t.Text; text != ""; {
		pale := paleGlyph(text)
		end := strings.IndexFunc(text, func(r rune) bool { return isPale(r) != pale })
		if end < 0 {
			end = len(text)
		}
		list = append(list, run{text[:end], pale})
		text = text[end:]
	}
	return list
}

// paleGlyph tells whether a text begins with the glyph of a blank.
func paleGlyph(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return isPale(r)
}

func isPale(r rune) bool { return r == glyph.Blank || r == glyph.Newline || r == glyph.Tab }

func pen(width float64) float64 {
	if width > 0 {
		return width
	}
	return 1
}
