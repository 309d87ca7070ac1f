package contexttree

import (
	"fmt"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Pruned is a prune of the published method, with the position of its strong token in the corpus.
type Pruned struct {
	Position int
	n2g.Prune
}

// published takes over what the published method has measured on texts of build documents, which costs nothing: the
// importances of what a prune left, 0 for what it cut off, and as replies those of its variants that differ from it in
// the strong token alone, negatives too. Of a positive variant it must be known that it fires at the same place.
func (q *asking) published() error {
	c := q.corpus
	for _, p := range q.Prunes {
		if p.Measured == nil || !(p.Measured.Maximum > 0) || p.Position < 0 || p.Position >= len(c.symbols) ||
			c.split(int32(p.Position)) != Build {
			continue
		}
		ids, err := q.Model.Tokenize(p.Text)
		if err != nil {
			return fmt.Errorf("the pruned text %q: %w", p.Text, err)
		}
		before := len(p.Measured.Tokens) - len(ids) // BOS, if there is one
		peak := p.Measured.Peak - before
		if before < 0 || peak < 0 || peak >= len(ids) || !q.stands(ids[:peak+1], int32(p.Position)) {
			continue // the prune's maximum is on another token
		}
		// No further than the window: there is nothing before it.
		back := min(q.options.Distance, p.Position-int(c.starts[c.window[p.Position]]))
		list := make([]float64, back+1)
		for d := range min(peak, back) + 1 {
			list[d] = max(0, min(1, p.Measured.Importances[p.Measured.Peak-d]))
		}
		q.importances[int32(p.Position)] = list
		if err := q.variants(&p.Prune, ids, peak); err != nil {
			return err
		}
	}
	return nil
}

// stands says whether the corpus has a text that ends at a position.
func (q *asking) stands(ids []int, p int32) bool {
	c := q.corpus
	first := p + 1 - int32(len(ids))
	if first < c.starts[c.window[p]] {
		return false
	}
	for i, id := range ids {
		if q.Model.TokenString(id) != c.tokens[c.symbols[int(first)+i]] {
			return false
		}
	}
	return true
}

// variants takes a prune's variants as replies.
func (q *asking) variants(p *n2g.Prune, ids []int, peak int) error {
	for _, v := range p.Variants[min(1, len(p.Variants)):] { // the first is the pruned text
		if v.Positive && (v.Measured == nil || v.Measured.Peak != p.Measured.Peak) ||
			math.IsNaN(v.Activation) || math.IsInf(v.Activation, 0) {
			continue
		}
		varied, err := q.Model.Tokenize(v.Text)
		if err != nil {
			return fmt.Errorf("the variant %q: %w", v.Text, err)
		}
		if len(varied) <= peak || varied[peak] == ids[peak] || !slices.Equal(varied[:peak], ids[:peak]) {
			continue // what stands behind does not matter
		}
		if symbol, known := q.corpus.numbers[q.Model.TokenString(varied[peak])]; known {
			q.replies.add(symbol, v.Activation/p.Measured.Maximum)
		}
	}
	return nil
}
