package models

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/transformer"
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
	var cache *Cache
	err := m.engine.queue.Do(ctx, task{kind: aloneTask}, []piece{{alone: func(ctx context.Context) (err error) {
		if m.engine.processor != nil {
			cache, err = m.engine.processor.cache(ctx, ids)
			return err
		}
		cache, err = m.engine.cache(ids)
		return err
	}}})
	if err != nil {
		return nil, fmt.Errorf("run with cache: %w", err)
	}
	return cache, nil
}

// cache runs a prompt alone, padded to a bucket behind its end, where no token sees it.
func (e *engine) cache(ids []int) (*Cache, error) {
	seq := min(e.bucketing.rows(len(ids)), e.config.Positions)
	padded := make([]int32, seq)
	for i, id := range ids {
		padded[i] = int32(id)
	}
	inputs := []shapes.Shape{shapes.Make(dtypes.Int32, 1, seq)}
	p, err := e.programs.get(programKey{kind: "cache", groups: 1, rows: seq}, func() (*program, error) {
		var names []string
		p, err := e.weights.compile("all hooks", inputs, func(w transformer.Weights, in []*graph.Node) []*graph.Node {
			var values []*graph.Node
			logits := e.config.Forward(w, in[0], func(name string, x *graph.Node) {
				names, values = append(names, name), append(values, graph.Reshape(x, seq, -1))
			})
			return append(values, graph.Reshape(logits, seq, -1))
		})
		if err == nil {
			p.outputs = names
		}
		return p, err
	})
	if err != nil {
		return nil, err
	}
	cache := &Cache{Values: map[string][][]float32{}}
	err = e.weights.run(p, inputs, []any{padded}, func(i int, flat any) {
		rows := splitRows(flat.([]float32), seq)[:len(ids)]
		if i < len(p.outputs) {
			cache.Values[p.outputs[i]] = rows
		} else {
			cache.Logits = rows
		}
	})
	return cache, err
}

// splitRows copies a flat matrix into rows.
func splitRows(flat []float32, rows int) [][]float32 {
	flat = slices.Clone(flat)
	width := len(flat) / rows
	split := make([][]float32, rows)
	for i := range split {
		split[i] = flat[i*width : (i+1)*width : (i+1)*width]
	}
	return split
}
