package scene

import (
	"math"
	"testing"
)

// contrast is WCAG 2.1's contrast ratio.
func contrast(a, b RGB) float64 {
	luminance := func(c RGB) float64 {
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
func (c RGB) over(surface RGB, opacity float64) RGB {
	var mixed RGB
	for i := range mixed {
		mixed[i] = uint8(float64(c[i])*opacity + float64(surface[i])*(1-opacity) + 0.5)
	}
	return mixed
}

// Every value must be readable on its own colour, in both themes.
func TestContrast(t *testing.T) {
	for name, theme := range map[string]Theme{"light": Light, "dark": Dark} {
		p := theme.Palette()
		for _, hue := range []Role{Red, Blue, Violet, Grey} {
			for l := range Levels + 1 {
				value := float64(l) / Levels
				if hue == Grey {
					value = -value
				}
				fill, ink := Shade(hue, value, 1)
				background := p[fill.Role].over(p[Surface], fill.Opacity)
				if got := contrast(p[ink.Role], background); got < 4.5 {
					t.Errorf("%s hue %d level %d: contrast %.2f", name, hue, l, got)
				}
			}
		}
		if got := contrast(p[Muted], p[Surface]); got < 4.5 {
			t.Errorf("%s muted: contrast %.2f", name, got)
		}
	}
}

// The scale is the limit, whatever the values are.
func TestLevel(t *testing.T) {
	for _, test := range []struct {
		value, limit float64
		want         int
	}{
		{0, 1, 0}, {1, 1, Levels}, {2, 1, Levels}, {0.5, 1, Levels / 2}, {1, 4, Levels / 4}, {-0.5, 1, -Levels / 2},
		{-9, 1, -Levels}, {math.NaN(), 1, 0}, {math.Inf(1), 1, Levels}, {math.Inf(-1), 1, -Levels}, {0.01, 1, 0},
	} {
		if got := Level(test.value, test.limit); got != test.want {
			t.Errorf("Level(%v, %v) = %d, want %d", test.value, test.limit, got, test.want)
		}
	}
}
