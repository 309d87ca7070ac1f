package scene

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// Fonts are the built-in Go fonts: Latin, Greek and Cyrillic.
type Fonts struct{ mono, sans, bold *sfnt.Font }

// Builtin returns the fonts, parsed once.
var Builtin = sync.OnceValues(func() (*Fonts, error) {
	var parsed [3]*sfnt.Font
	for i, data := range [][]byte{gomono.TTF, goregular.TTF, gobold.TTF} {
		f, err := sfnt.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("cannot parse a built-in font: %w", err)
		}
		parsed[i] = f
	}
	return &Fonts{parsed[0], parsed[1], parsed[2]}, nil
})

// of returns the font of a text.
func (f *Fonts) of(t Text) *sfnt.Font {
	switch {
	case t.Mono:
		return f.mono
	case t.Bold:
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

// controlOf returns the control character that a control picture stands for.
func controlOf(r rune) (control rune, ok bool) {
	switch {
	case r == 0x2421:
		return 0x7f, true
	case r >= 0x2400 && r < 0x2420:
		return r - 0x2400, true
	}
	return 0, false
}

// cover tells whether the fonts draw all of a scene's text well enough: a control character as an escape is no reason
// to start a browser.
func (f *Fonts) cover(s Scene) bool {
	var buffer sfnt.Buffer
	for _, g := range s.Groups {
		for _, shape := range g.Shapes {
			t, ok := shape.(Text)
			if !ok {
				continue
			}
			for _, r := range t.Text {
				if _, control := controlOf(r); !control && !has(f.of(t), &buffer, r) {
					return false
				}
			}
		}
	}
	return true
}

// Show implements [Face]: it replaces what the fonts lack by escapes; a control picture by that of its control
// character.
func (f *Fonts) Show(text string) string {
	var buffer sfnt.Buffer
	var b strings.Builder
	for _, c := range text {
		if has(f.mono, &buffer, c) {
			b.WriteRune(c)
			continue
		}
		if control, ok := controlOf(c); ok {
			c = control
		}
		fmt.Fprintf(&b, `\u{%x}`, c)
	}
	return b.String()
}

// Width implements [Face].
func (f *Fonts) Width(text string, size float64) float64 {
	width, err := advance(new(sfnt.Buffer), f.sans, text, size)
	if err != nil {
		return Viewer{}.Width(text, size)
	}
	return width
}

// advance is a text's width at a size.
func advance(buffer *sfnt.Buffer, f *sfnt.Font, text string, size float64) (float64, error) {
	width := 0.0
	for _, c := range text {
		if c == glyph.Newline {
			width += CellShare * size
			continue
		}
		i, err := f.GlyphIndex(buffer, c)
		if err != nil {
			return 0, fmt.Errorf("cannot find the glyph of %q: %w", c, err)
		}
		a, err := f.GlyphAdvance(buffer, i, fixed.Int26_6(math.Round(size*64)), font.HintingNone)
		if err != nil {
			return 0, fmt.Errorf("cannot measure the glyph of %q: %w", c, err)
		}
		width += float64(a) / 64
	}
	return width, nil
}
