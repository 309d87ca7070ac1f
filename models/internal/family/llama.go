package family

import (
	"errors"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// llama is Hugging Face's LlamaForCausalLM (Touvron et al. 2023, https://arxiv.org/abs/2302.13971); mistral and qwen2 are
// the same but for windows and biases.
var (
	llama   = family{name: "llama", parse: parseLlama, layout: llamaLayout}
	mistral = family{name: "mistral", parse: parseLlama, layout: llamaLayout}
	qwen2   = family{name: "qwen2", parse: parseLlama, layout: llamaLayout}
)

// parseLlama reads Hugging Face's LlamaConfig and those of its kin (Mistral, Qwen2): RMSNorm, rotary positions, gated
// MLPs, grouped queries.
func parseLlama(text []byte) (Config, error) {
	var file struct {
		ModelType  string         `json:"model_type"`
		Layers     int            `json:"num_hidden_layers"`
		DModel     int            `json:"hidden_size"`
		Heads      int            `json:"num_attention_heads"`
		KVHeads    *int           `json:"num_key_value_heads"`
		DHead      *int           `json:"head_dim"`
		Inner      int            `json:"intermediate_size"`
		Positions  int            `json:"max_position_embeddings"`
		DVocab     int            `json:"vocab_size"`
		Activation *string        `json:"hidden_act"`
		Epsilon    float64        `json:"rms_norm_eps"`
		Base       *float64       `json:"rope_theta"`
		Rope       ropeParameter  `json:"rope_parameters"`
		Scaling    *ropeParameter `json:"rope_scaling"`
		Window     *int           `json:"sliding_window"`
		UseWindow  *bool          `json:"use_sliding_window"`
		Tied       *bool          `json:"tie_word_embeddings"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	if err := errors.Join(file.Rope.check(), orDefault(file.Scaling, ropeParameter{}).check()); err != nil {
		return Config{}, err
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, KVHeads: orDefault(file.KVHeads, file.Heads),
		DHead: orDefault(file.DHead, perHead(file.DModel, file.Heads)),
		DMLP:  file.Inner, DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		RMSNorm: true, Gated: true, RotaryBase: orDefault(file.Rope.Theta, orDefault(file.Base, 10000)),
	}, Tied: orDefault(file.Tied, false)}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-6
	}
	c.RotaryDims = c.DHead
	// Qwen2 names a window that it uses only where it says so.
	if window := orDefault(file.Window, 0); window > 0 && orDefault(file.UseWindow, file.ModelType != "qwen2") {
		for range min(file.Layers, maxLayers) {
			c.Windows = append(c.Windows, window)
		}
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "silu"))
	return c, err
}

// llamaLayout: Qwen2 has biases of queries, keys and values, some Llamas of all dense layers: they are used where the
// files hold them.
func llamaLayout(c Config, files safetensors.Weights) weights.Layout {
	prefix := prefix(files, "embed_tokens.weight", "model.", "")
	d, queries, keys := c.DModel, c.Heads*c.DHead, c.KVHeads*c.DHead
	m := modules{
		names:  blockNames(prefix, "layers"),
		norms:  map[string]string{"ln1": "input_layernorm", "ln2": "post_attention_layernorm", "ln_final": "norm"},
		stored: weights.Transposed,
		dense: map[string]linear{
			"attn.W_Q":   {"self_attn.q_proj", d, queries, true},
			"attn.W_K":   {"self_attn.k_proj", d, keys, true},
			"attn.W_V":   {"self_attn.v_proj", d, keys, true},
			"attn.W_O":   {"self_attn.o_proj", queries, d, true},
			"mlp.W_gate": {"mlp.gate_proj", d, c.DMLP, true},
			"mlp.W_in":   {"mlp.up_proj", d, c.DMLP, true},
			"mlp.W_out":  {"mlp.down_proj", c.DMLP, d, true},
		},
		width: d,
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return weights.Plain(prefix+"embed_tokens.weight", c.DVocab, d), true
		case "unembed.W_U":
			return weights.Transposed("lm_head.weight", d, c.DVocab), !c.Tied
		}
		v, ok := m.find(part, layer)
		if !ok || strings.HasPrefix(part, "ln") {
			return v, ok && strings.HasSuffix(part, ".w")
		}
		if strings.Contains(part, ".b_") {
			_, ok = files.Info(v.File)
		}
		return v, ok
	}
}
