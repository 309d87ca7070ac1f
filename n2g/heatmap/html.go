package heatmap

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// HTML returns the map as a fragment with its own scoped style: what a notebook shows. It is well-formed XML, too.
func (h HeatMap) HTML() string {
	return h.html("<style>" + style + "</style>")
}

// Body returns the map as a fragment without style, for a page that holds many maps and [Style] once.
func (h HeatMap) Body() string { return h.html("") }

// Page returns a page of its own, which opens from disk.
func (h HeatMap) Page() string {
	title := h.Title
	if title == "" {
		title = "Heat map"
	}
	class := ""
	switch h.Theme {
	case Light:
		class = ` class="n2g-light"`
	case Dark:
		class = ` class="n2g-dark"`
	}
	return `<!DOCTYPE html>
<html lang="en"` + class + `>
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<title>` + html.EscapeString(scene.Label(title)) + `</title>
<style>` + style + pageStyle + `</style>
</head>
<body>
` + h.Body() + `
</body>
</html>
`
}

func (h HeatMap) html(style string) string {
	w := writer{h: h}
	w.Grow(len(style) + 512 + len(h.Tokens)*(64+48*len(h.Rows)))
	w.WriteString(`<div class="n2g-hm`)
	switch h.Theme {
	case Light:
		w.WriteString(" n2g-light")
	case Dark:
		w.WriteString(" n2g-dark")
	}
	w.WriteString(`">`)
	w.WriteString(style)
	if h.Title != "" {
		w.WriteString(`<div class="h">` + html.EscapeString(scene.Label(h.Title)) + `</div>`)
	}
	switch {
	case len(h.Tokens) == 0:
	case h.Form == Compact:
		w.text("c", w.inline)
	case h.Form == Strips:
		w.text("s", w.striped)
	default:
		w.WriteString(`<div class="m f` + w.hues() + `">`)
		w.names()
		w.WriteString(`<div>`)
		for i := range h.Tokens {
			w.column(i)
		}
		w.WriteString(`</div></div>`)
	}
	if !h.NoLegend {
		w.legend()
	}
	w.WriteString(`</div>`)
	return w.String()
}

// writer writes the parts of a map. Its class names are short, since each token has some.
type writer struct {
	strings.Builder
	h HeatMap
}

// text writes running text, its far ends folded away.
func (w *writer) text(class string, box func(int)) {
	run := func(from, to int) {
		w.WriteString(`<div class="m ` + class + w.hues() + `">`)
		for i := from; i < to; i++ {
			if w.h.Lean && w.plain(i) {
				w.WriteString(`<q>`)
				for w.token(w.h.Tokens[i]); i+1 < to && w.plain(i+1) && !breaksLine(w.h.Tokens[i]); i++ {
					w.token(w.h.Tokens[i+1])
				}
				w.WriteString(`</q>`)
			} else {
				box(i)
			}
			if breaksLine(w.h.Tokens[i]) && i+1 < to {
				w.WriteString(`<br/>`)
			}
		}
		w.WriteString(`</div>`)
	}
	fold := func(from, to int, where string) {
		if from == to {
			return
		}
		fmt.Fprintf(w, `<details><summary>%s %s%s</summary>`, plural(to-from, "token"), where, w.highest(from, to))
		run(from, to)
		w.WriteString(`</details>`)
	}
	from, to := w.h.window()
	fold(0, from, "before")
	run(from, to)
	fold(to, len(w.h.Tokens), "after")
}

// faintest is the palest shade that a lean map shows.
const faintest = scene.Levels / 10

// plain tells whether token i has neither a mark nor a colour worth a box.
func (w *writer) plain(i int) bool {
	for k, row := range w.h.Rows {
		if v, ok := row.value(i); ok {
			if l := scene.Level(v, row.max()); l >= faintest || l <= -faintest || math.IsNaN(v) {
				return false
			}
		}
		if w.h.Form == Compact && k == 0 {
			break
		}
	}
	return w.h.mark(i) == NoMark
}

// highest says what a fold hides.
func (w *writer) highest(from, to int) string {
	if len(w.h.Rows) == 0 {
		return ""
	}
	highest := math.Inf(-1)
	for i := from; i < to; i++ {
		if v, ok := w.h.Rows[0].value(i); ok && v > highest {
			highest = v
		}
	}
	if math.IsInf(highest, -1) {
		return ""
	}
	return ", " + html.EscapeString(scene.Label(w.h.Rows[0].Name)) + " up to " + w.h.Rows[0].precise(highest)
}

// names writes the column that names the rows of a figure.
func (w *writer) names() {
	w.WriteString(`<span class="k"><b>token</b>`)
	for _, row := range w.h.Rows {
		w.WriteString(`<i>` + html.EscapeString(scene.Label(row.Name)) + `</i>`)
	}
	w.WriteString(`</span>`)
}

// hues declares the rows' colours once, by a class each, where the cells find them by their place in the column.
func (w *writer) hues() string {
	var b strings.Builder
	for k, row := range w.h.Rows {
		if k < placed {
			fmt.Fprintf(&b, " h%d%s", k+1, hueClass(row.Color))
		}
	}
	return b.String()
}

// column writes a figure's token with a cell a row below it.
func (w *writer) column(i int) {
	w.open(i, "")
	w.WriteString(`<b>`)
	w.token(w.h.Tokens[i])
	w.WriteString(`</b>`)
	for k, row := range w.h.Rows {
		v, ok := row.value(i)
		w.cell(k, v, ok)
		if ok {
			w.WriteString(row.number(v))
		}
		w.WriteString(`</i>`)
	}
	w.WriteString(`</span>`)
}

// striped writes a token with a strip of colour a row below it, down to the last that has one.
func (w *writer) striped(i int) {
	w.open(i, "")
	w.token(w.h.Tokens[i])
	skipped := 0
	for k, row := range w.h.Rows {
		v, ok := row.value(i)
		if !ok || shadeClass(v, row.max()) == "" {
			skipped++
			continue
		}
		for ; skipped > 0; skipped-- {
			w.WriteString(`<i></i>`)
		}
		w.cell(k, v, ok)
		w.WriteString(`</i>`)
	}
	w.WriteString(`</span>`)
}

// inline writes a token on its colour.
func (w *writer) inline(i int) {
	class := ""
	if len(w.h.Rows) > 0 {
		if v, ok := w.h.Rows[0].value(i); ok {
			class = shadeClass(v, w.h.Rows[0].max())
		}
	}
	w.open(i, class)
	w.token(w.h.Tokens[i])
	w.WriteString(`</span>`)
}

// open begins the box of token i.
func (w *writer) open(i int, class string) {
	if m := markClass(w.h.mark(i)); m != "" {
		class = strings.TrimSpace(class + " " + m)
	}
	w.WriteString(`<span`)
	if class != "" {
		w.WriteString(` class="` + class + `"`)
	}
	if w.h.Lean && w.h.Form != Figure {
		w.WriteString(`>`)
		return
	}
	w.WriteString(` title="` + html.EscapeString(w.h.tooltip(i)) + `">`)
}

// cell begins the cell of the k-th row. The style sheet knows the places of four; further ones name their colour.
func (w *writer) cell(k int, v float64, ok bool) {
	class := ""
	if ok {
		class = shadeClass(v, w.h.Rows[k].max())
	}
	if k >= placed {
		class = strings.TrimSpace(hueClass(w.h.Rows[k].Color) + " " + class)
	}
	if class == "" {
		w.WriteString(`<i>`)
		return
	}
	w.WriteString(`<i class="` + class + `">`)
}

// token writes a token's glyphs, those of blanks and line ends in a paler ink than the text they stand in.
func (w *writer) token(token string) {
	if token == "" {
		w.WriteString("\u200b")
	}
	for len(token) > 0 {
		pale := isBlank(token[0])
		end := 1
		for end < len(token) && isBlank(token[end]) == pale {
			end++
		}
		text := html.EscapeString(glyph.Visible(token[:end]))
		if pale {
			text = `<u>` + text + `</u>`
		}
		w.WriteString(text)
		token = token[end:]
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func (w *writer) legend() {
	w.WriteString(`<div class="g">`)
	for k, row := range w.h.Rows {
		if k > 0 && w.h.Form == Compact {
			break
		}
		w.WriteString(`<span class="` + hueClass(row.Color) + `">` + html.EscapeString(scene.Label(row.Name)) + ` `)
		if w.h.negative(row) {
			w.WriteString(`−` + row.precise(row.max()) + ` <i class="d"></i> `)
		}
		w.WriteString(`0 <i class="e"></i> ` + row.precise(row.max()))
		if row.Note != "" {
			w.WriteString(` <small>` + html.EscapeString(scene.Label(row.Note)) + `</small>`)
		}
		w.WriteString(`</span>`)
	}
	for _, mark := range []Mark{Peak, Missed, FalseAlarm} {
		if n := w.h.count(mark); n > 0 {
			w.WriteString(`<span><i class="l ` + markClass(mark) + `"></i> ` + mark.describe(n) + `</span>`)
		}
	}
	w.WriteString(`</div>`)
}

// hueClass is the class of a row's colour.
func hueClass(c Color) string { return string("rbv"[min(c, Violet)]) }

// shadeClass is the class of a value's shade; none for no colour.
func shadeClass(v, limit float64) string {
	if math.IsNaN(v) {
		return "nan"
	}
	switch l := scene.Level(v, limit); {
	case l > 0:
		return "p" + strconv.Itoa(l)
	case l < 0:
		return "n p" + strconv.Itoa(-l)
	}
	return ""
}

func markClass(m Mark) string {
	switch m {
	case Peak:
		return "x0"
	case Missed:
		return "x1"
	case FalseAlarm:
		return "x2"
	}
	return ""
}
