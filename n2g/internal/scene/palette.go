package scene

import (
	"math"
)

// RGB is a colour of 8 bits a channel.
type RGB [3]uint8

// Paint is a colour at an opacity; the zero value paints nothing.
type Paint struct {
	Role    Role
	Opacity float64
	RGB     RGB // of role Fixed
}

// Solid is a role's full colour.
func Solid(r Role) Paint { return Paint{Role: r, Opacity: 1} }

// FixedColor is a colour that is the same in every theme.
func FixedColor(c RGB, opacity float64) Paint { return Paint{Role: Fixed, Opacity: opacity, RGB: c} }

// visible tells whether a paint leaves a trace.
func (p Paint) visible() bool { return p.Role != None && p.Opacity > 0 }

// Role is a colour's place in a palette.
type Role uint8

const (
	None    Role = iota
	Fixed        // Paint.RGB
	Surface      // what everything stands on
	Ink          // text
	Muted        // text that explains
	Line         // borders
	Mark         // what is wrong
	On           // text on a dark shade
	Red          // activations
	Blue         // importances and context
	Violet       // predictions
	Grey         // values below zero
)

// Theme is the choice between dark text on light and the reverse.
type Theme uint8

const (
	Auto  Theme = iota // the reader's: Jupyter's theme where it is shown there, else the system's; PNG: light
	Light              // always
	Dark               // always
)

// Palette holds a theme's colours by role.
type Palette [Grey + 1]RGB

// The hues are chosen so that ink (up to level LastInk) and on (above it) keep a contrast of at least 4.5 on each
// shade of each hue over the surface.
var (
	lightPalette = Palette{
		Surface: {255, 255, 255}, Ink: {0, 0, 0}, Muted: {98, 104, 114}, Line: {216, 220, 226},
		Mark: {217, 119, 6}, On: {255, 255, 255},
		Red: {197, 15, 31}, Blue: {20, 84, 196}, Violet: {118, 56, 190}, Grey: {84, 90, 100},
	}
	darkPalette = Palette{
		Surface: {20, 23, 28}, Ink: {236, 238, 241}, Muted: {154, 161, 172}, Line: {56, 62, 71},
		Mark: {245, 166, 35}, On: {255, 255, 255},
		Red: {200, 40, 48}, Blue: {38, 98, 217}, Violet: {134, 72, 208}, Grey: {104, 111, 122},
	}
)

// Palette returns the theme's, light for Auto.
func (t Theme) Palette() Palette {
	if t == Dark {
		return darkPalette
	}
	return lightPalette
}

// color returns what a paint is in a palette, without its opacity.
func (p Palette) color(paint Paint) RGB {
	if paint.Role == Fixed {
		return paint.RGB
	}
	return p[paint.Role]
}

// Levels is the number of shades of a colour: fine enough to read as continuous, few enough for a class each.
const Levels = 20

// LastInk is the darkest shade on which text keeps the ink's colour.
const LastInk = 16

// Level returns the shade of a value, -Levels … Levels; 0 is no colour. Not-a-number has none.
func Level(v, limit float64) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(max(-1, min(1, v/limit)) * Levels))
}

// Shade returns a value's background in a hue and the colour of text on it. Values below zero are grey.
func Shade(hue Role, v, limit float64) (background, text Paint) {
	if math.IsNaN(v) {
		return Paint{Role: Muted, Opacity: 0.25}, Solid(Ink)
	}
	l := Level(v, limit)
	if l < 0 {
		hue, l = Grey, -l
	}
	if l > LastInk {
		return Paint{Role: hue, Opacity: float64(l) / Levels}, Solid(On)
	}
	return Paint{Role: hue, Opacity: float64(l) / Levels}, Solid(Ink)
}
