package heatmap

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// raster draws on a picture.
type raster struct {
	fonts   *fonts
	buffer  sfnt.Buffer
	picture *image.RGBA
	palette palette
	scale   float64
	path    vector.Rasterizer
}

func (f *fonts) draw(ctx context.Context, s scene, p palette, scale float64) (*image.RGBA, error) {
	bounds := image.Rect(0, 0, int(math.Ceil(s.width*scale)), int(math.Ceil(s.height*scale)))
	r := &raster{fonts: f, picture: image.NewRGBA(bounds), palette: p, scale: scale}
	draw.Draw(r.picture, bounds, image.NewUniform(opaque(p.surface)), image.Point{}, draw.Src)
	for _, g := range s.groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, sh := range g.shapes {
			if sh.text == "" {
				r.rect(sh)
				continue
			}
			if err := r.text(sh); err != nil {
				return nil, err
			}
		}
	}
	return r.picture, nil
}

func opaque(c rgb) color.RGBA { return color.RGBA{c[0], c[1], c[2], 255} }

// fill paints the path that begin and the functions after it drew, inside the given rectangle of dots.
func (r *raster) fill(area image.Rectangle, p paint) {
	c := opaque(r.palette.of(p.role))
	source := image.NewUniform(color.NRGBA{c.R, c.G, c.B, uint8(math.Round(255 * p.opacity))})
	r.path.Draw(r.picture, area, source, image.Point{})
}

// begin starts a path over a rectangle in CSS pixels and returns it in dots, with the offset of its corner.
func (r *raster) begin(x, y, w, h float64) (area image.Rectangle, dx, dy float64) {
	area = image.Rect(int(math.Floor(x*r.scale)), int(math.Floor(y*r.scale)), int(math.Ceil((x+w)*r.scale)), int(math.Ceil((y+h)*r.scale)))
	r.path.Reset(area.Dx(), area.Dy())
	return area, float64(area.Min.X), float64(area.Min.Y)
}

func (r *raster) rect(s shape) {
	if s.fill.role != none && s.fill.opacity > 0 {
		area, dx, dy := r.begin(s.x, s.y, s.w, s.h)
		r.rounded(s.x*r.scale-dx, s.y*r.scale-dy, s.w*r.scale, s.h*r.scale, s.radius*r.scale, false)
		r.fill(area, s.fill)
	}
	if s.stroke.role == none {
		return
	}
	area, dx, dy := r.begin(s.x, s.y, s.w, s.h)
	x, y, w, h, t := s.x*r.scale-dx, s.y*r.scale-dy, s.w*r.scale, s.h*r.scale, s.strokeWidth()*r.scale
	if s.dashed {
		r.dashes(x, y, w, h, t)
	} else {
		r.rounded(x, y, w, h, s.radius*r.scale, false)
		r.rounded(x+t, y+t, w-2*t, h-2*t, max(0, s.radius*r.scale-t), true) // wound the other way: a hole
	}
	r.fill(area, s.stroke)
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

// dashes adds a rectangle's outline in dashes to the path.
func (r *raster) dashes(x, y, w, h, t float64) {
	dash, gap := 3*r.scale, 2*r.scale
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

// text draws a text run by run, shrunk where it is wider than its pinned width.
func (r *raster) text(s shape) error {
	f := r.fonts.of(s)
	size := s.size * r.scale
	width, err := r.advance(f, s.text, size)
	if err != nil {
		return err
	}
	if limit := s.w * r.scale; s.w > 0 && width > limit+1 {
		size *= limit / width
		width = limit
	}
	x := s.x * r.scale
	if s.anchor == middle {
		x -= width / 2
	}
	y := s.y * r.scale
	for run, pale := range runs(s) {
		if width, err = r.advance(f, run, size); err != nil {
			return err
		}
		area := image.Rect(int(x-size), int(y-1.5*size), int(x+width+size)+1, int(y+size)+1)
		r.path.Reset(area.Dx(), area.Dy())
		if err := r.glyphs(f, run, size, pen{&r.path, x - float64(area.Min.X), y - float64(area.Min.Y)}); err != nil {
			return err
		}
		color := s.fill
		if pale {
			color.opacity *= 0.5
		}
		r.fill(area, color)
		x += width
	}
	return nil
}

// glyphs adds a text's outlines to the path.
func (r *raster) glyphs(f *sfnt.Font, text string, size float64, p pen) error {
	for _, c := range text {
		if c == glyph.Newline {
			p.newline(size)
		} else {
			i, err := f.GlyphIndex(&r.buffer, c)
			if err != nil {
				return fmt.Errorf("heatmap: cannot find the glyph of %q: %w", c, err)
			}
			segments, err := f.LoadGlyph(&r.buffer, i, fixed.Int26_6(math.Round(size*64)), nil)
			if err != nil {
				return fmt.Errorf("heatmap: cannot load the glyph of %q: %w", c, err)
			}
			p.outline(segments)
		}
		step, err := r.advance(f, string(c), size)
		if err != nil {
			return err
		}
		p.x += step
	}
	return nil
}

// advance is a text's width in dots at a size.
func (r *raster) advance(f *sfnt.Font, text string, size float64) (float64, error) {
	width := 0.0
	for _, c := range text {
		if c == glyph.Newline {
			width += 0.6 * size
			continue
		}
		i, err := f.GlyphIndex(&r.buffer, c)
		if err != nil {
			return 0, fmt.Errorf("heatmap: cannot find the glyph of %q: %w", c, err)
		}
		a, err := f.GlyphAdvance(&r.buffer, i, fixed.Int26_6(math.Round(size*64)), font.HintingNone)
		if err != nil {
			return 0, fmt.Errorf("heatmap: cannot measure the glyph of %q: %w", c, err)
		}
		width += float64(a) / 64
	}
	return width, nil
}
