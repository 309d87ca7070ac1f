package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
)

// steerable is a model as the workbench asks it. It keeps the weights that pages have asked for.
type steerable struct {
	*models.Causal

	mu      sync.Mutex
	weights map[int]*models.NeuronWeights // by layer
}

// Steer implements serve.Steerer.
func (m *steerable) Steer(
	ctx context.Context, ids []int, layer int, hook string, neuron int, value float64, k int,
) (before, after []serve.Likely, err error) {
	edit := models.Edit{Layer: layer, Hook: hook, Index: neuron, Op: models.Set, Value: value}
	last, variants := [][]int{{len(ids) - 1}}, [][]models.Edit{nil, {edit}}
	err = m.EachLogits(ctx, [][]int{ids}, last, variants, func(_, _ int, logits [][]float32) {
		before, after = m.likely(logits[0], k), m.likely(logits[1], k)
	})
	return before, after, err
}

// likely are the k most probable tokens.
func (m *steerable) likely(logits []float32, k int) []serve.Likely {
	top := float64(slices.Max(logits))
	sum := 0.0
	order := make([]int, len(logits))
	for id, logit := range logits {
		order[id] = id
		sum += math.Exp(float64(logit) - top)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
	var list []serve.Likely
	for _, id := range order[:min(k, len(order))] {
		list = append(list, serve.Likely{Token: m.TokenString(id), Probability: math.Exp(float64(logits[id])-top) / sum})
	}
	return list
}

// Promoted implements serve.Promoter.
func (m *steerable) Promoted(ctx context.Context, layer, neuron, k int) (up, down []serve.Weighted, err error) {
	w, err := m.layer(layer)
	if err != nil {
		return nil, nil, err
	}
	found, err := effects.Attribute(ctx, m, w.Out[neuron:neuron+1], k, vocabularyOf(m.Causal))
	if err != nil {
		return nil, nil, err
	}
	weighted := func(list []n2g.TokenEffect) (out []serve.Weighted) {
		for _, t := range list {
			out = append(out, serve.Weighted{Token: t.Token, Weight: t.Value})
		}
		return out
	}
	return weighted(found[0].Promoted), weighted(found[0].Suppressed), nil
}

// Connected implements serve.Connector.
func (m *steerable) Connected(_ context.Context, layer, neuron, k int) (*effects.Neighbours, error) {
	return connectedOf(m.Causal, layer, neuron, k)
}

func (m *steerable) layer(layer int) (*models.NeuronWeights, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.weights[layer]; w != nil {
		return w, nil
	}
	w, err := m.NeuronWeights(layer)
	if err != nil {
		return nil, err
	}
	if m.weights == nil {
		m.weights = map[int]*models.NeuronWeights{}
	}
	m.weights[layer] = w
	return w, nil
}
