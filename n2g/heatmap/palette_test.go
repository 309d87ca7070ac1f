package heatmap

import (
	"math"
	"testing"
)

// contrast is WCAG 2.1's contrast ratio.
func contrast(a, b rgb) float64 {
	luminance := func(c rgb) float64 {
		var linear [3]float64
		for i, v := range c {
			s := float64(v) / 255
			if s <= 0.04045 {
				linear[i] = s / 12.92
			} else {
				linear[i] = math.Pow((s+0.055)/1.055, 2.4)
			}
		}
		return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
	}
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// over returns the colour at the given opacity over a surface.
func (c rgb) over(surface rgb, opacity float64) rgb {
	var mixed rgb
	for i := range mixed {
		mixed[i] = uint8(float64(c[i])*opacity + float64(surface[i])*(1-opacity) + 0.5)
	}
	return mixed
}

// Every value must be readable on its own colour, in both themes.
func TestContrast(t *testing.T) {
	for name, p := range map[string]palette{"light": light, "dark": dark} {
		for hue, c := range p.hues {
			for l := range levels + 1 {
				text := p.ink
				if l > lastInk {
					text = p.on
				}
				background := c.over(p.surface, float64(l)/levels)
				if got := contrast(text, background); got < 4.5 {
					t.Errorf("%s hue %d level %d: contrast %.2f", name, hue, l, got)
				}
			}
		}
		if got := contrast(p.muted, p.surface); got < 4.5 {
			t.Errorf("%s muted: contrast %.2f", name, got)
		}
	}
}
