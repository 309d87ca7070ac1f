package models

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/internal/engine"
)

// Op is what an [Edit] does to a neuron's activation a.
type Op string

// The operations, with v the edit's value.
const (
	Set   Op = "set"   // v; ablation sets to 0 or to a mean
	Scale Op = "scale" // v·a
	Add   Op = "add"   // a + v; steering
)

// Edit changes one neuron in the middle of a forward pass: all that the model computes from the neuron, it computes
// from the new value. Several edits are made in their order.
type Edit struct {
	Layer int
	// Hook is hook_pre, hook_pre_linear (of a gated MLP), hook_mid or hook_post; empty is hook_post, what W_out
	// multiplies.
	Hook  string
	Index int
	Op    Op
	Value float64
	// Positions are those of the prompt, BOS being 0, at which the neuron is changed; nil is all of them.
	Positions []int
}

// Changed runs prompts, as [Causal.EachLogits] does, through the model as it is and with edits, and shows visit the
// logits before and after: what effects.Measure and effects.Faithful ask.
func (m *Causal) Changed(edits ...Edit) func(ctx context.Context, prompts, positions [][]int,
	visit func(prompt, at int, before, after []float32)) error {
	return func(ctx context.Context, prompts, positions [][]int, visit func(int, int, []float32, []float32)) error {
		return m.EachLogits(ctx, prompts, positions, [][]Edit{nil, edits}, func(prompt, at int, logits [][]float32) {
			visit(prompt, at, logits[0], logits[1])
		})
	}
}

// EachLogits runs prompts (ids, BOS included) under several variants of the model, each a set of edits (nil is the
// model as it is), and shows visit the logits of the next token at each position asked: logits[v] are those of
// variants[v], [d_vocab]. A nil positions, or a nil entry, asks every position.
//
// visit is called once for each prompt and position, by several goroutines at once and in no order; the slices are
// valid until it returns. What variants and prompts have in common before the first changed position is computed once,
// so that the model with and without an ablation at one position costs little more than either.
func (m *Causal) EachLogits(
	ctx context.Context, prompts, positions [][]int, variants [][]Edit, visit func(prompt, at int, logits [][]float32),
) error {
	edits := make([][]engine.Edit, len(variants))
	for v, list := range variants {
		for _, e := range list {
			edit, err := m.edit(e)
			if err != nil {
				return err
			}
			edits[v] = append(edits[v], edit)
		}
	}
	requests, place, err := m.config.requests(0, prompts, positions)
	if err != nil || len(variants) == 0 {
		return err
	}
	bundles := make([]engine.Bundle, len(requests))
	for i, r := range requests {
		bundles[i] = engine.Bundle{IDs: r.IDs, Positions: r.Positions, Variants: edits}
	}
	if err := m.local("logits"); err != nil {
		return err
	}
	err = m.engine.Logits(ctx, bundles, func(bundle, at int, logits [][]float32) {
		visit(place[bundle], at, logits)
	})
	if err != nil {
		return fmt.Errorf("logits of %d prompts: %w", len(prompts), err)
	}
	return nil
}

// edit checks an edit.
func (m *Causal) edit(e Edit) (engine.Edit, error) {
	if e.Hook == "" {
		e.Hook = "hook_post"
	}
	point, err := m.point(e.Layer, e.Hook)
	if err == nil {
		err = reading{point: point, width: m.config.shape().Width(point)}.checkIndex(e.Layer, e.Index)
	}
	switch {
	case err != nil:
		return engine.Edit{}, err
	case !strings.HasPrefix(point, "mlp."):
		return engine.Edit{}, fmt.Errorf("a neuron is edited at a hook point of an MLP, not at %q", e.Hook)
	case !slices.Contains([]Op{Set, Scale, Add}, e.Op):
		return engine.Edit{}, fmt.Errorf("a neuron cannot be edited by %q: %s, %s and %s are the operations", e.Op, Set,
			Scale, Add)
	case math.IsNaN(e.Value) || math.Abs(e.Value) > math.MaxFloat32:
		return engine.Edit{}, fmt.Errorf("a neuron cannot be edited with the value %g", e.Value)
	}
	for _, p := range e.Positions {
		if p < 0 {
			return engine.Edit{}, fmt.Errorf("a neuron cannot be edited at position %d: positions count from 0", p)
		}
	}
	return engine.Edit{
		Layer: e.Layer, Hook: point, Index: e.Index, Op: engine.Op(e.Op), Value: float32(e.Value), Positions: e.Positions,
	}, nil
}

// Logits are those of the next token after each position of a prompt, under edits if there are any:
// [position][d_vocab].
func (m *Causal) Logits(ctx context.Context, ids []int, edits ...Edit) ([][]float32, error) {
	result := make([][]float32, len(ids))
	err := m.EachLogits(ctx, [][]int{ids}, nil, [][]Edit{edits}, func(_, position int, logits [][]float32) {
		result[position] = slices.Clone(logits[0])
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// NextLogProbs runs prompts (ids, BOS included) through the whole model and shows visit the logarithms of the next
// token's probabilities, [d_vocab], after each position asked: after positions[i][at] of prompts[i]. A nil positions,
// or a nil entry, asks every position. Prompts that share a prefix share its cost.
//
// visit is called in any order, and for several positions at the same time; what it is shown is valid only until it
// returns, and not to be changed.
func (m *Causal) NextLogProbs(ctx context.Context, prompts, positions [][]int,
	visit func(prompt, at int, logProbs []float32)) error {
	return m.EachLogits(ctx, prompts, positions, [][]Edit{nil}, func(prompt, at int, logits [][]float32) {
		shift := float32(logSumExp(logits[0]))
		logProbs := make([]float32, len(logits[0]))
		for id, logit := range logits[0] {
			logProbs[id] = logit - shift
		}
		visit(prompt, at, logProbs)
	})
}

// TokenLogProbs are the log-probabilities of the prompts' own tokens under several variants of the model:
// result[i][v][p] is that of prompts[i][p+1] after the tokens up to p, with the edits variants[v]. The loss of a
// variant on a prompt is minus their mean.
func (m *Causal) TokenLogProbs(ctx context.Context, prompts [][]int, variants [][]Edit) ([][][]float64, error) {
	result := make([][][]float64, len(prompts))
	positions := make([][]int, len(prompts))
	for i, ids := range prompts {
		positions[i] = []int{}
		for p := range len(ids) - 1 {
			positions[i] = append(positions[i], p)
		}
		for range variants {
			result[i] = append(result[i], make([]float64, len(positions[i])))
		}
	}
	err := m.EachLogits(ctx, prompts, positions, variants, func(i, p int, logits [][]float32) {
		for v, row := range logits {
			result[i][v][p] = float64(row[prompts[i][p+1]]) - logSumExp(row)
		}
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// logSumExp is log Σ exp(logits).
func logSumExp(logits []float32) float64 {
	top := float64(slices.Max(logits))
	sum := 0.0
	for _, logit := range logits {
		sum += math.Exp(float64(logit) - top)
	}
	return top + math.Log(sum)
}
