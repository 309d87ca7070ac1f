package heatmap

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// SVG returns the map as a picture that scales, with the tokens' titles and, for theme Auto, the viewer's theme. It
// shows all tokens: FoldAfter is for HTML.
func (h HeatMap) SVG() string { return h.layout(scene.Viewer{}).SVG(scene.Theme(h.Theme), false) }

// PNGOptions say how a PNG is drawn.
type PNGOptions struct {
	// Scale is the number of dots a CSS pixel. Default 2, for sharp text on dense screens.
	Scale float64
	// NoBrowser draws text that the built-in fonts lack as escapes, \u{1f600}, instead of asking Chromium.
	NoBrowser bool
}

// PNG returns the picture that [HeatMap.SVG] describes as dots. The built-in Go fonts draw Latin, Greek and Cyrillic; a
// map of other text is drawn by a headless Chromium where there is one (up to 16,000 dots a side), else that text
// appears as escapes.
func (h HeatMap) PNG(ctx context.Context, o PNGOptions) ([]byte, error) {
	picture, err := scene.PNG(ctx, h.layout,
		scene.PNGOptions{Theme: scene.Theme(h.Theme), Scale: o.Scale, NoBrowser: o.NoBrowser})
	switch {
	case errors.Is(err, scene.ErrTooLarge):
		return nil, fmt.Errorf("heatmap: %w; show fewer of the %d tokens, or lower the scale", err, len(h.Tokens))
	case err != nil:
		return nil, fmt.Errorf("heatmap: %w", err)
	}
	return picture, nil
}
