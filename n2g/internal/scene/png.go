package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"

	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
)

// PNGOptions say how a PNG is drawn.
type PNGOptions struct {
	Theme     Theme   // Auto is light: a PNG has no reader's setting to follow
	Scale     float64 // dots a CSS pixel; 0: 2
	NoBrowser bool    // text that the built-in fonts lack appears as escapes, \u{1f600}
}

// mostDots bounds a PNG's area: what it needs in memory is four bytes a dot.
const mostDots = 200e6

// ErrTooLarge says that a picture would have more dots than memory is given to.
var ErrTooLarge = errors.New("the picture is too large")

// mostBrowser is the side, in dots, up to which a headless Chromium draws a picture whole.
const mostBrowser = 16000

// PNG draws the scene that layout places for a face. The built-in fonts draw Latin, Greek and Cyrillic; a scene of
// other text is drawn by a headless Chromium where there is one (up to 16,000 dots a side), else that text appears as
// escapes.
func PNG(ctx context.Context, layout func(Face) Scene, o PNGOptions) ([]byte, error) {
	if o.Scale <= 0 {
		o.Scale = 2
	}
	if o.Theme == Auto {
		o.Theme = Light
	}
	s := layout(Viewer{})
	if dots := s.Width * s.Height * o.Scale * o.Scale; !(dots <= mostDots) {
		return nil, fmt.Errorf("%w: %.0f by %.0f dots", ErrTooLarge, s.Width*o.Scale, s.Height*o.Scale)
	}
	fonts, err := Builtin()
	if err != nil {
		return nil, err
	}
	if !o.NoBrowser && !fonts.cover(s) && max(s.Width, s.Height)*o.Scale <= mostBrowser {
		picture, err := s.browse(ctx, o)
		if !errors.Is(err, chromium.ErrMissing) {
			return picture, err
		}
	}
	picture, err := fonts.draw(ctx, layout(fonts), o.Theme.Palette(), o.Scale)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	// The rows of such a picture are so alike that better compression takes ten times the time for a twentieth.
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("cannot encode the PNG: %w", err)
	}
	return b.Bytes(), nil
}

// browse lets Chromium draw.
func (s Scene) browse(ctx context.Context, o PNGOptions) ([]byte, error) {
	ground := o.Theme.Palette()[Surface]
	page := fmt.Sprintf(
		`<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;background:#%02x%02x%02x}svg{display:block}</style>%s`,
		ground[0], ground[1], ground[2], s.SVG(o.Theme, false))
	return chromium.Screenshot(ctx, []byte(page), int(math.Ceil(s.Width)), int(math.Ceil(s.Height)), o.Scale)
}
