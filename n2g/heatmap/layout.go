package heatmap

import (
	"iter"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"

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

// Sizes in CSS pixels. A cell is the advance of a character in the common monospaced fonts, 0.6 of their size.
const (
	tokenSize  = 13
	cellWidth  = 0.6 * tokenSize
	labelSize  = 11
	valueWidth = 6.2 // of a digit at labelSize, at most
	margin     = 14
	tokenRow   = 24
	valueRow   = 19
	stripRow   = 5
	maxCells   = 40 // longer tokens are cut; their tooltip is not
)

// face is what the layout knows of the fonts that will draw it.
type face interface {
	// show returns what is drawn of a text whose characters are visible already.
	show(text string) string
	// width returns that of a label at labelSize.
	width(text string) float64
}

// viewer stands for the fonts of whoever opens an SVG: it has all characters, and none is wider than in the widest
// common sans-serif font.
type viewer struct{}

func (viewer) show(text string) string { return text }

func (viewer) width(text string) float64 { return float64(uniseg.StringWidth(text)) * valueWidth }

// layout places a map's parts, breaking lines at its width.
type layout struct {
	h     HeatMap
	face  face
	width float64
	x, y  float64
	left  float64 // where lines begin
	scene scene
}

func (h HeatMap) layout(f face) scene {
	l := &layout{h: h, face: f, width: h.Width, x: margin, y: margin, left: margin}
	if !(l.width > 0) {
		l.width = 900
	}
	l.width = max(l.width, 160)
	if h.Title != "" {
		l.add(shape{x: margin, y: l.y + 12, text: f.show(label(h.Title)), size: 14, bold: true, fill: paint{ink, 1}})
		l.y += 26
	}
	if len(h.Tokens) > 0 {
		if h.Form == Figure {
			l.figure()
		} else {
			l.running()
		}
	}
	if !h.NoLegend {
		l.legend()
	}
	l.scene.width = l.width
	l.scene.height = math.Ceil(l.y + margin)
	return l.scene
}

// add places shapes that are no token's.
func (l *layout) add(shapes ...shape) {
	l.scene.groups = append(l.scene.groups, group{shapes: shapes})
}

// addBox places the shapes of token i.
func (l *layout) addBox(i int, shapes ...shape) {
	l.scene.groups = append(l.scene.groups, group{box: true, tooltip: l.h.tooltip(i), shapes: shapes})
}

// figure places the published form: boxed columns, the rows' names before each line of them.
func (l *layout) figure() {
	names := 0.0
	for _, row := range l.h.Rows {
		names = max(names, l.face.width(l.face.show(label(row.Name))))
	}
	l.left = margin + min(names+10, l.width/3)
	height := tokenRow + float64(len(l.h.Rows))*valueRow
	l.x = l.left
	l.rowNames()
	for i, token := range l.h.Tokens {
		text, cells := fit(l.face.show(glyph.Visible(token)), l.room(12))
		w := max(40, float64(cells)*cellWidth+12)
		for _, row := range l.h.Rows {
			if v, ok := row.value(i); ok {
				w = max(w, float64(len(number(v)))*valueWidth+10)
			}
		}
		if l.x > l.left && l.x+w > l.width-margin {
			l.x = l.left
			l.y += height + 9
			l.rowNames()
		}
		l.box(i, text, cells, w, height)
		l.x += w + 4
	}
	l.y += height
	l.x, l.left = margin, margin
}

func (l *layout) rowNames() {
	for k, row := range l.h.Rows {
		y := l.y + tokenRow + float64(k)*valueRow
		l.add(shape{x: margin, y: y + 13, text: l.face.show(label(row.Name)), size: labelSize, fill: paint{muted, 1}})
	}
}

// box places a figure's column for token i.
func (l *layout) box(i int, text string, cells int, w, height float64) {
	shapes := []shape{{x: l.x + w/2, y: l.y + 16.5, w: float64(cells) * cellWidth, text: text, size: tokenSize, anchor: middle, mono: true, fill: paint{ink, 1}}}
	for k, row := range l.h.Rows {
		y := l.y + tokenRow + float64(k)*valueRow
		v, ok := row.value(i)
		if !ok {
			continue
		}
		fill, text := shade(row, v)
		shapes = append(shapes,
			shape{x: l.x + 0.5, y: y, w: w - 1, h: valueRow - 1, fill: fill},
			shape{x: l.x + w/2, y: y + 13, text: number(v), size: labelSize, anchor: middle, fill: text})
	}
	border := shape{x: l.x, y: l.y, w: w, h: height, radius: 4, stroke: paint{line, 1}}
	l.addBox(i, append(shapes, outlined(border, l.h.mark(i)))...)
}

// running places running text, on the first row's colours or over strips of all rows.
func (l *layout) running() {
	height, gap := 22.0, 1.0
	if l.h.Form == Strips {
		height = 19 + float64(len(l.h.Rows))*stripRow
		gap = 2
	}
	for i, token := range l.h.Tokens {
		text, cells := fit(l.face.show(glyph.Visible(token)), l.room(4))
		w := max(8, float64(cells)*cellWidth+4)
		if l.x > l.left && l.x+w > l.width-margin {
			l.newline(height)
		}
		l.word(i, text, cells, w)
		l.x += w + gap
		if breaksLine(token) && i+1 < len(l.h.Tokens) {
			l.newline(height)
		}
	}
	l.y += height
	l.x = l.left
}

func (l *layout) newline(height float64) {
	l.x = l.left
	l.y += height + 3
}

// word places a token of running text.
func (l *layout) word(i int, text string, cells int, w float64) {
	back := shape{x: l.x, y: l.y, w: w, h: 19, radius: 3}
	textPaint := paint{ink, 1}
	if l.h.Form == Compact && len(l.h.Rows) > 0 {
		if v, ok := l.h.Rows[0].value(i); ok {
			back.fill, textPaint = shade(l.h.Rows[0], v)
		}
	}
	back = outlined(back, l.h.mark(i))
	shapes := []shape{back, {x: l.x + w/2, y: l.y + 14, w: float64(cells) * cellWidth, text: text, size: tokenSize, anchor: middle, mono: true, fill: textPaint}}
	if l.h.Form == Strips {
		for k, row := range l.h.Rows {
			if v, ok := row.value(i); ok {
				fill, _ := shade(row, v)
				shapes = append(shapes, shape{x: l.x, y: l.y + 20 + float64(k)*stripRow, w: w, h: stripRow - 1, radius: 1, fill: fill})
			}
		}
	}
	l.addBox(i, shapes...)
}

// legend places each row's scale and what the outlines mean.
func (l *layout) legend() {
	l.y += 22
	l.x = margin
	rows := l.h.Rows
	if l.h.Form == Compact {
		rows = rows[:min(1, len(rows))]
	}
	for _, row := range rows {
		name, low, high := l.face.show(label(row.Name)), "0", precise(row.max())
		negative := l.h.negative(row)
		if negative {
			low = "−" + high
		}
		if row.Note != "" {
			high += " " + l.face.show(label(row.Note))
		}
		steps := 8
		if negative {
			steps = 16
		}
		l.wrap(l.face.width(name) + l.face.width(low) + l.face.width(high) + float64(steps)*8 + 20)
		l.write(name+" "+low, paint{muted, 1})
		l.x += 5
		swatch := l.x
		for s := range steps {
			share := float64(s+1) / 8
			if negative {
				share = (float64(s) - 7.5) / 7.5
			}
			fill, _ := shade(row, share*row.max())
			l.add(shape{x: l.x, y: l.y - 9, w: 8, h: 10, fill: fill})
			l.x += 8
		}
		l.add(shape{x: swatch, y: l.y - 9, w: float64(steps) * 8, h: 10, radius: 1, stroke: paint{line, 1}})
		l.x += 5
		l.write(high, paint{muted, 1})
		l.x += 20
	}
	for _, m := range []Mark{Peak, Missed, FalseAlarm} {
		n := l.h.count(m)
		if n == 0 {
			continue
		}
		l.wrap(20 + l.face.width(m.describe(n)))
		l.add(outlined(shape{x: l.x + 1, y: l.y - 9, w: 12, h: 10, radius: 2}, m))
		l.x += 18
		l.write(m.describe(n), paint{muted, 1})
		l.x += 20
	}
}

// wrap begins a new line of the legend where an entry does not fit.
func (l *layout) wrap(w float64) {
	if l.x > margin && l.x+w > l.width-margin {
		l.x = margin
		l.y += 18
	}
}

func (l *layout) write(text string, fill paint) {
	l.add(shape{x: l.x, y: l.y, text: text, size: labelSize, fill: fill})
	l.x += l.face.width(text)
}

// room is the number of cells that fit into a line beside a box's padding.
func (l *layout) room(padding float64) int {
	return int(max(4, min(maxCells, (l.width-margin-l.left-padding)/cellWidth)))
}

// fit cuts a text to room cells, and returns the cells it takes.
func fit(text string, room int) (string, int) {
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
