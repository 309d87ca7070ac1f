package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// HookPoints lists the places of a layer that can be read, in the order in which they are computed. They are called as
// TransformerLens calls them:
//
//   - hook_resid_pre, hook_resid_mid, hook_resid_post: the residual stream, [d_model]; hook_attn_out and hook_mlp_out: what
//     is added to it. A model whose MLP stands beside attention has no hook_resid_mid.
//   - ln2.hook_normalized, also called mlp.hook_in: what enters the MLP, [d_model], the norm's weight and bias included.
//   - attn.hook_z: what the heads give, [heads·d_head], head h at h·d_head.
//   - mlp.hook_pre, mlp.hook_pre_linear (of gated MLPs), mlp.hook_mid, mlp.hook_post: neurons, [d_mlp].
//   - attn.bos, attn.self, attn.prev, attn.induction, which are ours: how much of its attention a head pays to the prompt's
//     first token, to the token itself, to the one before it, and to all that followed the same token before, [heads].
func (m *Causal) HookPoints() []string { return m.shape.HookPoints() }

// Width is how many numbers a hook point of a layer has for each token. An empty hook is the model's own.
func (m *Causal) Width(layer int, hook string) (int, error) {
	point, err := m.point(layer, hook)
	if err != nil {
		return 0, err
	}
	return m.shape.Width(point), nil
}

// point checks a layer and a hook, which may be written hook_mid, mlp.hook_mid or blocks.3.mlp.hook_mid, and returns the
// middle form; an empty hook is the model's own.
func (m *Causal) point(layer int, hook string) (string, error) {
	if layer < 0 || layer >= m.config.Layers {
		return "", fmt.Errorf("layer %d is out of range: the model has layers 0 to %d", layer, m.config.Layers-1)
	}
	if hook == "" {
		hook = m.config.DefaultHook()
	}
	short := strings.TrimPrefix(hook, transformer.BlockName(layer, ""))
	if short == "mlp.hook_in" { // what transcoders call it
		short = transformer.HookMLPIn
	}
	points := m.HookPoints()
	for _, prefix := range []string{"", "mlp.", "attn."} {
		if slices.Contains(points, prefix+short) {
			return prefix + short, nil
		}
	}
	return "", fmt.Errorf("%q is no hook point of layer %d: use one of %s", hook, layer, strings.Join(points, ", "))
}

// checkIndex refuses an index that a hook point does not have.
func (m *Causal) checkIndex(layer int, point string, index int) error {
	width := m.shape.Width(point)
	switch {
	case index >= 0 && index < width:
		return nil
	case strings.HasPrefix(point, "mlp."):
		return fmt.Errorf("neuron %d is out of range: layer %d has neurons 0 to %d", index, layer, width-1)
	}
	return fmt.Errorf("index %d is out of range: %s of layer %d has numbers 0 to %d", index, point, layer, width-1)
}
