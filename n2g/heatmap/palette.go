package heatmap

// rgb is a colour of 8 bits a channel.
type rgb [3]uint8

// palette holds a theme's colours.
type palette struct {
	surface, ink, muted, line, mark rgb
	on                              rgb // text on a dark shade
	hues                            [4]rgb
}

// grey is the index in hues of the colour of negative values, after those of Color.
const grey = 3

// The hues are chosen so that ink (up to level lastInk) and on (above it) keep a contrast of at least 4.5 on each
// shade of each hue over the surface.
var (
	light = palette{
		surface: rgb{255, 255, 255}, ink: rgb{0, 0, 0}, muted: rgb{98, 104, 114}, line: rgb{216, 220, 226},
		mark: rgb{217, 119, 6}, on: rgb{255, 255, 255},
		hues: [4]rgb{{197, 15, 31}, {20, 84, 196}, {118, 56, 190}, {84, 90, 100}},
	}
	dark = palette{
		surface: rgb{20, 23, 28}, ink: rgb{236, 238, 241}, muted: rgb{154, 161, 172}, line: rgb{56, 62, 71},
		mark: rgb{245, 166, 35}, on: rgb{255, 255, 255},
		hues: [4]rgb{{200, 40, 48}, {38, 98, 217}, {134, 72, 208}, {104, 111, 122}},
	}
)

// lastInk is the darkest shade on which text keeps the ink's colour.
const lastInk = 16
