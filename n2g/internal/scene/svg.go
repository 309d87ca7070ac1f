package scene

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SVG returns the scene as a picture that scales, with its groups' tooltips. It holds no script, link or id.
//
// A fixed theme is written as attributes alone. For Auto the light theme is, and classes follow the reader's theme by
// [Style], which the SVG carries unless inline says that the page around it does: then what classes tell is written
// once, in the style sheet.
func (s Scene) SVG(theme Theme, inline bool) string {
	w := &svgWriter{palette: theme.Palette(), classes: theme == Auto, inline: theme == Auto && inline}
	w.Grow(1024 + len(s.Groups)*300)
	width, height := pixels(s.Width), pixels(s.Height)
	w.put("<svg")
	if !w.inline { // HTML knows what it is
		w.put(` xmlns="http://www.w3.org/2000/svg"`)
	}
	if w.classes {
		w.put(` class="n2g-scene"`)
	}
	w.put(` width="` + width + `" height="` + height + `" viewBox="0 0 ` + width + ` ` + height + `" role="img"`)
	if s.Title != "" {
		w.put(` aria-label="` + html.EscapeString(s.Title) + `"`)
	}
	if !w.inline {
		w.put(` font-family="` + sansFamily + `" font-size="` + strconv.Itoa(LabelSize) + `"`)
	}
	w.put(">")
	if w.classes && !inline {
		w.put("<style>" + style + "</style>")
	}
	Rect{W: s.Width, H: s.Height, Radius: 6, Fill: Solid(Surface)}.svg(w)
	for _, g := range s.Groups {
		if g.Titled {
			w.put("<g><title>" + html.EscapeString(g.Title) + "</title>")
		}
		for _, shape := range g.Shapes {
			shape.svg(w)
		}
		if g.Titled {
			w.put("</g>")
		}
	}
	w.put("</svg>\n")
	return w.String()
}

const (
	sansFamily = "system-ui,-apple-system,Segoe UI,Roboto,Arial,DejaVu Sans,sans-serif"
	monoFamily = "ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace"
)

// roleClass names the roles inside the class n2g-scene.
var roleClass = [...]string{
	Surface: "bg", Ink: "ink", Muted: "mute", Line: "line", Mark: "mark", On: "on", Red: "r", Blue: "b", Violet: "v",
	Grey: "n",
}

// Variables declares a theme's colours as CSS triples, to which a rule adds its opacity.
func Variables(theme Theme) string {
	p := theme.Palette()
	var b strings.Builder
	for role := Surface; role <= Grey; role++ {
		fmt.Fprintf(&b, "--%s:%d,%d,%d;", roleClass[role], p[role][0], p[role][1], p[role][2])
	}
	return strings.TrimSuffix(b.String(), ";")
}

// Themed returns the rules that give elements of a class the colours of the theme that is on: the reader's system's,
// Jupyter's and VS Code's, or what classes n2g-light and n2g-dark on it or on any element around it fix.
func Themed(class string) string {
	light, dark := Variables(Light), Variables(Dark)
	return strings.NewReplacer("C", class, "L", light, "D", dark).Replace(
		".C{L}@media screen and (prefers-color-scheme:dark){.C{D}}" +
			".C.n2g-light,.n2g-light .C,[data-jp-theme-light=true] .C,.vscode-light .C{L}" +
			".C.n2g-dark,.n2g-dark .C,[data-jp-theme-light=false] .C:not(.n2g-light),.vscode-dark .C:not(.n2g-light){D}")
}

// Style returns the rules of inline SVGs, which follow the reader's theme; all of them are within the class n2g-scene.
func Style() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.n2g-scene{font:%dpx %s;fill:none}.n2g-scene .mono{font-family:%s}"+
		".n2g-scene .mid{text-anchor:middle}", style, LabelSize, sansFamily, monoFamily)
	for _, class := range sizeClasses {
		fmt.Fprintf(&b, ".n2g-scene .%s{font-size:%spx}", class.name, pixels(class.value))
	}
	for _, class := range penClasses {
		fmt.Fprintf(&b, ".n2g-scene .%s{stroke-width:%s}", class.name, pixels(class.value))
	}
	for tenths := 1; tenths < 10; tenths++ {
		fmt.Fprintf(&b, ".n2g-scene .%s{fill-opacity:%s}", opacityClass(tenths), short(float64(tenths)/10))
	}
	return b.String()
}

func opacityClass(tenths int) string { return "o" + strconv.Itoa(tenths) }

// classes of what inline SVGs have most of: the sizes of tokens, and pens.
type class struct {
	value float64
	name  string
}

var (
	sizeClasses = []class{{13, "f13"}, {14, "f14"}}
	penClasses  = []class{{1.25, "p1"}, {1.5, "p2"}, {2, "p3"}, {3, "p4"}}
)

// classOf is the class of a value, where the SVG is inline and there is one.
func (w *svgWriter) classOf(list []class, v float64) (name string, ok bool) {
	at := slices.IndexFunc(list, func(c class) bool { return c.value == v })
	if !w.inline || at < 0 {
		return "", false
	}
	return list[at].name, true
}

var style = func() string {
	var b strings.Builder
	b.WriteString(Themed("n2g-scene"))
	for role := Surface; role <= Grey; role++ {
		fmt.Fprintf(&b, ".n2g-scene .%[1]s{fill:rgb(var(--%[1]s))}.n2g-scene .%[1]s-s{stroke:rgb(var(--%[1]s))}",
			roleClass[role])
	}
	return b.String()
}()

type svgWriter struct {
	strings.Builder
	palette Palette
	classes bool // follow the reader's theme
	inline  bool // by a style sheet that is there
}

func (w *svgWriter) put(s string) { w.WriteString(s) }

func (w *svgWriter) number(name string, v float64) { w.put(` ` + name + `="` + w.pixels(v) + `"`) }

// place writes a coordinate, which is 0 unless it is written.
func (w *svgWriter) place(name string, v float64) {
	if text := w.pixels(v); !w.inline || text != "0" {
		w.put(` ` + name + `="` + text + `"`)
	}
}

// pixels formats a coordinate, on a page that has many pictures to a tenth.
func (w *svgWriter) pixels(v float64) string {
	if !w.inline {
		return pixels(v)
	}
	return short(tenth(v))
}

func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// short formats a number as SVG's paths allow it, without a zero before the point.
func short(v float64) string {
	text := pixels(v)
	if rest, ok := strings.CutPrefix(text, "0."); ok {
		return "." + rest
	}
	if rest, ok := strings.CutPrefix(text, "-0."); ok {
		return "-." + rest
	}
	return text
}

// paints writes the attributes of a shape's colours.
func (w *svgWriter) paints(fill, stroke Paint, classes ...string) {
	one := func(name string, p Paint, suffix string) {
		if !p.visible() {
			if name == "fill" && !w.inline { // there the style sheet says so
				w.put(` fill="none"`)
			}
			return
		}
		if !w.inline || p.Role == Fixed {
			c := w.palette.color(p)
			fmt.Fprintf(w, ` %s="#%02x%02x%02x"`, name, c[0], c[1], c[2])
		}
		switch tenths := int(math.Round(10 * p.Opacity)); {
		case p.Opacity >= 1:
		case w.inline && name == "fill" && tenths > 0 && tenths < 10:
			classes = append(classes, opacityClass(tenths))
		default:
			w.number(name+"-opacity", p.Opacity)
		}
		if w.classes && p.Role != Fixed {
			classes = append(classes, roleClass[p.Role]+suffix)
		}
	}
	one("fill", fill, "")
	one("stroke", stroke, "-s")
	if len(classes) > 0 {
		w.put(` class="` + strings.Join(classes, " ") + `"`)
	}
}

// pen writes the attributes of a shape's colours and border.
func (w *svgWriter) pen(fill, stroke Paint, width float64, dashed bool) {
	class, ok := w.classOf(penClasses, width)
	switch {
	case !stroke.visible():
		w.paints(fill, stroke)
		return
	case ok:
		w.paints(fill, stroke, class)
	default:
		if w.paints(fill, stroke); width != 1 {
			w.number("stroke-width", width)
		}
	}
	if dashed {
		w.put(` stroke-dasharray="3 2"`)
	}
}

func (r Rect) svg(w *svgWriter) {
	stroke := r.Stroke.visible()
	if !stroke && !r.Fill.visible() {
		return
	}
	if stroke {
		inset := pen(r.Pen) / 2
		r.X, r.Y, r.W, r.H = r.X+inset, r.Y+inset, max(0, r.W-2*inset), max(0, r.H-2*inset)
	}
	w.put("<rect")
	w.place("x", r.X)
	w.place("y", r.Y)
	w.number("width", r.W)
	w.number("height", r.H)
	if r.Radius > 0 {
		w.number("rx", r.Radius)
	}
	w.pen(r.Fill, r.Stroke, pen(r.Pen), r.Dashed)
	w.put("/>")
}

func (t Text) svg(w *svgWriter) {
	w.put("<text")
	w.place("x", t.X)
	w.place("y", t.Y)
	var classes []string
	if size, ok := w.classOf(sizeClasses, t.Size); ok {
		classes = append(classes, size)
	} else if t.Size != LabelSize {
		w.number("font-size", t.Size)
	}
	switch {
	case t.Mono && w.inline:
		classes = append(classes, "mono")
	case t.Mono:
		w.put(` font-family="` + monoFamily + `"`)
	}
	if t.Bold {
		w.put(` font-weight="600"`)
	}
	switch {
	case t.Middle && w.inline:
		classes = append(classes, "mid")
	case t.Middle:
		w.put(` text-anchor="middle"`)
	case t.End:
		w.put(` text-anchor="end"`)
	}
	if t.W > 0 && !ascii(t.Text) {
		// Other scripts come from other fonts, whose advances are not whole cells.
		w.number("textLength", t.W)
		w.put(` lengthAdjust="spacingAndGlyphs"`)
	}
	w.paints(t.Fill, Paint{}, classes...)
	w.put(">")
	for _, run := range t.runs() {
		if run.pale {
			w.put(`<tspan fill-opacity=".45">` + html.EscapeString(run.text) + `</tspan>`)
		} else {
			w.put(html.EscapeString(run.text))
		}
	}
	w.put("</text>")
}

func (p Path) svg(w *svgWriter) {
	if len(p.Points) < 2 {
		return
	}
	w.put(`<path d="`)
	if w.inline {
		w.put(p.short())
	} else {
		w.put(p.long())
	}
	w.put(`"`)
	w.pen(p.Fill, p.Stroke, pen(p.Pen), p.Dashed)
	w.put("/>")
}

// long is the path in absolute coordinates.
func (p Path) long() string {
	var b strings.Builder
	for i, q := range p.Points {
		switch {
		case i == 0:
			b.WriteByte('M')
		case !p.Curved:
			b.WriteByte('L')
		case i%3 == 1:
			b.WriteByte('C')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(pixels(q.X) + " " + pixels(q.Y))
	}
	if p.Closed {
		b.WriteByte('Z')
	}
	return b.String()
}

// short is the path to a tenth of a pixel, each place as its way from the one before it.
func (p Path) short() string {
	var b strings.Builder
	numbers := func(list ...float64) {
		for i, v := range list {
			text := short(tenth(v))
			if i > 0 && text[0] != '-' {
				b.WriteByte(' ')
			}
			b.WriteString(text)
		}
	}
	at := Point{tenth(p.Points[0].X), tenth(p.Points[0].Y)}
	b.WriteByte('M')
	numbers(at.X, at.Y)
	step := 1
	if p.Curved {
		step = 3
	}
	for i := step; i < len(p.Points); i += step {
		var way []float64
		level := true // all of it on one height
		for _, q := range p.Points[i-step+1 : i+1] {
			way = append(way, tenth(q.X)-at.X, tenth(q.Y)-at.Y)
			level = level && tenth(q.Y) == at.Y
		}
		switch {
		case level:
			b.WriteByte('h')
			numbers(way[len(way)-2])
		case p.Curved:
			b.WriteByte('c')
			numbers(way...)
		case tenth(way[0]) == 0:
			b.WriteByte('v')
			numbers(way[1])
		default:
			b.WriteByte('l')
			numbers(way...)
		}
		at = Point{tenth(p.Points[i].X), tenth(p.Points[i].Y)}
	}
	if p.Closed {
		b.WriteByte('Z')
	}
	return b.String()
}

// ascii tells text that the monospaced fonts draw in whole cells; the glyph of a blank is among it.
func ascii(s string) bool {
	for _, r := range s {
		if r >= 0x7f && r != '·' {
			return false
		}
	}
	return true
}

// pixels formats a coordinate.
func pixels(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}
