package engine

import (
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// batch is groups that run as one, each padded to the same number of rows.
type batch struct {
	groups []*group
	slots  int // groups including padding
	rows   int // of each group including padding
}

// tensors lays a batch out: ids and positions [slots, rows], and for each row which rows it sees, [slots, rows, rows].
// A padding row sees itself alone and nothing sees it.
func (b batch) tensors() (ids, positions []int32, ancestor []bool) {
	n := b.slots * b.rows
	ids, positions = make([]int32, n), make([]int32, n)
	ancestor = make([]bool, n*b.rows)
	for slot := range b.slots {
		var g group
		if slot < len(b.groups) {
			g = *b.groups[slot]
		}
		at := slot * b.rows
		copy(ids[at:], g.ids)
		copy(positions[at:], g.depth)
		seen := ancestor[at*b.rows : (at+b.rows)*b.rows]
		for row := range b.rows {
			if row < len(g.parent) && g.parent[row] >= 0 {
				parent := int(g.parent[row])
				copy(seen[row*b.rows:(row+1)*b.rows], seen[parent*b.rows:(parent+1)*b.rows])
			}
			seen[row*b.rows+row] = true
		}
	}
	return ids, positions, ancestor
}

// asked lays out the rows that are asked of each group and the neuron of each, [slots, n]; what is left repeats row 0.
func (b batch) asked(of [][]int32, n int) (rows, index []int32) {
	rows, index = make([]int32, b.slots*n), make([]int32, b.slots*n)
	for slot, list := range of {
		copy(rows[slot*n:], list)
		for i, row := range list {
			index[slot*n+i] = b.groups[slot].index[row]
		}
	}
	return rows, index
}

// counts lays out which rows count for the summary of attention of each of the rows asked, [slots, n, rows].
func (b batch) counts(kind string, of [][]int32, n int) []bool {
	counts := make([]bool, b.slots*n*b.rows)
	for slot, list := range of {
		g := b.groups[slot]
		for i, row := range list {
			path := g.path(int(row))
			ids := make([]int32, len(path))
			for p, at := range path {
				ids[p] = g.ids[at]
			}
			for p, at := range path {
				counts[(slot*n+i)*b.rows+int(at)] = transformer.Counts(kind, ids, p)
			}
		}
	}
	return counts
}

// path is the rows of a row's text up to it.
func (g *group) path(row int) []int32 {
	path := make([]int32, g.depth[row]+1)
	for at, p := int32(row), len(path)-1; p >= 0; at, p = g.parent[at], p-1 {
		path[p] = at
	}
	return path
}

// bucketing rounds a batch's shape up, so that few programs serve all: a backend compiles each for a good part of a
// second.
//
// On the processor a batch is one group, or in small models two of one call: a few hundred rows keep its cores busy, so
// that programs for more would gain nothing. The shape a group runs in follows from its call alone then, and with it,
// to the last bit, its results. Long calls fill their groups to the limit, so little is lost to padding: 10 % on the
// golden neurons. What is left is padded by a quarter at most where rows cost more than programs do, and to the limit
// where they do not.
type bucketing struct {
	most  int  // rows of a batch, padding included
	host  bool // whether the processor computes
	small bool // whether a hundred groups run in the time in which programs for another size are compiled
}

// Of groups on the processor: the most rows, so that a text of 128 tokens and BOS goes into one, and the fewest that
// they are padded to. In small models, where attention, which looks at every pair of a group's rows, costs as much as
// products, two groups of the smaller size make a batch; in others one, that holds two such texts.
const (
	hostSmall = 136
	hostGroup = 2 * hostSmall
	hostLeast = 64
)

// newBucketing is that of a model on a backend.
func newBucketing(c transformer.Decoder, host bool) bucketing {
	perLayer := 4*c.DModel*c.DModel + 2*c.DModel*c.DMLP
	return bucketing{most: deviceRows, host: host, small: perLayer < 1e6}
}

// limit is the most rows of a group.
func (b bucketing) limit() int {
	switch {
	case !b.host:
		return deviceGroup
	case b.small:
		return hostSmall
	}
	return hostGroup
}

// rows is the padded number of a group's.
func (b bucketing) rows(n int) int {
	switch {
	case !b.host:
		return powerOfTwo(max(n, 32))
	case b.small:
		return hostSmall * powerOfTwo(ceilDiv(n, hostSmall))
	}
	size := hostLeast
	for size < n {
		next := (size + 1) * 4 / 3 &^ 7
		if size < hostGroup {
			next = min(next, hostGroup)
		}
		size = next
	}
	return size
}

// slots is the padded number of a batch's groups of so many rows, padding included.
func (b bucketing) slots(n, rows int) int {
	if b.host {
		return b.together(rows)
	}
	return powerOfTwo(n)
}

// together is how many groups of so many rows, padding included, make a batch on the processor.
func (b bucketing) together(rows int) int {
	if b.small {
		return max(1, hostGroup/rows)
	}
	return 1
}

// asked is how many rows the program of a site computes, of a batch padded to so many: a quarter, where no more are
// asked of a group, or 0 for all.
func (bucketing) asked(n, rows int) int {
	if quarter := rows / 4; n <= quarter {
		return quarter
	}
	return 0
}

// windows is how many windows of a length go through one program.
func (b bucketing) windows(n, length int) (taken, slots int) {
	if b.host { // always as many, so that there is one program for each length
		slots = max(1, 2*hostGroup/length)
		return min(n, slots), slots
	}
	taken = max(1, min(n, b.most/length))
	return taken, b.slots(taken, length)
}

// choose picks groups of similar size, the first among them, and as many as a batch holds: all are padded to the
// largest. Where groups wait for more than one worker it takes its share of them.
func (b bucketing) choose(waiting []piece, shares int) []int {
	if b.host {
		return b.mates(waiting)
	}
	sizes := make([]int, len(waiting)) // padded
	total := 0
	for i, p := range waiting {
		sizes[i] = b.rows(len(p.group.ids))
		total += len(p.group.ids)
	}
	most := min(b.most, max(leastRows, ceilDiv(total, shares)))
	similar := func(size int) (chosen []int) {
		for i, s := range sizes {
			// Rather a small batch of its own than much padding in this one.
			if i == 0 || s <= size && 4*s >= 3*size && (len(chosen)+1)*size <= most {
				chosen = append(chosen, i)
			}
		}
		return chosen
	}
	if chosen := similar(sizes[0]); len(chosen)*sizes[0] >= leastRows {
		return chosen
	}
	// Too few of its size: rather much padding than a very small batch.
	size := slices.Max(sizes)
	var chosen []int
	for i := range sizes {
		if i == 0 || (len(chosen)+1)*size <= most {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// mates are the first of groups that wait and as many of its call as run with it.
func (b bucketing) mates(waiting []piece) (chosen []int) {
	most := b.together(b.rows(len(waiting[0].group.ids)))
	for i, p := range waiting {
		if p.call == waiting[0].call && len(chosen) < most {
			chosen = append(chosen, i)
		}
	}
	return chosen
}
