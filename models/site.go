package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// point checks a layer and a hook, which may be written hook_mid, mlp.hook_mid or blocks.3.mlp.hook_mid, and returns the
// short form; an empty hook is the model's own.
func (c Config) point(layer int, hook string) (string, error) {
	if layer < 0 || layer >= c.Layers {
		return "", fmt.Errorf("layer %d is out of range: the model has layers 0 to %d", layer, c.Layers-1)
	}
	if hook == "" {
		return c.DefaultHook(), nil
	}
	short := strings.TrimPrefix(hook, transformer.BlockName(layer, ""))
	short = strings.TrimPrefix(short, "mlp.")
	hooks := []string{transformer.HookPre, transformer.HookMid, transformer.HookPost}
	if c.Gated {
		hooks = append(hooks, transformer.HookPreLinear)
	}
	if slices.Contains(hooks, short) {
		return short, nil
	}
	return "", fmt.Errorf("hook %q is no place of an MLP neuron of layer %d: use one of %s", hook, layer, strings.Join(hooks, ", "))
}

// neuron checks an index.
func (c Config) neuron(layer, index int) error {
	if index < 0 || index >= c.DMLP {
		return fmt.Errorf("neuron %d is out of range: layer %d has neurons 0 to %d", index, layer, c.DMLP-1)
	}
	return nil
}
