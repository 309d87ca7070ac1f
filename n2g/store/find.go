package store

import "context"

// Induction returns the neurons that look for what they have seen before: those with at least the given number of activating tokens
// that recur in their own context, as induction heads make them. The share of such tokens among all activating ones orders them,
// then layer and index.
func (s *Store) Induction(ctx context.Context, atLeast int) ([]Hit, error) {
	return s.hits(ctx, `FROM neurons WHERE repeated_tokens >= ? ORDER BY CAST(repeated_tokens AS REAL) / activating_tokens DESC, repeated_tokens DESC, layer, neuron`, max(atLeast, 1))
}

// Polysemantic returns the neurons whose graph falls into at least the given number of separate sub-graphs, as those of
// neurons with several meanings do; most sub-graphs first, then by layer and index.
func (s *Store) Polysemantic(ctx context.Context, atLeast int) ([]Hit, error) {
	return s.hits(ctx, "FROM neurons WHERE components >= ? ORDER BY components DESC, layer, neuron", max(atLeast, 2))
}
