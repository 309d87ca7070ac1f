package engine

import (
	"cmp"
	"slices"
)

// Request is one prompt and what is asked of it.
type Request struct {
	IDs       []int // cut behind the last position asked: a causal model never looks further
	Positions []int // asked, nil for all
	Index     int   // the neuron
}

// group holds texts that run together and share the rows of equal prefixes: a trie in which each row follows its
// parent. A causal model computes equal values for equal prefixes, so one row serves all texts that begin with it.
type group struct {
	ids     []int32
	depth   []int32 // the token's position in its text
	parent  []int32 // row it follows, -1 for a first token
	index   []int32 // the neuron asked at the row
	members []member
	marks   []int32  // of each row, its place in edits; nil where nothing is edited
	edits   [][]Edit // that are made at a row; those of mark 0 are none
}

// member is a request's place in a group: rows[p] is the row of its token p.
type member struct {
	request int
	rows    []int32
}

// sharePrefixes packs requests into groups of at most limit rows each. Requests that share a prefix come into the same
// group as far as that limit allows; neurons of a group are equal. A request longer than the limit has a group of its
// own.
func sharePrefixes(requests []Request, limit int) []*group {
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	// In lexicographic order a request's longest shared prefix in a group is that with the one before it.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(requests[a].Index, requests[b].Index), slices.Compare(requests[a].IDs, requests[b].IDs))
	})
	var groups []*group
	var current *group
	var last Request
	for _, i := range order {
		r := requests[i]
		shared := 0
		if current != nil && r.Index == last.Index {
			shared = commonPrefix(last.IDs, r.IDs)
		}
		if current == nil || len(current.ids)+len(r.IDs)-shared > limit {
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
func (g *group) add(i int, r Request, shared int) {
	rows := make([]int32, len(r.IDs))
	if shared > 0 {
		copy(rows[:shared], g.members[len(g.members)-1].rows)
	}
	for p := shared; p < len(r.IDs); p++ {
		parent := int32(-1)
		if p > 0 {
			parent = rows[p-1]
		}
		rows[p] = int32(len(g.ids))
		g.ids = append(g.ids, int32(r.IDs[p]))
		g.depth = append(g.depth, int32(p))
		g.parent = append(g.parent, parent)
		g.index = append(g.index, int32(r.Index))
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

// asked lists the rows of which anything is asked, ascending, and for each row its place in the list.
func (g *group) asked(requests []Request) (rows, place []int32) {
	place = make([]int32, len(g.ids))
	for _, m := range g.members {
		for _, row := range m.asked(requests[m.request]) {
			place[row] = 1
		}
	}
	for row, wanted := range place {
		if wanted > 0 {
			place[row] = int32(len(rows))
			rows = append(rows, int32(row))
		}
	}
	return rows, place
}

// asked lists the rows asked, in the order of the question.
func (m member) asked(r Request) []int32 {
	if r.Positions == nil {
		return m.rows
	}
	rows := make([]int32, len(r.Positions))
	for i, p := range r.Positions {
		rows[i] = m.rows[p]
	}
	return rows
}

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
