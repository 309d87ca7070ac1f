package heatmap

import (
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// pen draws glyphs at a place of a path.
type pen struct {
	path *vector.Rasterizer
	x, y float64
}

func (p pen) outline(segments sfnt.Segments) {
	at := func(q fixed.Point26_6) (float32, float32) {
		return float32(p.x + float64(q.X)/64), float32(p.y + float64(q.Y)/64)
	}
	for _, s := range segments {
		ax, ay := at(s.Args[0])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			p.path.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			p.path.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := at(s.Args[1])
			p.path.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			bx, by := at(s.Args[1])
			cx, cy := at(s.Args[2])
			p.path.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	p.path.ClosePath()
}

// newline draws ↵, which the Go fonts lack: a stroke down from the right, then left to an arrow's head. Coordinates
// are shares of the font's size, y upwards.
func (p pen) newline(size float64) {
	for i, q := range [][2]float64{
		{0.46, 0.55}, {0.53, 0.55}, {0.53, 0.21}, {0.22, 0.21}, {0.22, 0.34}, {0.05, 0.175}, {0.22, 0.01}, {0.22, 0.14}, {0.46, 0.14},
	} {
		x, y := float32(p.x+q[0]*size), float32(p.y-q[1]*size)
		if i == 0 {
			p.path.MoveTo(x, y)
		} else {
			p.path.LineTo(x, y)
		}
	}
	p.path.ClosePath()
}
