package models

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Neighbours are the k tokens whose embeddings (rows of W_E) point most nearly where a token's does, nearest first, equals by
// id, the token itself left out; and the cosines between theirs and its.
func (m *Causal) Neighbours(id, k int) (ids []int, cosines []float64, err error) {
	if err := m.config.checkPrompt([]int{id}); err != nil {
		return nil, nil, err
	}
	if err := m.local("neighbours of tokens"); err != nil {
		return nil, nil, err
	}
	table, err := m.engine.TokenEmbeddings()
	if err != nil {
		return nil, nil, fmt.Errorf("neighbours of token %d: %w", id, err)
	}
	d := m.config.DModel
	own := table[id*d : (id+1)*d]
	length := norm(own)
	cosine := make([]float64, len(table)/d)
	for other := range cosine {
		row := table[other*d : (other+1)*d]
		if scale := length * norm(row); other != id && scale > 0 {
			cosine[other] = dot(own, row) / scale
			ids = append(ids, other)
		}
	}
	slices.SortFunc(ids, func(a, b int) int { return cmp.Or(cmp.Compare(cosine[b], cosine[a]), cmp.Compare(a, b)) })
	ids = slices.Clone(ids[:min(max(k, 0), len(ids))])
	for _, other := range ids {
		cosines = append(cosines, cosine[other])
	}
	return ids, cosines, nil
}

func dot(a, b []float32) float64 {
	sum := float32(0)
	for i, v := range a {
		sum += v * b[i]
	}
	return float64(sum)
}

func norm(a []float32) float64 { return math.Sqrt(dot(a, a)) }
