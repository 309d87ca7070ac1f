package models

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// NeuronWeights are the weights of a layer's neurons, [d_mlp][d_model].
type NeuronWeights struct {
	// Out are the rows of W_out: what each neuron adds to the residual stream, per unit of its hook_post. With solu_ln the
	// weight of mlp.ln is part of it.
	Out [][]float32
	// In are the columns of W_in, what a neuron reads of the normalised residual stream; of a gated MLP what its gated
	// part (hook_pre_linear) reads, and Gate what its gate (hook_pre) reads. Gate is nil where there is none.
	In, Gate [][]float32
	// Norm is the weight of the norm before the MLP, [d_model], nil where it has none: Norm ⊙ In is what a neuron reads of
	// the residual stream itself, but for the division by its length.
	Norm []float32
}

// NeuronWeights reads those of a layer.
func (m *Causal) NeuronWeights(layer int) (*NeuronWeights, error) {
	if _, err := m.point(layer, ""); err != nil {
		return nil, err
	}
	if err := m.local("weights"); err != nil {
		return nil, err
	}
	n, err := m.engine.Neurons(layer)
	if err != nil {
		return nil, fmt.Errorf("weights of layer %d: %w", layer, err)
	}
	norm, err := m.engine.Parameter(transformer.BlockName(layer, "ln2.w"))
	if err != nil {
		return nil, fmt.Errorf("weights of layer %d: %w", layer, err)
	}
	return &NeuronWeights{Out: n.Out, In: n.In, Gate: n.Gate, Norm: norm}, nil
}

// ProjectToLogits shows visit what directions of the residual stream, [d_model] each, add to the logits: W_U·(w ⊙ d)
// with w the final norm's weight, one number for each of the d_vocab tokens. Nothing is centred, nothing divided by the
// norm's length, and the unembedding's bias does not count. For a neuron's row of W_out this is direct logit
// attribution: the tokens that it promotes and suppresses. Rows beyond the tokenizer's vocabulary, which some models
// have for padding, are among the numbers.
//
// visit is called once for each direction, by several goroutines at once and in no order; logits are valid until it
// returns. Directions run in blocks, so that a whole layer's need no more memory than one block's.
func (m *Causal) ProjectToLogits(ctx context.Context, directions [][]float32,
	visit func(i int, logits []float32)) error {
	for i, d := range directions {
		if len(d) != m.config.DModel {
			return fmt.Errorf("direction %d has %d numbers, but the residual stream has %d", i+1, len(d), m.config.DModel)
		}
	}
	if err := m.local("weights"); err != nil {
		return err
	}
	err := m.engine.Project(ctx, len(directions), func(i int) []float32 { return directions[i] }, visit)
	if err != nil {
		return fmt.Errorf("project to logits: %w", err)
	}
	return nil
}

// HasLogits says why the model has no logits, nil if it has: files of a base model lack the unembedding.
func (m *Causal) HasLogits() error {
	if err := m.local("logits"); err != nil {
		return err
	}
	return m.engine.HasLogits()
}
