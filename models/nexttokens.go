package models

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Neighbours are the k tokens whose embeddings (rows of W_E) point most nearly where a token's does, nearest first,
// equals by id, the token itself left out; and the cosines between theirs and its.
func (m *Causal) Neighbours(id, k int) (ids []int, cosines []float64, err error) {
	if err := m.config.checkPrompt([]int{id}); err != nil {
		return nil, nil, err
	}
	if err := m.local("neighbours of tokens"); err != nil {
		return nil, nil, err
	}
	all, err := m.engine.Cosines(id)
	if err != nil {
		return nil, nil, fmt.Errorf("neighbours of token %d: %w", id, err)
	}
	if k = min(k, len(all)-1); k < 1 {
		return nil, nil, nil
	}
	all[id] = float32(math.Inf(-1))
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	for other, cosine := range all { // so that few are put in order
		if cosine >= sorted[len(sorted)-k] {
			ids = append(ids, other)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(all[b], all[a]) })
	ids = ids[:k]
	for _, other := range ids {
		cosines = append(cosines, float64(all[other]))
	}
	return ids, cosines, nil
}
