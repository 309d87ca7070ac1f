package heatmap

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
)

// PNGOptions say how a PNG is drawn.
type PNGOptions struct {
	// Scale is the number of dots a CSS pixel. Default 2, for sharp text on dense screens.
	Scale float64
	// Browser is the Chromium that draws text which the built-in font lacks. Default: the one on PATH.
	Browser string
	// NoBrowser draws such text as escapes, \u{1f600}, instead.
	NoBrowser bool
}

// maxDots bounds a PNG's area: what it needs in memory is four bytes a dot.
const maxDots = 200e6

// maxBrowser is the side, in dots, up to which a headless Chromium draws a picture whole.
const maxBrowser = 16000

// PNG returns the picture that [HeatMap.SVG] describes as dots. The built-in Go fonts draw Latin, Greek and Cyrillic; a
// map of other text is drawn by a headless Chromium where there is one (up to 16,000 dots a side), else that text
// appears as escapes.
func (h HeatMap) PNG(ctx context.Context, o PNGOptions) ([]byte, error) {
	if o.Scale <= 0 {
		o.Scale = 2
	}
	if h.Theme == Auto {
		h.Theme = Light
	}
	s := h.layout(viewer{})
	if dots := s.width * s.height * o.Scale * o.Scale; !(dots <= maxDots) {
		return nil, fmt.Errorf("heatmap: a PNG of %d tokens at scale %g would be %.0f by %.0f dots; show fewer tokens or lower the scale",
			len(h.Tokens), o.Scale, s.width*o.Scale, s.height*o.Scale)
	}
	fonts, err := builtin()
	if err != nil {
		return nil, err
	}
	if !o.NoBrowser && !fonts.cover(s) && max(s.width, s.height)*o.Scale <= maxBrowser {
		if browser := findBrowser(o.Browser); browser != "" {
			return screenshot(ctx, browser, h.SVG(), s, o.Scale)
		}
	}
	picture, err := fonts.draw(ctx, h.layout(fonts), h.palette(), o.Scale)
	if err != nil {
		return nil, err
	}
	return encode(picture)
}

func encode(picture image.Image) ([]byte, error) {
	var b bytes.Buffer
	// The rows of such a picture are so alike that better compression takes ten times the time for a twentieth.
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("heatmap: cannot encode the PNG: %w", err)
	}
	return b.Bytes(), nil
}

// palette returns the theme's, light for Auto.
func (h HeatMap) palette() palette {
	if h.Theme == Dark {
		return dark
	}
	return light
}
