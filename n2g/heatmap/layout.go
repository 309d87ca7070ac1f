package heatmap

import (
	"math"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// Sizes in CSS pixels.
const (
	cellWidth  = scene.CellShare * scene.TokenSize
	valueWidth = 6.2 // of a digit at scene.LabelSize, at most
	margin     = 14
	tokenRow   = 24
	valueRow   = 19
	stripRow   = 5
	maxCells   = 40 // longer tokens are cut; their tooltip is not
)

// layout places a map's parts, breaking lines at its width.
type layout struct {
	h     HeatMap
	face  scene.Face
	width float64
	x, y  float64
	left  float64 // where lines begin
	scene scene.Scene
}

func (h HeatMap) layout(f scene.Face) scene.Scene {
	l := &layout{h: h, face: f, width: h.Width, x: margin, y: margin, left: margin,
		scene: scene.Scene{Title: scene.Label(h.Title)}}
	if !(l.width > 0) {
		l.width = 900
	}
	l.width = max(l.width, 160)
	if h.Title != "" {
		l.scene.Add(scene.Text{X: margin, Y: l.y + 12, Text: f.Show(scene.Label(h.Title)), Size: scene.TitleSize, Bold: true,
			Fill: scene.Solid(scene.Ink)})
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
	l.scene.Width = l.width
	l.scene.Height = math.Ceil(l.y + margin)
	return l.scene
}

// addBox places the shapes of token i.
func (l *layout) addBox(i int, shapes ...scene.Shape) { l.scene.AddTitled(l.h.tooltip(i), shapes...) }

// figure places the published form: boxed columns, the rows' names before each line of them.
func (l *layout) figure() {
	names := 0.0
	for _, row := range l.h.Rows {
		names = max(names, l.face.Width(l.face.Show(scene.Label(row.Name)), scene.LabelSize))
	}
	l.left = margin + min(names+10, l.width/3)
	height := tokenRow + float64(len(l.h.Rows))*valueRow
	l.x = l.left
	l.rowNames()
	for i, token := range l.h.Tokens {
		text, cells := scene.Fit(l.face.Show(glyph.Visible(token)), l.room(12))
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
		l.scene.Add(scene.Text{X: margin, Y: y + 13, Text: l.face.Show(scene.Label(row.Name)), Size: scene.LabelSize,
			Fill: scene.Solid(scene.Muted)})
	}
}

// box places a figure's column for token i.
func (l *layout) box(i int, text string, cells int, w, height float64) {
	shapes := []scene.Shape{l.token(text, cells, l.x+w/2, l.y+16.5, scene.Solid(scene.Ink))}
	for k, row := range l.h.Rows {
		y := l.y + tokenRow + float64(k)*valueRow
		v, ok := row.value(i)
		if !ok {
			continue
		}
		fill, text := shade(row, v)
		shapes = append(shapes,
			scene.Rect{X: l.x + 0.5, Y: y, W: w - 1, H: valueRow - 1, Fill: fill},
			scene.Text{X: l.x + w/2, Y: y + 13, Text: row.number(v), Size: scene.LabelSize, Middle: true, Fill: text})
	}
	border := scene.Rect{X: l.x, Y: l.y, W: w, H: height, Radius: 4, Stroke: scene.Solid(scene.Line)}
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
		text, cells := scene.Fit(l.face.Show(glyph.Visible(token)), l.room(4))
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
	back := scene.Rect{X: l.x, Y: l.y, W: w, H: 19, Radius: 3}
	ink := scene.Solid(scene.Ink)
	if l.h.Form == Compact && len(l.h.Rows) > 0 {
		if v, ok := l.h.Rows[0].value(i); ok {
			back.Fill, ink = shade(l.h.Rows[0], v)
		}
	}
	back = outlined(back, l.h.mark(i))
	shapes := []scene.Shape{back, l.token(text, cells, l.x+w/2, l.y+14, ink)}
	if l.h.Form == Strips {
		for k, row := range l.h.Rows {
			if v, ok := row.value(i); ok {
				fill, _ := shade(row, v)
				shapes = append(shapes, scene.Rect{X: l.x, Y: l.y + 20 + float64(k)*stripRow, W: w, H: stripRow - 1, Radius: 1,
					Fill: fill})
			}
		}
	}
	l.addBox(i, shapes...)
}

// room is the number of cells that fit into a line beside a box's padding.
func (l *layout) room(padding float64) int {
	return int(max(4, min(maxCells, (l.width-margin-l.left-padding)/cellWidth)))
}

// token is a token's text about x, at the width of its cells.
func (l *layout) token(text string, cells int, x, y float64, ink scene.Paint) scene.Text {
	return scene.Text{X: x, Y: y, W: float64(cells) * cellWidth, Text: text, Size: scene.TokenSize, Middle: true,
		Mono: true, Fill: ink}
}

// legend places each row's scale and what the outlines mean.
func (l *layout) legend() {
	key := scene.NewKey(l.face, margin, l.width-2*margin, l.y+22)
	rows := l.h.Rows
	if l.h.Form == Compact {
		rows = rows[:min(1, len(rows))]
	}
	for _, row := range rows {
		low, high := "0", row.precise(row.max())
		negative := l.h.negative(row)
		if negative {
			low = "−" + high
		}
		if row.Note != "" {
			high += " " + l.face.Show(scene.Label(row.Note))
		}
		key.Scale(l.face.Show(scene.Label(row.Name)), low, high, row.hue(), negative)
	}
	for _, m := range []Mark{Peak, Missed, FalseAlarm} {
		if n := l.h.count(m); n > 0 {
			key.Swatch(outlined(scene.Rect{}, m), m.describe(n))
		}
	}
	l.scene.Add(key.Shapes...)
	l.y = key.Y
}

// hue is the colour of the row's positive values.
func (r Row) hue() scene.Role { return scene.Red + scene.Role(min(r.Color, Violet)) }

// shade returns a value's background and the colour of text on it.
func shade(row Row, v float64) (background, text scene.Paint) {
	return scene.Shade(row.hue(), v, row.max())
}

// outlined gives a box the outline of a mark; those of a wrong prediction are bolder.
func outlined(box scene.Rect, m Mark) scene.Rect {
	switch m {
	case Peak:
		box.Stroke = scene.Solid(scene.Ink)
	case Missed:
		box.Stroke, box.Pen = scene.Solid(scene.Mark), 2
	case FalseAlarm:
		box.Stroke, box.Pen, box.Dashed = scene.Solid(scene.Mark), 2, true
	}
	return box
}
