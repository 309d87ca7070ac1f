// Package layered places the nodes of a graph whose columns are known: what a neuron graph and a context graph are,
// since the column of a token is its distance from the activating one.
//
// It is the layered method of Sugiyama, Tagawa and Toda (IEEE Trans. Systems, Man, and Cybernetics 11, 1981) without
// its first step. Nodes of a column are ordered by the barycentres of their neighbours, sweep by sweep, and the order
// with the fewest crossings is kept; an edge over several columns runs through a place of its own in each. Heights then
// follow the neighbours' means as closely as the order and the gaps allow, which is least-squares monotone regression
// (pool adjacent violators). Separate parts are laid out alone and stand in the columns of a grid.
//
// The same graph gives the same places, and equal input order breaks every tie.
package layered

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Node is a box to place.
type Node struct {
	Column int // 0 is the rightmost
	W, H   float64
}

// Edge leads from one node to another.
type Edge struct {
	From, To int
	W        float64 // width of its label, for which the gap between the columns is made wide enough
}

// Options are distances. All of them are at least 1.
type Options struct {
	ColumnGap, NodeGap float64
	PartGap            float64 // between the parts of a graph of several
	Frame              float64 // room around a part of more than one node, where there are several parts
	Aspect             float64 // of width to height that a grid of parts aims at
}

// Layout says where everything goes.
type Layout struct {
	Width, Height float64
	Nodes         []Box // by node
	// by edge: from the left side of From through free places to the right side of To; nil: not drawn
	Routes [][]Point
	Frames []Box // around each part of more than one node, where there are several parts
}

// Box is a rectangle by its upper left corner.
type Box struct{ X, Y, W, H float64 }

// Point is a place.
type Point struct{ X, Y float64 }

// Place lays a graph out. Edges to nowhere, and those that do not lead to a column further left, are not drawn.
func Place(nodes []Node, edges []Edge, o Options) Layout {
	l := Layout{Nodes: make([]Box, len(nodes)), Routes: make([][]Point, len(edges))}
	var drawn []int
	for i, e := range edges {
		if min(e.From, e.To) >= 0 && max(e.From, e.To) < len(nodes) && nodes[e.To].Column > nodes[e.From].Column {
			drawn = append(drawn, i)
		}
	}
	parts := components(nodes, edges, drawn)
	var blocks, loose []block
	for _, members := range parts {
		p := newPart(nodes, edges, members, drawn, o)
		p.order()
		p.align()
		p.measure(len(parts) > 1)
		b := block{w: p.w, h: p.h, framed: p.frame > 0, write: func(x, y float64) { p.write(&l, x, y) }}
		if len(members) == 1 {
			loose = append(loose, b)
		} else {
			blocks = append(blocks, b)
		}
	}
	if len(loose) > 0 { // nodes without edges stand together
		blocks = append(blocks, gather(loose, o.NodeGap, o.Aspect))
	}
	whole := gather(blocks, o.PartGap, o.Aspect)
	for i, at := range whole.boxes {
		if blocks[i].framed {
			l.Frames = append(l.Frames, at)
		}
	}
	whole.write(0, 0)
	l.Width, l.Height = whole.w, whole.h
	return l
}

// block is a rectangle that knows how to put what is in it in place.
type block struct {
	w, h   float64
	framed bool
	boxes  []Box // of the blocks in it
	write  func(x, y float64)
}

// gather makes one block of many, in a grid.
func gather(blocks []block, gap, aspect float64) block {
	whole := block{boxes: grid(blocks, gap, aspect)}
	for _, at := range whole.boxes {
		whole.w, whole.h = max(whole.w, at.X+at.W), max(whole.h, at.Y+at.H)
	}
	whole.write = func(x, y float64) {
		for i, at := range whole.boxes {
			blocks[i].write(x+at.X+at.W-blocks[i].w, y+at.Y) // in a wider frame, the activating tokens stand at its right
		}
	}
	return whole
}

// components returns the connected parts, each ascending, the parts by their first node.
func components(nodes []Node, edges []Edge, drawn []int) [][]int {
	root := make([]int, len(nodes))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, i := range drawn {
		a, b := find(edges[i].From), find(edges[i].To)
		root[max(a, b)] = min(a, b) // so that a root is its part's first node
	}
	parts := make([][]int, len(nodes))
	for i := range nodes {
		r := find(i)
		parts[r] = append(parts[r], i)
	}
	return slices.DeleteFunc(parts, func(members []int) bool { return members == nil })
}

// item is a node of a part, or the place where a long edge crosses a column.
type item struct {
	node        int // -1: a crossing
	w, h        float64
	left, right []int // neighbours, by index of items
	column, at  int   // at: its place in the column, from above
	y           float64
}

// part is a connected piece of the graph.
type part struct {
	o       Options
	items   []item
	columns [][]int   // items by column, from the rightmost used on
	gaps    []float64 // right of each column
	routes  []route
	frame   float64
	w, h    float64
	xs, ws  []float64 // by column: left end, width
}

// route is an edge through the items of a part.
type route struct {
	edge  int
	items []int
}

func newPart(nodes []Node, edges []Edge, members, drawn []int, o Options) *part {
	p := &part{o: o}
	first, last := math.MaxInt, 0
	for _, i := range members {
		first, last = min(first, nodes[i].Column), max(last, nodes[i].Column)
	}
	// Columns that hold nothing take no room: of far columns only those that are used are kept.
	used := map[int]int{}
	var list []int
	for _, i := range members {
		if _, ok := used[nodes[i].Column]; !ok {
			used[nodes[i].Column] = 0
			list = append(list, nodes[i].Column)
		}
	}
	slices.Sort(list)
	for k, column := range list {
		used[column] = k
	}
	p.columns, p.gaps = make([][]int, len(list)), make([]float64, len(list))
	for k := range p.gaps {
		p.gaps[k] = o.ColumnGap
	}
	index := map[int]int{}
	add := func(it item) int {
		it.at = len(p.columns[it.column])
		p.items = append(p.items, it)
		p.columns[it.column] = append(p.columns[it.column], len(p.items)-1)
		return len(p.items) - 1
	}
	for _, i := range members {
		index[i] = add(item{node: i, w: nodes[i].W, h: nodes[i].H, column: used[nodes[i].Column]})
	}
	for _, k := range drawn {
		e := edges[k]
		from, ok := index[e.From]
		if !ok {
			continue
		}
		to := index[e.To]
		r := route{edge: k, items: []int{from}}
		for column := p.items[from].column + 1; column < p.items[to].column; column++ {
			r.items = append(r.items, add(item{node: -1, h: 2, column: column}))
		}
		r.items = append(r.items, to)
		for s := 1; s < len(r.items); s++ {
			a, b := r.items[s-1], r.items[s]
			p.items[a].left = append(p.items[a].left, b)
			p.items[b].right = append(p.items[b].right, a)
		}
		if e.W > 0 {
			column := p.items[to].column
			p.gaps[column] = max(p.gaps[column], e.W+o.ColumnGap*0.75)
		}
		p.routes = append(p.routes, r)
	}
	return p
}

const (
	sweeps     = 12  // over a part's columns; more change little
	starts     = 8   // orders to begin with: a sweep ends in the nearest valley
	mostStarts = 400 // items of a part up to which more than one start is tried
)

// order sorts the columns by barycentres and keeps the best order met.
func (p *part) order() {
	best, fewest := p.snapshot(), p.crossings()
	random := rand.New(rand.NewPCG(1, 1))
	for start := 0; start < starts && fewest > 0; start++ {
		if start > 0 {
			if len(p.items) > mostStarts {
				break
			}
			for k, column := range p.columns {
				random.Shuffle(len(column), func(i, j int) { column[i], column[j] = column[j], column[i] })
				p.number(k)
			}
		}
		for s := 0; s < sweeps && fewest > 0; s++ {
			leftward := s%2 == 0
			for k := range p.columns {
				if leftward {
					p.sort(k, func(it *item) []int { return it.right })
				} else {
					p.sort(len(p.columns)-1-k, func(it *item) []int { return it.left })
				}
			}
			p.exchange()
			if n := p.crossings(); n < fewest {
				best, fewest = p.snapshot(), n
			}
		}
	}
	for k, column := range best {
		p.columns[k] = column
		p.number(k)
	}
}

func (p *part) snapshot() [][]int {
	copied := make([][]int, len(p.columns))
	for k, column := range p.columns {
		copied[k] = slices.Clone(column)
	}
	return copied
}

func (p *part) number(column int) {
	for at, i := range p.columns[column] {
		p.items[i].at = at
	}
}

// sort orders a column by the mean place of its neighbours on a side; items without any keep theirs.
func (p *part) sort(column int, side func(*item) []int) {
	centre := make(map[int]float64, len(p.columns[column]))
	for _, i := range p.columns[column] {
		neighbours := side(&p.items[i])
		centre[i] = float64(p.items[i].at)
		if len(neighbours) > 0 {
			sum := 0.0
			for _, n := range neighbours {
				sum += float64(p.items[n].at)
			}
			centre[i] = sum / float64(len(neighbours))
		}
	}
	slices.SortStableFunc(p.columns[column], func(a, b int) int { return cmp.Compare(centre[a], centre[b]) })
	p.number(column)
}

// exchange swaps neighbours in a column as long as that saves crossings, which barycentres overlook.
func (p *part) exchange() {
	// saved is how many fewer crossings the edges of two neighbours have when the lower one, b, stands above.
	saved := func(a, b []int) (n int) {
		for _, i := range a {
			for _, k := range b {
				switch {
				case p.items[i].at > p.items[k].at:
					n++
				case p.items[i].at < p.items[k].at:
					n--
				}
			}
		}
		return n
	}
	for better, round := true, 0; better && round < sweeps; round++ {
		better = false
		for _, column := range p.columns {
			for at := 1; at < len(column); at++ {
				a, b := &p.items[column[at-1]], &p.items[column[at]]
				if saved(a.left, b.left)+saved(a.right, b.right) > 0 {
					column[at-1], column[at] = column[at], column[at-1]
					a.at, b.at = at, at-1
					better = true
				}
			}
		}
	}
}

// crossings counts the pairs of edges that cross between neighbouring columns, as inversions, by a Fenwick tree (Barth,
// Mutzel and Jünger 2004).
func (p *part) crossings() int {
	total := 0
	for k := 1; k < len(p.columns); k++ {
		right := len(p.columns[k-1])
		tree := make([]int, right+1)
		seen := 0
		for _, i := range p.columns[k] {
			var ends []int
			for _, n := range p.items[i].right {
				ends = append(ends, p.items[n].at)
			}
			for _, at := range ends { // those of one item do not cross each other
				below := 0
				for q := at + 1; q > 0; q -= q & -q {
					below += tree[q]
				}
				total += seen - below
			}
			for _, at := range ends {
				for q := at + 1; q <= right; q += q & -q {
					tree[q]++
				}
				seen++
			}
		}
	}
	return total
}

// align gives every item a height near its neighbours' mean.
func (p *part) align() {
	for k := range p.columns {
		y := 0.0
		for _, i := range p.columns[k] {
			p.items[i].y = y + p.items[i].h/2
			y += p.items[i].h + p.o.NodeGap
		}
	}
	both := func(it *item) []int { return append(slices.Clone(it.left), it.right...) }
	for s := range sweeps {
		for k := range p.columns {
			switch column := k; {
			case s == sweeps-1:
				p.settle(column, both)
			case s%2 == 0:
				p.settle(column, func(it *item) []int { return it.right })
			default:
				p.settle(len(p.columns)-1-column, func(it *item) []int { return it.left })
			}
		}
	}
}

// settle moves a column's items to the means of their neighbours on a side, the nearest places that keep the order.
func (p *part) settle(column int, side func(*item) []int) {
	items := p.columns[column]
	// Places relative to a tight stack, so that keeping the gaps is keeping them ascending.
	offset, want := make([]float64, len(items)), make([]float64, len(items))
	for k, i := range items {
		it := &p.items[i]
		if k > 0 {
			before := &p.items[items[k-1]]
			gap := p.o.NodeGap
			if it.node < 0 && before.node < 0 {
				gap /= 3
			}
			offset[k] = offset[k-1] + before.h/2 + gap + it.h/2
		}
		want[k] = it.y
		if neighbours := side(it); len(neighbours) > 0 {
			sum := 0.0
			for _, n := range neighbours {
				sum += p.items[n].y
			}
			want[k] = sum / float64(len(neighbours))
		}
		want[k] -= offset[k]
	}
	for k, y := range monotone(want) {
		p.items[items[k]].y = y + offset[k]
	}
}

// monotone returns the ascending numbers nearest to values in squares.
func monotone(values []float64) []float64 {
	type pool struct {
		sum float64
		n   int
	}
	mean := func(p pool) float64 { return p.sum / float64(p.n) }
	var pools []pool
	for _, v := range values {
		pools = append(pools, pool{v, 1})
		for len(pools) > 1 && mean(pools[len(pools)-2]) > mean(pools[len(pools)-1]) {
			last := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			pools[len(pools)-1].sum += last.sum
			pools[len(pools)-1].n += last.n
		}
	}
	var out []float64
	for _, q := range pools {
		for range q.n {
			out = append(out, mean(q))
		}
	}
	return out
}

// measure finds the part's size, with room for a frame where it is one of several.
func (p *part) measure(several bool) {
	top, bottom := math.Inf(1), math.Inf(-1)
	p.ws, p.xs = make([]float64, len(p.columns)), make([]float64, len(p.columns))
	nodes := 0
	for k, column := range p.columns {
		for _, i := range column {
			it := p.items[i]
			p.ws[k] = max(p.ws[k], it.w)
			top, bottom = min(top, it.y-it.h/2), max(bottom, it.y+it.h/2)
			if it.node >= 0 {
				nodes++
			}
		}
	}
	for i := range p.items {
		p.items[i].y -= top
	}
	for k := len(p.columns) - 1; k >= 0; k-- {
		p.xs[k] = p.w
		p.w += p.ws[k]
		if k > 0 {
			p.w += p.gaps[k]
		}
	}
	p.h = bottom - top
	if several && nodes > 1 {
		p.frame = p.o.Frame
		p.w += 2 * p.frame
		p.h += 2 * p.frame
	}
}

// write puts a part's places into the layout, its corner at x, y.
func (p *part) write(l *Layout, x, y float64) {
	x, y = x+p.frame, y+p.frame
	for _, it := range p.items {
		if it.node >= 0 {
			l.Nodes[it.node] = Box{x + p.xs[it.column] + (p.ws[it.column]-it.w)/2, y + it.y - it.h/2, it.w, it.h}
		}
	}
	for _, r := range p.routes {
		var points []Point
		for s, i := range r.items {
			it := p.items[i]
			switch {
			case s == 0:
				points = append(points, Point{l.Nodes[it.node].X, y + it.y})
			case s == len(r.items)-1:
				points = append(points, Point{l.Nodes[it.node].X + it.w, y + it.y})
			default:
				points = append(points, Point{x + p.xs[it.column] + p.ws[it.column], y + it.y},
					Point{x + p.xs[it.column], y + it.y})
			}
		}
		l.Routes[r.edge] = points
	}
}

// grid places blocks in columns, each into the one that is shortest so far, and returns their boxes. Of all numbers of
// columns it takes the one whose whole fits the smallest window of the aspect wanted.
func grid(blocks []block, gap, aspect float64) []Box {
	var best []Box
	smallest := math.Inf(1)
	for n := 1; n <= min(len(blocks), mostColumns); n++ {
		boxes := make([]Box, len(blocks))
		heights, widths := make([]float64, n), make([]float64, n)
		in := make([]int, len(blocks))
		for i, b := range blocks {
			shortest := 0
			for k := range heights {
				if heights[k] < heights[shortest] {
					shortest = k
				}
			}
			in[i] = shortest
			boxes[i] = Box{Y: heights[shortest], W: b.w, H: b.h}
			heights[shortest] += b.h + gap
			widths[shortest] = max(widths[shortest], b.w)
		}
		left, right := make([]float64, n), -gap
		for k, w := range widths {
			left[k] = right + gap
			right = left[k] + w
		}
		for i, b := range blocks {
			boxes[i].X = left[in[i]]
			if b.framed {
				boxes[i].W = widths[in[i]] // frames of a column are equally wide
			} else {
				boxes[i].X += (widths[in[i]] - b.w) / 2
			}
		}
		if side := max(right/aspect, slices.Max(heights)-gap); side < smallest {
			best, smallest = boxes, side
		}
	}
	return best
}

// mostColumns bounds what is tried for a grid of thousands of parts.
const mostColumns = 400
