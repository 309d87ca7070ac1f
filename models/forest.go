package models

import (
	"cmp"
	"slices"
)

// request is one prompt and what is asked of it.
type request struct {
	ids       []int // cut behind the last position asked: a causal model never looks further
	positions []int // asked, nil for all
	index     int   // the neuron
}

// group holds texts that run together and share the rows of equal prefixes: a trie in which each row follows its parent.
// A causal model computes equal values for equal prefixes, so one row serves all texts that begin with it.
type group struct {
	ids     []int32
	depth   []int32 // the token's position in its text
	parent  []int32 // row it follows, -1 for a first token
	index   []int32 // the neuron asked at the row
	members []member
}

// member is a request's place in a group: rows[p] is the row of its token p.
type member struct {
	request int
	rows    []int32
}

// plant packs requests into groups of at most limit rows each. Requests that share a prefix come into the same group as
// far as that limit allows; neurons of a group are equal. A request longer than the limit has a group of its own.
func plant(requests []request, limit int) []*group {
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	// In lexicographic order a request's longest shared prefix in a group is that with the one before it.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(requests[a].index, requests[b].index), slices.Compare(requests[a].ids, requests[b].ids))
	})
	var groups []*group
	var current *group
	var last request
	for _, i := range order {
		r := requests[i]
		shared := 0
		if current != nil && r.index == last.index {
			shared = commonPrefix(last.ids, r.ids)
		}
		if current == nil || len(current.ids)+len(r.ids)-shared > limit {
			current = &group{}
			groups = append(groups, current)
			shared = 0
		}
		current.add(i, r, shared)
		last = r
	}
	return groups
}

// add appends a request whose first shared tokens are those of the last member.
func (g *group) add(i int, r request, shared int) {
	rows := make([]int32, len(r.ids))
	if shared > 0 {
		copy(rows[:shared], g.members[len(g.members)-1].rows)
	}
	for p := shared; p < len(r.ids); p++ {
		parent := int32(-1)
		if p > 0 {
			parent = rows[p-1]
		}
		rows[p] = int32(len(g.ids))
		g.ids = append(g.ids, int32(r.ids[p]))
		g.depth = append(g.depth, int32(p))
		g.parent = append(g.parent, parent)
		g.index = append(g.index, int32(r.index))
	}
	g.members = append(g.members, member{i, rows})
}

// commonPrefix is the number of equal tokens at the beginning.
func commonPrefix(a, b []int) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// batch is groups that run as one, each padded to the same number of rows.
type batch struct {
	groups []*group
	slots  int // groups including padding
	rows   int // of each group including padding
}

// tensors lays a batch out: ids, positions and neuron indices [slots, rows], and for each row which rows it sees,
// [slots, rows, rows]. A padding row sees itself alone and nothing sees it.
func (b batch) tensors() (ids, positions, index []int32, ancestor []bool) {
	n := b.slots * b.rows
	ids, positions, index = make([]int32, n), make([]int32, n), make([]int32, n)
	ancestor = make([]bool, n*b.rows)
	for slot := range b.slots {
		var g group
		if slot < len(b.groups) {
			g = *b.groups[slot]
		}
		at := slot * b.rows
		copy(ids[at:], g.ids)
		copy(positions[at:], g.depth)
		copy(index[at:], g.index)
		seen := ancestor[at*b.rows : (at+b.rows)*b.rows]
		for row := range b.rows {
			if row < len(g.parent) && g.parent[row] >= 0 {
				parent := int(g.parent[row])
				copy(seen[row*b.rows:(row+1)*b.rows], seen[parent*b.rows:(parent+1)*b.rows])
			}
			seen[row*b.rows+row] = true
		}
	}
	return ids, positions, index, ancestor
}

// bucketing rounds a batch's shape up, so that few programs serve all: a backend compiles each for seconds.
type bucketing struct {
	most int // rows of a batch, padding included
}

// rows is the padded number of a group's.
func (bucketing) rows(n int) int { return powerOfTwo(max(n, 32)) }

// slots is the padded number of a batch's groups.
func (bucketing) slots(n int) int { return powerOfTwo(n) }

// ceilDiv is a/b, rounded up.
func ceilDiv(a, b int) int { return (a + b - 1) / b }

// powerOfTwo is the least one that is not below n.
func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}
