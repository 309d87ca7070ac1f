package engine

import (
	"context"
	"slices"
	"sync"
	"unsafe"
)

// Op is what an [Edit] does to a neuron.
type Op string

// The operations.
const (
	Set   Op = "set"
	Scale Op = "scale"
	Add   Op = "add"
	// Replace puts whole rows in place of what a hook point has.
	Replace Op = "replace"
)

// Edit changes one neuron of a forward pass, or whole rows: what the model computes from them is computed from the new
// values.
type Edit struct {
	Layer int
	Hook  string // mlp.hook_post, hook_resid_post; hook_resid_pre of layer 0 alone
	Index int
	Op    Op
	Value float32
	// Positions are those of the prompt at which it does so, nil for all; what lies behind its end does not count.
	Positions []int
	// Rows are the values at each position of [Replace], nil where they stay.
	Rows [][]float32
}

// apply is the new value.
func (e Edit) apply(x float32) float32 {
	switch e.Op {
	case Scale:
		return x * e.Value
	case Add:
		return x + e.Value
	}
	return e.Value
}

// at says whether the edit is made at a position.
func (e Edit) at(position int) bool {
	if e.Op == Replace {
		return position < len(e.Rows) && e.Rows[position] != nil
	}
	return e.Positions == nil || slices.Contains(e.Positions, position)
}

// same says whether two edits do the same, wherever they do it.
func (e Edit) same(other Edit) bool {
	return e.Layer == other.Layer && e.Hook == other.Hook && e.Index == other.Index && e.Op == other.Op &&
		e.Value == other.Value && unsafe.SliceData(e.Rows) == unsafe.SliceData(other.Rows)
}

// Bundle asks for the logits of one prompt under several sets of edits.
type Bundle struct {
	IDs       []int // cut behind the last position asked
	Positions []int // asked, nil for all
	Variants  [][]Edit
}

// place is the at-th position asked of a bundle, and the rows of its variants.
type place struct {
	bundle, at int
	rows       []int32
}

// logitRows is how many rows of logits are in memory at a time, for each batch that runs.
const logitRows = 64

// Logits shows visit the logits of every variant of each bundle at the at-th position asked, [variant][d_vocab]. Calls
// come from several goroutines, in no order; the slices are valid until the call returns. Rows before the first that a
// variant changes are computed once.
func (e *Causal) Logits(ctx context.Context, bundles []Bundle, visit func(bundle, at int, logits [][]float32)) error {
	if err := e.parameters.head(e.shape); err != nil {
		return err
	}
	var pieces []piece
	for end := 0; end < len(bundles); {
		g := newTrie()
		var places []place
		for first := end; end < len(bundles) && (end == first ||
			len(g.ids)+len(bundles[end].IDs)*len(bundles[end].Variants) <= e.runner.limit()); end++ {
			places = append(places, g.addBundle(end, bundles[end])...)
		}
		pieces = append(pieces,
			piece{alone: func(ctx context.Context) error { return e.visitLogits(ctx, &g.group, places, visit) }})
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, pieces)
}

// visitLogits runs a group and shows what is asked of it.
func (e *Causal) visitLogits(ctx context.Context, g *group, places []place,
	visit func(bundle, at int, logits [][]float32)) error {
	var asked []int32
	for _, p := range places {
		asked = append(asked, p.rows...)
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	hidden, err := e.runner.hidden(ctx, g, asked)
	if err != nil {
		return err
	}
	d, vocabulary := e.shape.DModel, e.shape.DVocab
	var logits []float32
	for first := 0; first < len(places); {
		// As many places as fit, a row that several need once.
		at := map[int32]int{}
		var x []float32
		end := first
		for ; end < len(places) && (end == first || len(at)+len(places[end].rows) <= logitRows); end++ {
			for _, row := range places[end].rows {
				if _, ok := at[row]; !ok {
					at[row] = len(at)
					i, _ := slices.BinarySearch(asked, row)
					x = append(x, hidden[i*d:(i+1)*d]...)
				}
			}
		}
		if n := len(at) * vocabulary; len(logits) < n {
			logits = make([]float32, n)
		}
		if err := e.runner.unembed(ctx, logits, x, len(at), true); err != nil {
			return err
		}
		var wait sync.WaitGroup
		for _, p := range places[first:end] {
			wait.Go(func() {
				rows := make([][]float32, len(p.rows))
				for v, row := range p.rows {
					rows[v] = logits[at[row]*vocabulary : (at[row]+1)*vocabulary]
				}
				visit(p.bundle, p.at, rows)
			})
		}
		wait.Wait()
		first = end
	}
	return nil
}

// trie builds a group in which rows are shared that have equal tokens and edits before and at them.
type trie struct {
	group
	children map[child]int32
}

// child is a row by what precedes it.
type child struct{ parent, id, mark int32 }

func newTrie() *trie {
	return &trie{group: group{edits: [][]Edit{nil}}, children: map[child]int32{}}
}

// addBundle adds the variants of a bundle.
func (t *trie) addBundle(i int, b Bundle) []place {
	positions := b.Positions
	if positions == nil {
		for p := range b.IDs {
			positions = append(positions, p)
		}
	}
	places := make([]place, len(positions))
	for k := range places {
		places[k] = place{bundle: i, at: k}
	}
	for _, edits := range b.Variants {
		rows := make([]int32, len(b.IDs))
		parent := int32(-1)
		for p, id := range b.IDs {
			mark := t.mark(edits, p)
			key := child{parent, int32(id), mark}
			row, ok := t.children[key]
			if !ok {
				row = int32(len(t.ids))
				t.children[key] = row
				t.ids = append(t.ids, int32(id))
				t.depth = append(t.depth, int32(p))
				t.parent = append(t.parent, parent)
				t.index = append(t.index, 0)
				t.marks = append(t.marks, mark)
			}
			rows[p], parent = row, row
		}
		for k, p := range positions {
			places[k].rows = append(places[k].rows, rows[p])
		}
	}
	return places
}

// mark is the number of the edits that are made at a position, 0 for none.
func (t *trie) mark(edits []Edit, position int) int32 {
	var active []Edit
	for _, e := range edits {
		if e.at(position) {
			active = append(active, e)
		}
	}
	for mark, known := range t.edits {
		if slices.EqualFunc(known, active, Edit.same) {
			return int32(mark)
		}
	}
	t.edits = append(t.edits, active)
	return int32(len(t.edits) - 1)
}

// HasLogits is [ErrNoHead] for a model whose files lack what stands behind the last layer.
func (e *Causal) HasLogits() error { return e.parameters.head(e.shape) }
