package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
)

// Induction returns the neurons that look for what they have seen before: those with at least the given number of
// activating tokens that recur in their own context, as induction heads make them. The share of such tokens among all
// activating ones orders them, then layer and index.
func (s *Store) Induction(ctx context.Context, atLeast int) ([]Hit, error) {
	share := func(h Hit) float64 { return float64(h.Repeated) / float64(max(h.Activating, 1)) }
	return s.allHits(ctx, func(h Hit) bool { return h.Repeated >= max(atLeast, 1) }, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(share(b), share(a)), cmp.Compare(b.Repeated, a.Repeated))
	})
}

// Polysemantic returns the neurons with at least the given number of behaviours ([n2g.Behaviours]), two at least; those
// with most first, then by layer and index. Neurons whose behaviours were not looked for are not among them.
func (s *Store) Polysemantic(ctx context.Context, atLeast int) ([]Hit, error) {
	several := func(h Hit) bool { return h.Behaviours != nil && *h.Behaviours >= max(atLeast, 2) }
	return s.allHits(ctx, several, func(a, b Hit) int { return cmp.Compare(*b.Behaviours, *a.Behaviours) })
}

// allHits returns the neurons that are wanted in the given order, then by layer and index. All rows are read, since a
// damaged one cannot be known to be wanted.
func (s *Store) allHits(ctx context.Context, wanted func(Hit) bool, order func(a, b Hit) int) ([]Hit, error) {
	hits := []Hit{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		behaviours, err := soundBehaviours(ctx, tx)
		for _, r := range rows {
			if n, known := behaviours[r.id]; known {
				r.Behaviours = &n
			}
			if h := r.hit(); wanted(h) {
				hits = append(hits, h)
			}
		}
		return err
	})
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Or(order(a, b), a.Compare(b.Site)) })
	return hits, err
}
