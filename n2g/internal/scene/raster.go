package scene

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// raster draws on a picture.
type raster struct {
	fonts   *Fonts
	buffer  sfnt.Buffer
	picture *image.RGBA
	palette Palette
	scale   float64
	path    vector.Rasterizer
}

// draw draws a scene at scale dots a CSS pixel.
func (f *Fonts) draw(ctx context.Context, s Scene, p Palette, scale float64) (*image.RGBA, error) {
	bounds := image.Rect(0, 0, int(math.Ceil(s.Width*scale)), int(math.Ceil(s.Height*scale)))
	r := &raster{fonts: f, picture: image.NewRGBA(bounds), palette: p, scale: scale}
	draw.Draw(r.picture, bounds, image.NewUniform(opaque(p[Surface])), image.Point{}, draw.Src)
	for _, g := range s.Groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, shape := range g.Shapes {
			if err := shape.raster(r); err != nil {
				return nil, err
			}
		}
	}
	return r.picture, nil
}

func opaque(c RGB) color.RGBA { return color.RGBA{c[0], c[1], c[2], 255} }

// fill paints the path that begin and the functions after it drew, inside the given rectangle of dots.
func (r *raster) fill(area image.Rectangle, p Paint) {
	c := opaque(r.palette.color(p))
	source := image.NewUniform(color.NRGBA{c.R, c.G, c.B, uint8(math.Round(255 * p.Opacity))})
	if area.In(r.picture.Bounds()) {
		r.path.Draw(r.picture, area, source, image.Point{})
		return
	}
	// The rasterizer does not clip.
	mask := image.NewAlpha(image.Rectangle{Max: area.Size()})
	r.path.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	clip := area.Intersect(r.picture.Bounds())
	draw.DrawMask(r.picture, clip, source, image.Point{}, mask, clip.Min.Sub(area.Min), draw.Over)
}

// begin starts a path over a rectangle in CSS pixels and returns it in dots, with the offset of its corner.
func (r *raster) begin(x, y, w, h float64) (area image.Rectangle, dx, dy float64) {
	area = image.Rect(int(math.Floor(x*r.scale)), int(math.Floor(y*r.scale)),
		int(math.Ceil((x+w)*r.scale)), int(math.Ceil((y+h)*r.scale)))
	r.path.Reset(area.Dx(), area.Dy())
	return area, float64(area.Min.X), float64(area.Min.Y)
}

func (s Rect) raster(r *raster) error {
	if s.Fill.visible() {
		area, dx, dy := r.begin(s.X, s.Y, s.W, s.H)
		r.rounded(s.X*r.scale-dx, s.Y*r.scale-dy, s.W*r.scale, s.H*r.scale, s.Radius*r.scale, false)
		r.fill(area, s.Fill)
	}
	if !s.Stroke.visible() {
		return nil
	}
	area, dx, dy := r.begin(s.X, s.Y, s.W, s.H)
	x, y, w, h, t := s.X*r.scale-dx, s.Y*r.scale-dy, s.W*r.scale, s.H*r.scale, pen(s.Pen)*r.scale
	if s.Dashed {
		r.dashes(x, y, w, h, t)
	} else {
		r.rounded(x, y, w, h, s.Radius*r.scale, false)
		r.rounded(x+t, y+t, w-2*t, h-2*t, max(0, s.Radius*r.scale-t), true) // wound the other way: a hole
	}
	r.fill(area, s.Stroke)
	return nil
}

// rounded adds a rectangle with rounded corners to the path.
func (r *raster) rounded(x, y, w, h, radius float64, hole bool) {
	radius = min(radius, w/2, h/2)
	// Corners in clockwise order, each with the point where its arc begins and ends.
	points := [4][3][2]float64{
		{{x, y + radius}, {x, y}, {x + radius, y}},
		{{x + w - radius, y}, {x + w, y}, {x + w, y + radius}},
		{{x + w, y + h - radius}, {x + w, y + h}, {x + w - radius, y + h}},
		{{x + radius, y + h}, {x, y + h}, {x, y + h - radius}},
	}
	for i := range points {
		p := points[i]
		if hole {
			p = points[3-i]
			p[0], p[2] = p[2], p[0]
		}
		if i == 0 {
			r.path.MoveTo(float32(p[0][0]), float32(p[0][1]))
		} else {
			r.path.LineTo(float32(p[0][0]), float32(p[0][1]))
		}
		r.path.QuadTo(float32(p[1][0]), float32(p[1][1]), float32(p[2][0]), float32(p[2][1]))
	}
	r.path.ClosePath()
}

// The dashes of a broken line and the gaps between them.
const dashOn, dashOff = 3, 2

// dashes adds a rectangle's outline in dashes to the path.
func (r *raster) dashes(x, y, w, h, t float64) {
	dash, gap := dashOn*r.scale, dashOff*r.scale
	for at := 0.0; at < w; at += dash + gap {
		length := min(dash, w-at)
		r.rounded(x+at, y, length, t, 0, false)
		r.rounded(x+at, y+h-t, length, t, 0, false)
	}
	for at := t; at < h-t; at += dash + gap {
		length := min(dash, h-t-at)
		r.rounded(x, y+at, t, length, 0, false)
		r.rounded(x+w-t, y+at, t, length, 0, false)
	}
}

func (p Path) raster(r *raster) error {
	if len(p.Points) < 2 {
		return nil
	}
	line := p.flatten()
	if p.Fill.visible() {
		low, high := bounds(line)
		area, dx, dy := r.begin(low.X, low.Y, high.X-low.X, high.Y-low.Y)
		for i, q := range line {
			x, y := float32(q.X*r.scale-dx), float32(q.Y*r.scale-dy)
			if i == 0 {
				r.path.MoveTo(x, y)
			} else {
				r.path.LineTo(x, y)
			}
		}
		r.path.ClosePath()
		r.fill(area, p.Fill)
	}
	if p.Stroke.visible() {
		if p.Closed {
			line = append(line, line[0])
		}
		r.stroke(line, pen(p.Pen), p.Stroke, p.Dashed)
	}
	return nil
}

// flatten returns the path as straight lines.
func (p Path) flatten() []Point {
	if !p.Curved {
		return append([]Point(nil), p.Points...)
	}
	const steps = 24
	line := []Point{p.Points[0]}
	for i := 1; i+2 < len(p.Points); i += 3 {
		a, b, c, d := p.Points[i-1], p.Points[i], p.Points[i+1], p.Points[i+2]
		for s := 1; s <= steps; s++ {
			t := float64(s) / steps
			u := 1 - t
			line = append(line, Point{
				u*u*u*a.X + 3*u*u*t*b.X + 3*u*t*t*c.X + t*t*t*d.X,
				u*u*u*a.Y + 3*u*u*t*b.Y + 3*u*t*t*c.Y + t*t*t*d.Y,
			})
		}
	}
	return line
}

func bounds(line []Point) (low, high Point) {
	low, high = line[0], line[0]
	for _, q := range line {
		low = Point{min(low.X, q.X), min(low.Y, q.Y)}
		high = Point{max(high.X, q.X), max(high.Y, q.Y)}
	}
	return low, high
}

// stroke draws a line of a width: a bar for each of its segments, and a disc where two meet. All wind the same way, so
// that where they overlap nothing is painted twice.
func (r *raster) stroke(line []Point, width float64, p Paint, dashed bool) {
	half := width / 2
	low, high := bounds(line)
	area, dx, dy := r.begin(low.X-half-1, low.Y-half-1, high.X-low.X+width+2, high.Y-low.Y+width+2)
	at := func(q Point) (float32, float32) { return float32(q.X*r.scale - dx), float32(q.Y*r.scale - dy) }
	bar := func(a, b Point) {
		length := math.Hypot(b.X-a.X, b.Y-a.Y)
		if length == 0 {
			return
		}
		nx, ny := -(b.Y-a.Y)/length*half, (b.X-a.X)/length*half
		r.path.MoveTo(at(Point{a.X + nx, a.Y + ny}))
		r.path.LineTo(at(Point{a.X - nx, a.Y - ny}))
		r.path.LineTo(at(Point{b.X - nx, b.Y - ny}))
		r.path.LineTo(at(Point{b.X + nx, b.Y + ny}))
		r.path.ClosePath()
	}
	travelled := 0.0
	for i := 1; i < len(line); i++ {
		a, b := line[i-1], line[i]
		if !dashed {
			bar(a, b)
			if i+1 < len(line) && width > 1.5 {
				r.rounded(b.X*r.scale-dx-half*r.scale, b.Y*r.scale-dy-half*r.scale, width*r.scale, width*r.scale, half*r.scale,
					false)
			}
			continue
		}
		length := math.Hypot(b.X-a.X, b.Y-a.Y)
		for from := 0.0; from < length; {
			phase := math.Mod(travelled+from, dashOn+dashOff)
			to := min(length, from+dashOn-phase)
			if phase >= dashOn {
				to = min(length, from+dashOn+dashOff-phase)
			} else {
				point := func(share float64) Point { return Point{a.X + (b.X-a.X)*share, a.Y + (b.Y-a.Y)*share} }
				bar(point(from/length), point(to/length))
			}
			from = max(to, from+1e-6)
		}
		travelled += length
	}
	r.fill(area, p)
}

// raster draws a text run by run, shrunk where it is wider than its pinned width.
func (t Text) raster(r *raster) error {
	f := r.fonts.of(t)
	size := t.Size * r.scale
	width, err := advance(&r.buffer, f, t.Text, size)
	if err != nil {
		return err
	}
	if limit := t.W * r.scale; t.W > 0 && width > limit+1 {
		size *= limit / width
		width = limit
	}
	x := t.X * r.scale
	switch {
	case t.Middle:
		x -= width / 2
	case t.End:
		x -= width
	}
	y := t.Y * r.scale
	for _, run := range t.runs() {
		if width, err = advance(&r.buffer, f, run.text, size); err != nil {
			return err
		}
		area := image.Rect(int(x-size), int(y-1.5*size), int(x+width+size)+1, int(y+size)+1)
		r.path.Reset(area.Dx(), area.Dy())
		if err := r.glyphs(f, run.text, size, nib{&r.path, x - float64(area.Min.X), y - float64(area.Min.Y)}); err != nil {
			return err
		}
		color := t.Fill
		if run.pale {
			color.Opacity *= 0.5
		}
		r.fill(area, color)
		x += width
	}
	return nil
}

// glyphs adds a text's outlines to the path.
func (r *raster) glyphs(f *sfnt.Font, text string, size float64, n nib) error {
	for _, c := range text {
		if c == glyph.Newline {
			n.newline(size)
		} else {
			i, err := f.GlyphIndex(&r.buffer, c)
			if err != nil {
				return fmt.Errorf("cannot find the glyph of %q: %w", c, err)
			}
			segments, err := f.LoadGlyph(&r.buffer, i, fixed.Int26_6(math.Round(size*64)), nil)
			if err != nil {
				return fmt.Errorf("cannot load the glyph of %q: %w", c, err)
			}
			n.outline(segments)
		}
		step, err := advance(&r.buffer, f, string(c), size)
		if err != nil {
			return err
		}
		n.x += step
	}
	return nil
}

// nib draws glyphs at a place of a path.
type nib struct {
	path *vector.Rasterizer
	x, y float64
}

func (n nib) outline(segments sfnt.Segments) {
	at := func(q fixed.Point26_6) (float32, float32) {
		return float32(n.x + float64(q.X)/64), float32(n.y + float64(q.Y)/64)
	}
	for _, s := range segments {
		ax, ay := at(s.Args[0])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			n.path.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			n.path.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := at(s.Args[1])
			n.path.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			bx, by := at(s.Args[1])
			cx, cy := at(s.Args[2])
			n.path.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	n.path.ClosePath()
}

// newline draws ↵, which the Go fonts lack: a stroke down from the right, then left to an arrow's head. Coordinates
// are shares of the font's size, y upwards.
func (n nib) newline(size float64) {
	for i, q := range [][2]float64{
		{0.46, 0.55}, {0.53, 0.55}, {0.53, 0.21}, {0.22, 0.21}, {0.22, 0.34}, {0.05, 0.175}, {0.22, 0.01}, {0.22, 0.14},
		{0.46, 0.14},
	} {
		x, y := float32(n.x+q[0]*size), float32(n.y-q[1]*size)
		if i == 0 {
			n.path.MoveTo(x, y)
		} else {
			n.path.LineTo(x, y)
		}
	}
	n.path.ClosePath()
}
