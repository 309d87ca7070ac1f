package contexttree

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// longest is the most tokens of an entry in a leaf's tables: the current one and those before it.
const longest = 3

// quietShare is how many entries with a posted token behind them there may be for each of one without: these only tell
// how weakly the neuron answers.
const quietShare = 4

// visible is what an entry must differ by from what is predicted without it.
const visible = .001

// cell is a leaf, or what in a leaf ends in certain tokens.
type cell struct {
	parent int32 // ends in one token less
	symbol int32 // the furthest of its tokens
	leaf   int32
	order  int8
	posted bool // build documents have a posted token here

	counts
}

// tables measures the leaves on all build documents, gives them entries for suffixes of up to longest tokens, those by
// which the error falls most, and returns what is predicted for tokens of which it is known whether they fire.
func (l *learner) tables(root *leaf, leaves []*leaf) []group {
	l.fillCells(root, leaves)
	cells := l.cells
	for i := len(cells) - 1; i >= len(leaves); i-- {
		cells[cells[i].parent].add(&cells[i].counts, 1)
	}
	values := make([][folds + 1]float64, len(cells)) // without each fold, and with all
	kept := make([]int32, len(cells))                // the cell itself, or the next shorter one that is kept
	type entry struct {
		cell int32
		gain float64
	}
	var entries []entry
	for i := range cells {
		x := &cells[i]
		if x.order == 0 {
			leaf := leaves[i]
			t := x.total(-1)
			leaf.node.Tokens, leaf.node.Firing = t.n, x.buildFiring()
			for f := range folds + 1 {
				t := x.total(f) // folds is none of them
				values[i][f] = t.shrunk(leaf.prior, meanWeight)
			}
			leaf.node.Value = values[i][folds]
			kept[i] = int32(i)
			continue
		}
		parent := kept[x.parent]
		kept[i] = parent
		t := x.total(-1)
		without := values[parent][folds]
		value := t.shrunk(without, entryWeight)
		if math.Abs(value-without) <= visible {
			continue
		}
		kept[i] = int32(i)
		for f := range folds {
			values[i][f] = x.total(f).shrunk(values[parent][f], entryWeight)
		}
		values[i][folds] = value
		// How much the squared error falls where the entry's value stands for that without it.
		entries = append(entries, entry{int32(i), t.n*without*without - 2*t.sum*without - (t.n*value*value - 2*t.sum*value)})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.cell, b.cell))
	})
	chosen := make([]bool, len(cells))
	budget, quietBudget := l.options.Entries, l.options.Entries/quietShare
	for _, e := range entries {
		left := &budget
		if !cells[e.cell].posted {
			left = &quietBudget
		}
		if *left > 0 {
			chosen[e.cell] = true
			*left--
		}
	}
	l.describeEntries(leaves, chosen, values)
	l.move()
	return l.heldOut(chosen, values)
}

// move is a position that comes to another leaf where its own fold has no say in the tests.
type move struct{ position, leaf int32 }

// move counts the positions of moved in the leaves that they come to without their own fold. The values stay.
func (l *learner) move() {
	a := l.activations
	for _, m := range l.moved {
		part := l.corpus.part(m.position)
		k, posted := slices.BinarySearch(a.Positions, m.position)
		fires := posted && float64(a.Values[k])/a.Maximum >= firing
		add := func(leaf, sign int32) {
			for at := l.longestCell(m.position, leaf); at >= 0; at = l.cells[at].parent {
				l.cells[at].n[part] += sign
				if fires {
					l.cells[at].firing[part] += sign
				}
			}
		}
		add(l.at[m.position], -1)
		add(m.leaf, 1)
	}
}

// longestCell is a leaf's cell for the longest suffix that ends at a position, the leaf's own where it has none.
func (l *learner) longestCell(p, leaf int32) int32 {
	c := l.corpus
	at := l.single[int(leaf)*len(c.tokens)+int(c.symbols[p])]
	if at == 0 {
		return leaf
	}
	for k := int32(1); k < longest && p-k >= c.starts[c.window[p]] && l.cells[at].posted; k++ {
		next := *l.longer.find(uint64(at)<<32 | uint64(c.symbols[p-k]))
		if next == 0 {
			break
		}
		at = next
	}
	return at
}

func (x *cell) buildFiring() (n int) {
	for f := range folds {
		n += int(x.firing[f])
	}
	return n
}

// fillCells counts what comes to each leaf, and within it to each suffix. A suffix is looked at where build documents
// have a posted token behind it, or behind the suffix shorter by one: so that it is known where the neuron is quiet.
func (l *learner) fillCells(root *leaf, leaves []*leaf) {
	c, a := l.corpus, l.activations
	l.cells = l.cells[:0]
	for number, x := range leaves {
		x.number = int32(number)
		l.cells = append(l.cells, cell{parent: -1, leaf: int32(number)})
	}
	l.at = slices.Grow(l.at[:0], len(c.symbols))[:len(c.symbols)]
	l.moved = l.moved[:0]
	l.eachLeaf(root, func(p int32, x, without *leaf) {
		l.at[p] = x.number
		if without != x {
			l.moved = append(l.moved, move{p, without.number})
		}
	})
	v := len(c.tokens)
	single := slices.Grow(l.single[:0], len(leaves)*v)[:len(leaves)*v] // cells of one token, by leaf and symbol
	clear(single)
	l.single = single
	l.longer.reset()
	child := func(parent, symbol int32, make bool) int32 {
		at := l.longer.find(uint64(parent)<<32 | uint64(symbol))
		if *at == 0 && make {
			*at = int32(len(l.cells))
			l.longer.used++
			l.cells = append(l.cells, cell{parent: parent, symbol: symbol, leaf: l.cells[parent].leaf,
				order: l.cells[parent].order + 1})
		}
		return *at
	}
	for _, p := range a.Positions {
		if c.split(p) != Build {
			continue
		}
		start := c.starts[c.window[p]]
		number := &single[int(l.at[p])*v+int(c.symbols[p])]
		if *number == 0 {
			*number = int32(len(l.cells))
			l.cells = append(l.cells, cell{parent: l.at[p], symbol: c.symbols[p], leaf: l.at[p], order: 1, posted: true})
		}
		at := *number
		for k := int32(1); k < longest && p-k >= start; k++ {
			at = child(at, c.symbols[p-k], true)
			l.cells[at].posted = true
		}
	}
	l.countSplit(Build, single, child)
	l.countSplit(Validate, single, child) // by suffixes that all of the build documents have
}

// countSplit counts the tokens of a split by their longest suffix. Build documents add those that are missing.
func (l *learner) countSplit(split Split, single []int32, child func(parent, symbol int32, make bool) int32) {
	c, a := l.corpus, l.activations
	posted := 0
	for w, s := range c.splits {
		if s != split {
			continue
		}
		part := c.windowPart(int32(w))
		for p := c.starts[w]; p < c.starts[w+1]; p++ {
			symbol := c.symbols[p]
			at := l.at[p]
			number := &single[int(at)*len(c.tokens)+int(symbol)]
			if *number == 0 && split == Build {
				*number = int32(len(l.cells))
				l.cells = append(l.cells, cell{parent: at, symbol: symbol, leaf: at, order: 1})
			}
			if *number > 0 {
				at = *number
				for k := int32(1); k < longest && p-k >= c.starts[w] && l.cells[at].posted; k++ {
					next := child(at, c.symbols[p-k], split == Build)
					if next == 0 {
						break
					}
					at = next
				}
			}
			for posted < len(a.Positions) && a.Positions[posted] < p {
				posted++
			}
			x := &l.cells[at]
			x.n[part]++
			value := l.quietOf[symbol]
			if posted < len(a.Positions) && a.Positions[posted] == p {
				value = float64(a.Values[posted]) / a.Maximum
				if value >= firing {
					x.firing[part]++
				}
			}
			if part != validation {
				x.sum[part] += value
			}
		}
	}
}

// describeEntries writes the chosen entries into the leaves.
func (l *learner) describeEntries(leaves []*leaf, chosen []bool, values [][folds + 1]float64) {
	for i, take := range chosen {
		if !take {
			continue
		}
		node, value := leaves[l.cells[i].leaf].node, round(values[i][folds])
		var tokens []string
		for x := &l.cells[i]; x.order > 0; x = &l.cells[x.parent] {
			tokens = append(tokens, l.corpus.tokens[x.symbol])
		}
		if len(tokens) == 1 {
			node.Table = append(node.Table, n2g.TokenValue{Token: tokens[0], Value: value})
		} else {
			node.Sequences = append(node.Sequences, n2g.SequenceValue{Tokens: tokens, Value: value})
		}
	}
	for _, x := range leaves {
		slices.SortFunc(x.node.Table, func(a, b n2g.TokenValue) int {
			return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Token, b.Token))
		})
		slices.SortFunc(x.node.Sequences, func(a, b n2g.SequenceValue) int {
			return cmp.Or(cmp.Compare(b.Value, a.Value), slices.Compare(a.Tokens, b.Tokens))
		})
	}
}

// heldOut are the validation tokens, and the build tokens, each fold of which is predicted by values that the others
// have taught; nil where not all firing tokens are known.
func (l *learner) heldOut(chosen []bool, values [][folds + 1]float64) []group {
	if l.activations.thin() {
		return nil
	}
	var groups []group
	// Each takes its tokens from the next shorter one that is looked at, while it still has those of longer ones: they
	// come later.
	for i := range l.cells {
		x := &l.cells[i]
		if x.order == 0 || !chosen[i] {
			continue
		}
		parent := x.parent
		for l.cells[parent].order > 0 && !chosen[parent] {
			parent = l.cells[parent].parent
		}
		l.cells[parent].add(&x.counts, -1)
	}
	for i := range l.cells {
		x := &l.cells[i]
		if x.order > 0 && !chosen[i] {
			continue
		}
		for part := range parts {
			if x.n[part] > 0 {
				// validation documents are predicted by what all folds have taught: its number is that of none
				groups = append(groups, group{round(values[i][part]), float64(x.n[part]), float64(x.firing[part])})
			}
		}
	}
	return groups
}

// group is a number of tokens with one prediction.
type group struct{ value, n, firing float64 }

// bestThreshold is the prediction from which on tokens count as firing, for the best F1; half of the maximum where
// nothing fires, or where none is better than that all tokens do.
func bestThreshold(groups []group) float64 {
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(b.value, a.value) })
	total := 0.0
	for _, g := range groups {
		total += g.firing
	}
	best, bestF1 := firing, 0.0
	predicted, hits := 0.0, 0.0
	for i, g := range groups {
		predicted += g.n
		hits += g.firing
		f1, next := 2*hits/(total+predicted), 0.0
		if i+1 < len(groups) {
			if next = groups[i+1].value; next == g.value {
				continue
			}
		}
		switch {
		case total == 0 || f1 <= bestF1:
		case i+1 < len(groups):
			best, bestF1 = (g.value+max(next, 0))/2, f1
		default:
			best = firing
		}
	}
	return best
}

// hashes is a hash table from a key above 0 to a number above 0. It keeps its memory.
type hashes struct {
	keys    []uint64
	numbers []int32
	used    int
}

func (h *hashes) reset() {
	if h.keys == nil {
		h.keys, h.numbers = make([]uint64, 1<<16), make([]int32, 1<<16)
	}
	clear(h.keys)
	clear(h.numbers)
	h.used = 0
}

// find returns where the number of a key lies, or may be put, 0 if it has none; that is good until the next call.
// Whoever puts one counts it as used.
func (h *hashes) find(key uint64) *int32 {
	if 2*h.used >= len(h.keys) {
		old := *h
		h.keys, h.numbers = make([]uint64, 2*len(old.keys)), make([]int32, 2*len(old.keys))
		for i, k := range old.keys {
			if old.numbers[i] != 0 {
				*h.find(k) = old.numbers[i]
			}
		}
	}
	mask := uint64(len(h.keys) - 1)
	for i := key * 0x9e3779b97f4a7c15 >> 20 & mask; ; i = (i + 1) & mask {
		if h.numbers[i] == 0 {
			h.keys[i] = key
			return &h.numbers[i]
		}
		if h.keys[i] == key {
			return &h.numbers[i]
		}
	}
}
