package scene

// Key places the entries of a legend in lines.
type Key struct {
	Face        Face
	Left, Width float64 // where lines begin, and how long they are
	X, Y        float64 // where the next entry begins: its baseline
	Shapes      []Shape
	widest      float64
}

// lineHeight of a key, and the gap between entries.
const (
	lineHeight = 18
	entryGap   = 20
)

// NewKey returns an empty key whose first line has its baseline at y.
func NewKey(f Face, left, width, y float64) *Key {
	return &Key{Face: f, Left: left, Width: width, X: left, Y: y}
}

// Extent is the right end of the longest line so far.
func (k *Key) Extent() float64 { return k.widest }

// wrap begins a new line where an entry does not fit.
func (k *Key) wrap(w float64) {
	if k.X > k.Left && k.X+w > k.Left+k.Width {
		k.X = k.Left
		k.Y += lineHeight
	}
}

func (k *Key) write(text string) {
	k.Shapes = append(k.Shapes, Text{X: k.X, Y: k.Y, Text: text, Size: LabelSize, Fill: Solid(Muted)})
	k.X += k.Face.Width(text, LabelSize)
}

func (k *Key) finish() {
	k.widest = max(k.widest, k.X)
	k.X += entryGap
}

// Scale adds the scale of a hue between two words; negative shows the side below zero too.
func (k *Key) Scale(name, low, high string, hue Role, negative bool) {
	steps := 8
	if negative {
		steps = 16
	}
	const step = 8
	k.wrap(k.Face.Width(name+" "+low, LabelSize) + k.Face.Width(high, LabelSize) + float64(steps)*step + 10)
	k.write(name + " " + low)
	k.X += 5
	from := k.X
	for s := range steps {
		share := float64(s+1) / 8
		if negative {
			share = (float64(s) - 7.5) / 7.5
		}
		fill, _ := Shade(hue, share, 1)
		k.Shapes = append(k.Shapes, Rect{X: k.X, Y: k.Y - 9, W: step, H: 10, Fill: fill})
		k.X += step
	}
	k.Shapes = append(k.Shapes, Rect{X: from, Y: k.Y - 9, W: float64(steps) * step, H: 10, Radius: 1, Stroke: Solid(Line)})
	k.X += 5
	k.write(high)
	k.finish()
}

// Swatch adds a box of 12 by 10 with what it means.
func (k *Key) Swatch(box Rect, meaning string) {
	k.wrap(entryGap + k.Face.Width(meaning, LabelSize))
	box.X, box.Y, box.W, box.H, box.Radius = k.X+1, k.Y-9, 12, 10, 2
	k.Shapes = append(k.Shapes, box)
	k.X += 18
	k.write(meaning)
	k.finish()
}

// Note adds words alone.
func (k *Key) Note(text string) {
	k.wrap(k.Face.Width(text, LabelSize))
	k.write(text)
	k.finish()
}
