package heatmap

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// SVG returns the map as a picture that scales, with the tokens' titles and, for theme Auto, the viewer's theme. It
// shows all tokens: FoldAfter is for HTML.
func (h HeatMap) SVG() string {
	s := h.layout(viewer{})
	var b strings.Builder
	b.Grow(2048 + len(s.groups)*400)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img">`, pixels(s.width), pixels(s.height))
	b.WriteString("<style>")
	switch h.Theme {
	case Light:
		b.WriteString(svgColors(light))
	case Dark:
		b.WriteString(svgColors(dark))
	default:
		b.WriteString(svgColors(light) + "@media (prefers-color-scheme:dark){" + svgColors(dark) + "}")
	}
	b.WriteString(svgFonts + "</style>")
	if h.Title != "" {
		b.WriteString("<title>" + html.EscapeString(label(h.Title)) + "</title>")
	}
	b.WriteString(`<rect class="hm-bg" width="100%" height="100%" rx="6"/>`)
	for _, g := range s.groups {
		if g.box {
			b.WriteString("<g><title>" + html.EscapeString(g.tooltip) + "</title>")
		}
		for _, sh := range g.shapes {
			sh.svg(&b)
		}
		if g.box {
			b.WriteString("</g>")
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgClass names the roles; the prefix keeps an SVG inside a page from meeting other styles.
var svgClass = [...]string{"", "hm-bg", "hm-ink", "hm-mute", "hm-line", "hm-mark", "hm-on", "hm-r", "hm-b", "hm-v", "hm-n"}

func svgColors(p palette) string {
	var b strings.Builder
	for r := surface; r <= hueGrey; r++ {
		c := p.of(r)
		fmt.Fprintf(&b, ".%s{--c:#%02x%02x%02x}", svgClass[r], c[0], c[1], c[2])
	}
	return b.String()
}

const svgFonts = `[class^=hm]{fill:var(--c)}.hm-s{fill:none;stroke:var(--c)}` +
	`text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,"DejaVu Sans",sans-serif}` +
	`.hm-t{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre}` +
	`.hm-h{font-size:14px;font-weight:600}`

func (s shape) svg(b *strings.Builder) {
	if s.text != "" {
		s.svgText(b)
		return
	}
	if s.fill.role != none && s.fill.opacity > 0 {
		s.svgRect(b, svgClass[s.fill.role], s.fill.opacity, "fill", "")
	}
	if s.stroke.role != none {
		extra := ` stroke-width="` + pixels(s.strokeWidth()) + `"`
		if s.dashed {
			extra += ` stroke-dasharray="3 2"`
		}
		inset := s.strokeWidth() / 2
		s.x, s.y, s.w, s.h = s.x+inset, s.y+inset, s.w-2*inset, s.h-2*inset
		s.svgRect(b, svgClass[s.stroke.role]+" hm-s", s.stroke.opacity, "stroke", extra)
	}
}

func (s shape) svgRect(b *strings.Builder, class string, opacity float64, what, extra string) {
	b.WriteString(`<rect class="` + class + `" x="` + pixels(s.x) + `" y="` + pixels(s.y) + `" width="` + pixels(s.w) + `" height="` + pixels(s.h) + `"`)
	if s.radius > 0 {
		b.WriteString(` rx="` + pixels(s.radius) + `"`)
	}
	if opacity < 1 {
		b.WriteString(` ` + what + `-opacity="` + pixels(opacity) + `"`)
	}
	b.WriteString(extra + `/>`)
}

func (s shape) svgText(b *strings.Builder) {
	class := svgClass[s.fill.role]
	switch {
	case s.mono:
		class += " hm-t"
	case s.bold:
		class += " hm-h"
	}
	b.WriteString(`<text class="` + class + `" x="` + pixels(s.x) + `" y="` + pixels(s.y) + `"`)
	if s.anchor == middle {
		b.WriteString(` text-anchor="middle"`)
	}
	if s.w > 0 && !ascii(s.text) {
		// Other scripts come from other fonts, whose advances are not whole cells.
		b.WriteString(` textLength="` + pixels(s.w) + `" lengthAdjust="spacingAndGlyphs"`)
	}
	b.WriteByte('>')
	for text, pale := range runs(s) {
		if pale {
			b.WriteString(`<tspan fill-opacity=".45">` + html.EscapeString(text) + `</tspan>`)
		} else {
			b.WriteString(html.EscapeString(text))
		}
	}
	b.WriteString(`</text>`)
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
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
