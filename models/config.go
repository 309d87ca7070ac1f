package models

import (
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
)

// Config is the shape of a causal model.
type Config struct {
	// Family is one of [Families].
	Family string
	Layers int
	DModel int // the width of the residual stream
	Heads  int // of queries, each of DHead dimensions
	// KVHeads is the number of heads of keys and values, each shared by Heads/KVHeads heads of queries.
	KVHeads int
	DHead   int
	DMLP    int // neurons of a layer
	DVocab  int
	// Positions is the longest prompt in tokens, BOS included.
	Positions int
	// Activation is solu, solu_ln (SoLU and a LayerNorm), gelu, gelu_new, relu or silu.
	Activation string
	// Gated says that an MLP multiplies its activation function by a second projection.
	Gated bool
	// Parallel says that attention and MLP both read the residual stream before the layer.
	Parallel bool
	// Weights is how many numbers the model's parameters have together.
	Weights int
}

// MaskedConfig is the shape of a masked model.
type MaskedConfig struct {
	Family        string // bert or distilbert
	Layers, Heads int
	DModel, DMLP  int
	DVocab        int
	// Positions is the longest text in tokens, [CLS] and [SEP] included.
	Positions  int
	Activation string
}

func newConfig(c family.Config) Config {
	count := 0
	for _, p := range c.Parameters() {
		n := 1
		for _, size := range p.Shape {
			n *= size
		}
		count += n
	}
	return Config{
		Family: c.Family, Layers: c.Layers, DModel: c.DModel, Heads: c.Heads, KVHeads: c.KeyHeads(), DHead: c.DHead,
		DMLP: c.DMLP, DVocab: c.DVocab, Positions: c.Positions, Activation: c.Activation, Gated: c.Gated,
		Parallel: c.ParallelResidual,
		Weights:  count,
	}
}

func newMaskedConfig(c family.Masked) MaskedConfig {
	return MaskedConfig{
		Family: c.Family, Layers: c.Layers, Heads: c.Heads, DModel: c.DModel, DMLP: c.DMLP, DVocab: c.DVocab,
		Positions: c.Positions, Activation: c.Activation,
	}
}

// Families lists the causal families that can be opened: transformer_lens, and those that Hugging Face's config.json
// names in model_type.
func Families() []string { return family.Names() }

// shape is what hook points and their widths depend on.
func (c Config) shape() transformer.Decoder {
	return transformer.Decoder{
		Layers: c.Layers, DModel: c.DModel, Heads: c.Heads, KVHeads: c.KVHeads, DHead: c.DHead, DMLP: c.DMLP,
		Gated: c.Gated, ParallelResidual: c.Parallel,
	}
}

// ContextLength is the longest prompt in tokens, BOS included.
func (c Config) ContextLength() int { return c.Positions }

// DefaultHook is where the method reads a neuron: hook_mid of SoLU models, hook_post of all others.
func (c Config) DefaultHook() string {
	if strings.HasPrefix(c.Activation, "solu") {
		return transformer.HookMid
	}
	return transformer.HookPost
}
