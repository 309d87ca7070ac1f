package graphviz

import (
	"cmp"
	"fmt"
	"math"

	"github.com/rivo/uniseg"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/layered"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// Diagram is what [SVG] and [PNG] draw: a graph of boxes of tokens whose columns are known. [Of] makes one of a neuron
// graph; graphs of other kinds are drawn alike by making their own.
type Diagram struct {
	Nodes  []Node
	Edges  []Edge
	Legend []Scale
	Notes  []string // more words of the legend
	name   string   // what a screen reader calls it where there is no title
	ends   bool     // whether the legend explains the bold border
	more   int      // nodes that are left out
}

// Node is a box: one token, or a set of them as chips.
type Node struct {
	Chips  []Chip
	Column int    // 0 stands at the right; larger is further left
	Bold   bool   // a bold border: the end of a line
	Absent bool   // crossed out: what must not be there
	Title  string // shown while the pointer rests on it; default: the chips' tokens
}

// Chip is a token on its colour.
type Chip struct {
	Token string
	Words bool // Token is words about tokens, such as "any token"
	Color Color
	Share float64 // of full colour, 0 to 1
}

// Edge leads from a node to one of its context, in a column further left.
type Edge struct {
	From, To int
	Label    string // such as "3 before" or "≤ 8"
}

// Color of a chip.
type Color uint8

const (
	Red   Color = iota // activating tokens
	Blue               // context
	Plain              // no colour
)

// Scale is an entry of the legend: a colour's name, and what its palest and its full shade stand for.
type Scale struct {
	Name, Low, High string
	Color           Color
}

// Of returns the diagram of a neuron graph. Of a large graph it holds the first o.MaxNodes nodes: parents precede
// children in breadth-first order, so that none is cut loose.
func Of(g *n2g.Graph, o Options) Diagram {
	shown := o.choose(g)
	activation, importance := o.scales()
	d := Diagram{
		name:  "neuron graph",
		more:  len(g.Nodes) - shown.nodes,
		Notes: []string{"← context"},
		ends:  true,
		Legend: []Scale{
			{"activation", fmt.Sprintf("%.2f", activation.low), "1", Red},
			{"importance", fmt.Sprintf("%.2f", importance.low), "1", Blue},
		},
	}
	for i, node := range g.Nodes[:shown.nodes] {
		chip := Chip{Token: node.Token, Color: Blue, Share: importance.share(node.Importance)}
		if node.Depth == 0 {
			chip.Color, chip.Share = Red, activation.share(node.Activation)
		}
		d.Nodes = append(d.Nodes, Node{
			Chips: []Chip{chip}, Column: max(0, node.Depth), Bold: node.End, Title: tooltip(node, shown.cut[i]),
		})
	}
	for _, edge := range shown.edges {
		d.Edges = append(d.Edges, Edge{From: edge[0], To: edge[1]})
	}
	return d
}

// Sizes in CSS pixels.
const (
	margin     = 16
	tokenSize  = 14
	cellWidth  = scene.CellShare * tokenSize
	boxHeight  = 30
	boxPadding = 12
	leastBox   = 60
	chipHeight = 22
	chipGap    = 4
	chipsWidth = 300 // of a row of chips, at most
	mostChips  = 24  // of one node; the title has all
	headHeight = 28
	keyHeight  = 26
	leastWidth = 600 // of a picture with a legend
)

// gaps of the layout.
var gaps = layered.Options{ColumnGap: 56, NodeGap: 12, PartGap: 20, Frame: 16, Aspect: 1.6}

// chip is one that is laid out.
type chip struct {
	text  string
	cells int
	x, w  float64
	row   int
	fill  scene.Paint
	ink   scene.Paint
}

// box is a node that is laid out, its chips relative to its corner.
type box struct {
	chips []chip
	w, h  float64
	small bool // of several chips
}

func (n Node) box(f scene.Face) box {
	chips := n.Chips
	left := 0
	if len(chips) > mostChips {
		left = len(chips) - mostChips
		chips = chips[:mostChips]
	}
	var b box
	for _, c := range chips {
		text, cells := scene.Fit(f.Show(c.visible()), longestLabel)
		fill, ink := c.paint()
		b.chips = append(b.chips, chip{text: text, cells: cells, fill: fill, ink: ink})
	}
	if left > 0 {
		text := fmt.Sprintf("+%d", left)
		b.chips = append(b.chips, chip{text: text, cells: len(text), ink: scene.Solid(scene.Muted)})
	}
	if len(b.chips) == 1 {
		b.w, b.h = max(leastBox, float64(b.chips[0].cells)*cellWidth+2*boxPadding), boxHeight
		b.chips[0].w = b.w
		return b
	}
	b.small = true
	const padding = 6
	x, row := float64(padding), 0
	for i := range b.chips {
		c := &b.chips[i]
		c.w = max(24, float64(c.cells)*cellWidth+10)
		if x > padding && x+c.w > chipsWidth+padding {
			x, row = padding, row+1
		}
		c.x, c.row = x, row
		x += c.w + chipGap
		b.w = max(b.w, x-chipGap+padding)
	}
	b.w = max(b.w, leastBox)
	b.h = 2*padding + float64(row+1)*(chipHeight+chipGap) - chipGap
	return b
}

// visible is a chip's text before it is cut.
func (c Chip) visible() string {
	if c.Words {
		return scene.Label(c.Token)
	}
	return visible(c.Token)
}

// paint returns a chip's background and the colour of text on it.
func (c Chip) paint() (fill, ink scene.Paint) {
	switch c.Color {
	case Red:
		return scene.Shade(scene.Red, c.Share, 1)
	case Blue:
		return scene.Shade(scene.Blue, c.Share, 1)
	}
	return scene.Paint{}, scene.Solid(scene.Ink)
}

// layout places the whole picture.
func (d Diagram) layout(o Options, f scene.Face) scene.Scene {
	boxes := make([]box, len(d.Nodes))
	nodes := make([]layered.Node, len(d.Nodes))
	for i, n := range d.Nodes {
		boxes[i] = n.box(f)
		nodes[i] = layered.Node{Column: n.Column, W: boxes[i].w, H: boxes[i].h}
	}
	edges := make([]layered.Edge, len(d.Edges))
	labels := make([]string, len(d.Edges))
	for i, e := range d.Edges {
		edges[i] = layered.Edge{From: e.From, To: e.To}
		if e.Label != "" {
			labels[i] = f.Show(scene.Label(e.Label))
			edges[i].W = f.Width(labels[i], scene.LabelSize) + 8
		}
	}
	l := layered.Place(nodes, edges, gaps)
	s := scene.Scene{Width: l.Width + 2*margin, Title: o.Title}
	if s.Title == "" {
		s.Title = cmp.Or(d.name, "graph")
	}
	s.Title = scene.Label(s.Title)
	y := float64(margin)
	if o.Title != "" {
		title := f.Show(scene.Label(o.Title))
		s.Add(scene.Text{X: margin, Y: y + 12, Text: title, Size: scene.TitleSize, Bold: true, Fill: scene.Solid(scene.Ink)})
		s.Width = max(s.Width, 1.15*f.Width(title, scene.TitleSize)+2*margin)
		y += headHeight
	}
	s.Width = d.key(&s, o, f, &y)
	d.draw(&s, boxes, l, labels, math.Round((s.Width-l.Width)/2), y)
	s.Height = math.Ceil(y + l.Height + margin)
	s.Width = math.Ceil(s.Width)
	return s
}

// key places the legend, and returns the picture's width with it.
func (d Diagram) key(s *scene.Scene, o Options, f scene.Face, y *float64) float64 {
	if o.NoLegend && d.more == 0 {
		return s.Width
	}
	width := max(s.Width, leastWidth)
	key := scene.NewKey(f, margin, width-2*margin, *y+8)
	if !o.NoLegend {
		for _, scale := range d.Legend {
			if scale.Color == Plain {
				continue
			}
			hue := scene.Red
			if scale.Color == Blue {
				hue = scene.Blue
			}
			key.Scale(f.Show(scene.Label(scale.Name)), f.Show(scene.Label(scale.Low)),
				f.Show(scene.Label(scale.High)), hue, false)
		}
		if d.ends {
			key.Swatch(scene.Rect{Stroke: scene.Solid(scene.Ink), Pen: 2.5}, "end of a line")
		}
		for _, note := range d.Notes {
			key.Note(f.Show(scene.Label(note)))
		}
	}
	if d.more > 0 {
		key.Note(notDrawn(d.more))
	}
	s.Add(key.Shapes...)
	*y = key.Y - 8 + keyHeight
	return max(s.Width, key.Extent()+margin)
}

// draw places frames, edges and nodes, in this order, so that nothing covers a token.
func (d Diagram) draw(s *scene.Scene, boxes []box, l layered.Layout, labels []string, x, y float64) {
	for _, frame := range l.Frames {
		s.Add(scene.Rect{X: x + frame.X, Y: y + frame.Y, W: frame.W, H: frame.H, Radius: 8, Stroke: scene.Solid(scene.Line),
			Dashed: true})
	}
	for i, route := range l.Routes {
		if len(route) < 2 {
			continue
		}
		shifted := make([]scene.Point, len(route))
		for k, p := range route {
			shifted[k] = scene.Point{X: x + p.X, Y: y + p.Y}
		}
		s.Add(arrow(shifted)...)
		if labels[i] != "" {
			s.Add(edgeLabel(shifted, labels[i], l.Routes, i)...)
		}
	}
	for i, n := range d.Nodes {
		at := l.Nodes[i]
		s.AddTitled(n.title(), n.shapes(boxes[i], x+at.X, y+at.Y)...)
	}
}

// arrow draws an edge as a curve from the context to what it is the context of, with its head there: a line reads like
// the text it stands for.
func arrow(route []scene.Point) []scene.Shape {
	const head = 7
	line := scene.Solid(scene.Muted)
	tip := route[0]
	route[0].X -= head - 1
	points := []scene.Point{route[0]}
	for k := 1; k < len(route); k++ {
		a, b := route[k-1], route[k]
		bend := (a.X - b.X) / 2
		if k%2 == 0 { // through a column
			bend = (a.X - b.X) / 3
		}
		points = append(points, scene.Point{X: a.X - bend, Y: a.Y}, scene.Point{X: b.X + bend, Y: b.Y}, b)
	}
	route[0] = tip
	return []scene.Shape{
		scene.Path{Points: points, Curved: true, Stroke: line, Pen: 1.5},
		scene.Path{Points: []scene.Point{tip, {X: tip.X - head, Y: tip.Y - 4}, {X: tip.X - head, Y: tip.Y + 4}}, Closed: true,
			Fill: line},
	}
}

// edgeLabel writes on an edge, near its context, where edges of one node have parted.
func edgeLabel(route []scene.Point, label string, routes [][]layered.Point, edge int) []scene.Shape {
	a, b := route[len(route)-2], route[len(route)-1]
	share := 0.5 // of the way from the context's side
	at := scene.Point{X: b.X + (a.X-b.X)*share, Y: b.Y + (a.Y-b.Y)*share}
	width := float64(uniseg.StringWidth(label))*6.2 + 6
	return []scene.Shape{
		scene.Rect{X: at.X - width/2, Y: at.Y - 8, W: width, H: 16, Radius: 4,
			Fill: scene.Paint{Role: scene.Surface, Opacity: 0.92}},
		scene.Text{X: at.X, Y: at.Y + 4, Text: label, Size: scene.LabelSize, Middle: true, Fill: scene.Solid(scene.Muted)},
	}
}

// notDrawn says that a picture leaves nodes out.
func notDrawn(nodes int) string {
	if nodes == 1 {
		return "1 more node is not drawn"
	}
	return fmt.Sprintf("%d more nodes are not drawn", nodes)
}

// shapes draws a node at a place.
func (n Node) shapes(b box, x, y float64) []scene.Shape {
	border := scene.Rect{X: x, Y: y, W: b.w, H: b.h, Radius: 6, Stroke: scene.Solid(scene.Muted), Pen: 1.25}
	if n.Bold {
		border.Stroke, border.Pen = scene.Solid(scene.Ink), 3
	}
	if n.Absent {
		border.Stroke, border.Dashed = scene.Solid(scene.Mark), true
	}
	var shapes []scene.Shape
	if b.small {
		border.Fill = scene.Solid(scene.Surface)
		shapes = append(shapes, border)
	} else { // the one chip is the node
		shapes = append(shapes, scene.Rect{X: x, Y: y, W: b.w, H: b.h, Radius: 6, Fill: scene.Solid(scene.Surface)})
	}
	for _, c := range b.chips {
		cx, cy, baseline := x+c.x, y, 20.0
		back := border
		back.Fill = c.fill
		if b.small {
			cy += 6 + float64(c.row)*(chipHeight+chipGap)
			baseline = 15.5
			back = scene.Rect{X: cx, Y: cy, W: c.w, H: chipHeight, Radius: 4, Fill: c.fill}
			if c.fill == (scene.Paint{}) {
				back.Stroke = scene.Solid(scene.Line)
			}
		}
		shapes = append(shapes, back, scene.Text{
			X: cx + c.w/2, Y: cy + baseline, W: float64(c.cells) * cellWidth, Text: c.text, Size: tokenSize, Middle: true,
			Mono: true, Fill: c.ink,
		})
	}
	if n.Absent {
		shapes = append(shapes, scene.Path{
			Points: []scene.Point{{X: x + 4, Y: y + b.h - 4}, {X: x + b.w - 4, Y: y + 4}}, Stroke: scene.Solid(scene.Mark),
			Pen: 2,
		})
	}
	return shapes
}

// title is what a node shows while the pointer rests on it.
func (n Node) title() string {
	if n.Title != "" {
		return scene.Label(n.Title)
	}
	title := ""
	for i, c := range n.Chips {
		if i > 0 {
			title += "  "
		}
		title += c.visible()
	}
	return title
}
