package models

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Cache holds every intermediate value of one run under TransformerLens's names.
type Cache struct {
	// Values maps "blocks.3.mlp.hook_post" and its like to [position][width]. The queries, keys and values of a layer
	// (attn.hook_q …) have all heads behind each other.
	Values map[string][][]float32
	// Logits are [position][d_vocab].
	Logits [][]float32
}

// Hooks lists the names of the values, sorted.
func (c *Cache) Hooks() []string { return slices.Sorted(maps.Keys(c.Values)) }

// LogProbs are the logarithms of the next token's probabilities after a position, [d_vocab].
func (c *Cache) LogProbs(position int) []float64 {
	logits := c.Logits[position]
	top := float64(slices.Max(logits))
	sum := 0.0
	for _, logit := range logits {
		sum += math.Exp(float64(logit) - top)
	}
	logProbs := make([]float64, len(logits))
	for id, logit := range logits {
		logProbs[id] = float64(logit) - top - math.Log(sum)
	}
	return logProbs
}

// TokenProb is a token and its probability.
type TokenProb struct {
	ID          int
	Probability float64
}

// TopTokens are the k most probable next tokens after a position, most probable first, equals by id.
func (c *Cache) TopTokens(position, k int) []TokenProb {
	logProbs := c.LogProbs(position)
	top := make([]TokenProb, len(logProbs))
	for id, logProb := range logProbs {
		top[id] = TokenProb{id, math.Exp(logProb)}
	}
	slices.SortFunc(top, func(a, b TokenProb) int {
		return cmp.Or(cmp.Compare(b.Probability, a.Probability), cmp.Compare(a.ID, b.ID))
	})
	return slices.Clone(top[:min(max(k, 0), len(top))])
}

// RunWithCache runs a prompt (ids, BOS included) through the whole model and returns every value on the way, for
// exploration; [Causal.Activations] is the fast way to a neuron.
func (m *Causal) RunWithCache(ctx context.Context, ids []int) (*Cache, error) {
	if err := m.config.checkPrompt(ids); err != nil {
		return nil, err
	}
	if err := m.local("every value of a run"); err != nil {
		return nil, err
	}
	cache, err := m.engine.RunWithCache(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("run with cache: %w", err)
	}
	return &Cache{Values: cache.Values, Logits: cache.Logits}, nil
}
