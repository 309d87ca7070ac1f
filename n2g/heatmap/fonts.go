package heatmap

import (
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// fonts are the built-in Go fonts, parsed once.
type fonts struct{ mono, sans, bold *sfnt.Font }

var builtin = sync.OnceValues(func() (*fonts, error) {
	var parsed [3]*sfnt.Font
	for i, data := range [][]byte{gomono.TTF, goregular.TTF, gobold.TTF} {
		f, err := sfnt.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("heatmap: cannot parse a built-in font: %w", err)
		}
		parsed[i] = f
	}
	return &fonts{parsed[0], parsed[1], parsed[2]}, nil
})

// of returns the font of a text.
func (f *fonts) of(s shape) *sfnt.Font {
	switch {
	case s.mono:
		return f.mono
	case s.bold:
		return f.bold
	}
	return f.sans
}

// has tells whether a font draws a rune by itself: marks that combine with the letter before need shaping.
func has(f *sfnt.Font, buffer *sfnt.Buffer, r rune) bool {
	if r == glyph.Newline {
		return true // drawn by hand
	}
	if unicode.Is(unicode.M, r) {
		return false
	}
	i, err := f.GlyphIndex(buffer, r)
	return err == nil && i != 0
}

// cover tells whether the fonts draw all of a scene's text.
func (f *fonts) cover(s scene) bool {
	var buffer sfnt.Buffer
	for _, g := range s.groups {
		for _, sh := range g.shapes {
			for _, r := range sh.text {
				if !has(f.of(sh), &buffer, r) {
					return false
				}
			}
		}
	}
	return true
}

// show implements face: it replaces what the fonts lack by escapes; a control picture by that of its control character.
func (f *fonts) show(text string) string {
	var buffer sfnt.Buffer
	var b strings.Builder
	for _, c := range text {
		switch {
		case has(f.mono, &buffer, c):
			b.WriteRune(c)
		case c == 0x2421:
			b.WriteString(`\u{7f}`)
		case c >= 0x2400 && c < 0x2420:
			fmt.Fprintf(&b, `\u{%x}`, c-0x2400)
		default:
			fmt.Fprintf(&b, `\u{%x}`, c)
		}
	}
	return b.String()
}

// width implements face.
func (f *fonts) width(text string) float64 {
	width, err := (&raster{fonts: f}).advance(f.sans, text, labelSize)
	if err != nil {
		return viewer{}.width(text)
	}
	return width
}
