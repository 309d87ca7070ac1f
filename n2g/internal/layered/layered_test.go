package layered

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var distances = Options{ColumnGap: 50, NodeGap: 10, PartGap: 20, Frame: 15, Aspect: 1.6}

// random graphs of a number of nodes, their edges over one column or more.
func random(seed uint64, n int) ([]Node, []Edge) {
	r := rand.New(rand.NewPCG(seed, 1))
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{Column: r.IntN(5), W: 40 + float64(r.IntN(100)), H: 20 + float64(r.IntN(60))}
	}
	var edges []Edge
	for range n {
		edges = append(edges, Edge{From: r.IntN(n+2) - 1, To: r.IntN(n), W: float64(r.IntN(2) * 60)})
	}
	return nodes, edges
}

func overlap(a, b Box) bool {
	const slack = 1e-6
	return a.X+a.W > b.X+slack && b.X+b.W > a.X+slack && a.Y+a.H > b.Y+slack && b.Y+b.H > a.Y+slack
}

func TestPlace(t *testing.T) {
	for seed := range uint64(200) {
		nodes, edges := random(seed, int(seed)%40)
		l := Place(nodes, edges, distances)
		for i, a := range l.Nodes {
			if a.X < 0 || a.Y < -1e-6 || a.X+a.W > l.Width+1e-6 || a.Y+a.H > l.Height+1e-6 || a.W != nodes[i].W ||
				a.H != nodes[i].H {
				t.Fatalf("seed %d: node %d at %+v in %g by %g", seed, i, a, l.Width, l.Height)
			}
			for k, b := range l.Nodes[:i] {
				if overlap(a, b) {
					t.Fatalf("seed %d: nodes %d and %d overlap: %+v %+v", seed, k, i, b, a)
				}
			}
		}
		for i, a := range l.Frames {
			for _, b := range l.Frames[:i] {
				if overlap(a, b) {
					t.Fatalf("seed %d: frames overlap: %+v %+v", seed, b, a)
				}
			}
		}
		for k, route := range l.Routes {
			e := edges[k]
			drawn := e.From >= 0 && e.From < len(nodes) && nodes[e.To].Column > nodes[e.From].Column
			if drawn != (route != nil) {
				t.Fatalf("seed %d: edge %+v has route %v", seed, e, route)
			}
			if !drawn {
				continue
			}
			from, to := l.Nodes[e.From], l.Nodes[e.To]
			if to.X+to.W > from.X || route[0].X != from.X || route[len(route)-1].X != to.X+to.W {
				t.Fatalf("seed %d: edge from %+v to %+v runs %v", seed, from, to, route)
			}
			for i := 1; i < len(route); i++ {
				if route[i].X > route[i-1].X {
					t.Fatalf("seed %d: edge %+v turns back: %v", seed, e, route)
				}
			}
		}
		again := Place(nodes, edges, distances)
		if fmt.Sprint(l) != fmt.Sprint(again) {
			t.Fatalf("seed %d: a second layout differs", seed)
		}
	}
}

// TestColumns: of one part, columns do not share height lines, and further columns stand further left.
func TestColumns(t *testing.T) {
	nodes := []Node{{0, 50, 20}, {1, 80, 20}, {1, 60, 20}, {2, 50, 20}, {5, 50, 20}}
	l := Place(nodes, []Edge{{0, 1, 0}, {0, 2, 0}, {1, 3, 0}, {0, 4, 0}}, distances)
	if len(l.Frames) != 0 {
		t.Errorf("one part has %d frames", len(l.Frames))
	}
	for i := 1; i < len(nodes); i++ {
		for k := range i {
			a, b := l.Nodes[k], l.Nodes[i]
			if nodes[i].Column > nodes[k].Column && b.X+b.W+distances.ColumnGap > a.X+1e-6 {
				t.Errorf("node %d at %+v is not a gap left of node %d at %+v", i, b, k, a)
			}
		}
	}
	if len(l.Routes[3]) != 6 {
		t.Errorf("an edge over two columns runs %v", l.Routes[3])
	}
}

// crossed counts the pairs of straight edges between two columns that cross, each against each.
func crossed(l Layout, edges []Edge) int {
	n := 0
	centre := func(i int) float64 { return l.Nodes[i].Y + l.Nodes[i].H/2 }
	for i, a := range edges {
		for _, b := range edges[:i] {
			if (centre(a.From)-centre(b.From))*(centre(a.To)-centre(b.To)) < 0 {
				n++
			}
		}
	}
	return n
}

// TestCrossings compares with the best order of all, for small graphs of two columns.
func TestCrossings(t *testing.T) {
	total, best := 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		const half = 4
		nodes := make([]Node, 2*half)
		for i := range nodes {
			nodes[i] = Node{Column: i / half, W: 40, H: 20}
		}
		// A path through all of them, shuffled, so that it is one part; and three edges more.
		var edges []Edge
		right, left := r.Perm(half), r.Perm(half)
		for i := range half {
			edges = append(edges, Edge{From: right[i], To: half + left[i]})
			if i > 0 {
				edges = append(edges, Edge{From: right[i], To: half + left[i-1]})
			}
		}
		for range 3 {
			edges = append(edges, Edge{From: r.IntN(half), To: half + r.IntN(half)})
		}
		total += crossed(Place(nodes, edges, distances), edges)
		fewest := math.MaxInt
		permutations(half, func(a []int) {
			permutations(half, func(b []int) {
				n := 0
				for i, e := range edges {
					for _, f := range edges[:i] {
						if (a[e.From]-a[f.From])*(b[e.To-half]-b[f.To-half]) < 0 {
							n++
						}
					}
				}
				fewest = min(fewest, n)
			})
		})
		best += fewest
	}
	if total > best+best/10 {
		t.Errorf("%d crossings, the best orders have %d", total, best)
	}
	t.Logf("%d crossings, the best orders have %d", total, best)
}

func permutations(n int, yield func([]int)) {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	var next func(k int)
	next = func(k int) {
		if k == n {
			yield(list)
			return
		}
		for i := k; i < n; i++ {
			list[k], list[i] = list[i], list[k]
			next(k + 1)
			list[k], list[i] = list[i], list[k]
		}
	}
	next(0)
}

// TestMonotone compares with every ascending choice of a few numbers.
func TestMonotone(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		values := []float64{float64(r.IntN(9)), float64(r.IntN(9)), float64(r.IntN(9)), float64(r.IntN(9))}
		got := monotone(values)
		if !slices.IsSorted(got) {
			t.Fatalf("monotone(%v) = %v", values, got)
		}
		distance := func(of []float64) (sum float64) {
			for i := range of {
				sum += (of[i] - values[i]) * (of[i] - values[i])
			}
			return sum
		}
		for a := 0.0; a <= 9; a += 0.5 {
			for b := a; b <= 9; b += 0.5 {
				for c := b; c <= 9; c += 0.5 {
					for d := c; d <= 9; d += 0.5 {
						if other := []float64{a, b, c, d}; distance(other) < distance(got)-1e-9 {
							t.Fatalf("monotone(%v) = %v, but %v is nearer", values, got, other)
						}
					}
				}
			}
		}
	}
}

// TestGrid: many parts fill a window about as wide as asked, whatever their sizes.
func TestGrid(t *testing.T) {
	for _, n := range []int{2, 12, 60, 300} {
		var nodes []Node
		var edges []Edge
		for i := range n {
			nodes = append(nodes, Node{0, 60, 30}, Node{1, 60 + float64(i%3)*20, 30})
			edges = append(edges, Edge{From: 2 * i, To: 2*i + 1})
		}
		l := Place(nodes, edges, distances)
		if len(l.Frames) != n {
			t.Errorf("%d frames around %d parts", len(l.Frames), n)
		}
		if aspect := l.Width / l.Height; n > 2 && (aspect < 0.8 || aspect > 3.2) {
			t.Errorf("%d parts are laid out on %.0f by %.0f", n, l.Width, l.Height)
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{200, 2000} {
		nodes, edges := random(1, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Place(nodes, edges, distances)
			}
		})
	}
}
