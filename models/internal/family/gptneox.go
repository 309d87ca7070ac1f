package family

import (
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// gptNeoX is Hugging Face's GPTNeoXForCausalLM (Pythia; Biderman et al. 2023, https://arxiv.org/abs/2304.01373).
var gptNeoX = family{
	name: "gpt_neox", parse: parseGPTNeoX, layout: gptNeoXLayout,
	anchors: []string{"embed_in.weight", "layers.0.input_layernorm.weight"},
}

// parseGPTNeoX reads Hugging Face's GPTNeoXConfig (Pythia): rotary positions on a part of each head, attention and MLP
// beside each other.
func parseGPTNeoX(text []byte) (Config, error) {
	var file struct {
		rotaryFile
		Layers     int     `json:"num_hidden_layers"`
		DModel     int     `json:"hidden_size"`
		Heads      int     `json:"num_attention_heads"`
		Inner      int     `json:"intermediate_size"`
		Positions  int     `json:"max_position_embeddings"`
		DVocab     int     `json:"vocab_size"`
		Activation *string `json:"hidden_act"`
		Epsilon    float64 `json:"layer_norm_eps"`
		Parallel   *bool   `json:"use_parallel_residual"`
		Tied       *bool   `json:"tie_word_embeddings"`
		Biases     *bool   `json:"attention_bias"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: file.Inner, DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		ParallelResidual: orDefault(file.Parallel, true), Tied: orDefault(file.Tied, false),
	}, AttentionBias: orDefault(file.Biases, true)}
	if err := file.apply(&c, 0.25); err != nil {
		return Config{}, err
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "gelu"))
	return c, err
}

// gptNeoXLayout: queries, keys and values are fused head by head, stored [head, 3, d_head, d_model].
func gptNeoXLayout(c Config, files tensors) weights.Layout {
	d, h, e := c.DModel, c.Heads, c.DHead
	m := modules{
		names: blockNames(files.prefix, "layers"),
		norms: map[string]string{"ln1": "input_layernorm", "ln2": "post_attention_layernorm",
			"ln_final": "final_layer_norm"},
		stored: weights.Transposed,
		dense: map[string]linear{
			"attn.W_O":  {"attention.dense", d, d, c.AttentionBias},
			"mlp.W_in":  {"mlp.dense_h_to_4h", d, c.DMLP, true},
			"mlp.W_out": {"mlp.dense_4h_to_h", c.DMLP, d, true},
		},
		width: d,
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return weights.Plain(files.prefix+"embed_in.weight", c.DVocab, d), true
		case "unembed.W_U":
			return head(c, files, "embed_out.weight", "lm_head.weight")
		}
		for i, which := range []string{"Q", "K", "V"} {
			switch part {
			case "attn.W_" + which:
				return weights.View{File: m.names(layer, "attention.query_key_value.weight"), Stored: []int{3 * h * e, d},
					Offset: i * e * d, Dims: []int{d, h, e}, Strides: []int{1, 3 * e * d, d}, Shape: []int{d, h * e}}, true
			case "attn.b_" + which:
				return weights.View{File: m.names(layer, "attention.query_key_value.bias"), Stored: []int{3 * h * e},
					Offset: i * e, Dims: []int{h, e}, Strides: []int{3 * e, 1}, Shape: []int{h * e}}, c.AttentionBias
			}
		}
		return m.find(part, layer)
	}
}
