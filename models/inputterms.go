package models

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// HasInputTerms says why the numbers of a hook point are no sums that [Causal.InputTerms] can tell the terms of, nil if
// they are.
func (m *Causal) HasInputTerms(layer int, hook string) error {
	r, err := m.reading(layer, hook)
	if err != nil {
		return err
	}
	return m.hasInputTerms(r)
}

func (m *Causal) hasInputTerms(r reading) error {
	switch {
	case r.encoder == nil && !strings.HasPrefix(r.point, "mlp."):
		return fmt.Errorf("%s is not read from an input through weights of its own", r.point)
	case r.encoder == nil:
		return m.local("weights")
	}
	return nil
}

// InputTerms are the terms that a number is the sum of, before its bias and activation function: its input times its
// weights, element by element, Foote's neuron embedding ("Tackling Polysemanticity with Neuron Embeddings", 2024,
// arXiv 2411.08166). result[i][k] is that of positions[i][k] of prompts[i]; hook and index are those of
// [Causal.Activations]:
//
//   - of a neuron ln2.hook_normalized times its column of W_in, [d_model]. Where the MLP is gated, times its column of
//     W_gate, which decides whether it fires (hook_pre, hook_mid, hook_post), or of W_in (hook_pre_linear).
//   - of a feature [sae] the auto-encoder's input times its column of W_enc, along a direction [dir] the hook point's
//     values times the direction (of attn.hook_result, hook_z times W_O times the direction).
//
// Other hook points have none ([Causal.HasInputTerms]): a coordinate of the residual stream, or where a head looks.
// Negative sides have the terms times -1.
func (m *Causal) InputTerms(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][][]float32, error) {
	r, requests, place, err := m.asked(layer, hook, index, prompts, positions)
	if err != nil {
		return nil, err
	}
	terms, err := m.termsOf(&r, layer, index)
	if err != nil {
		return nil, fmt.Errorf("input of layer %d %s[%d]: %w", layer, r.point, index, err)
	}
	inputs, err := m.wide(ctx, r, layer, requests)
	if err != nil {
		return nil, fmt.Errorf("input of layer %d %s[%d]: %w", layer, r.point, index, err)
	}
	result := make([][][]float32, len(prompts))
	for k, i := range place {
		result[i] = make([][]float32, len(inputs[k]))
		for at, row := range inputs[k] {
			result[i][at] = terms(row)
			r.sign(result[i][at])
		}
	}
	return result, nil
}

// termsOf makes the terms of a number of an input, the point of which it sets in r.
func (m *Causal) termsOf(r *reading, layer, index int) (func(input []float32) []float32, error) {
	if err := m.hasInputTerms(*r); err != nil {
		return nil, err
	}
	var weights []float32
	switch e := r.encoder.(type) {
	case *sae.SAE:
		return func(input []float32) []float32 { return e.InputTerms(input, index) }, nil
	case products:
		weights = e.Weights(index)
	default:
		which := "mlp.W_in"
		if m.config.shape().Gated && r.point != "mlp."+transformer.HookPreLinear {
			which = "mlp.W_gate"
		}
		matrix, err := m.engine.Parameter(transformer.BlockName(layer, which)) // [d_model, d_mlp]
		if err != nil {
			return nil, err
		}
		weights = make([]float32, m.config.DModel)
		for i := range weights {
			weights[i] = matrix[i*m.config.DMLP+index]
		}
		r.point = transformer.HookMLPIn
	}
	return func(input []float32) []float32 { return times(input, weights) }, nil
}

func times(a, b []float32) []float32 {
	product := make([]float32, len(a))
	for i, x := range a {
		product[i] = x * b[i]
	}
	return product
}
