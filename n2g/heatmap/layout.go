package heatmap

import (
	"math"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
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
				w = max(w, float64(len(row.number(v)))*valueWidth+10)
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
			shape{x: l.x + w/2, y: y + 13, text: row.number(v), size: labelSize, anchor: middle, fill: text})
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
