package family

import (
	"errors"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// opt is Hugging Face's OPTForCausalLM (Zhang et al. 2022, https://arxiv.org/abs/2205.01068).
var opt = family{
	name: "opt", parse: parseOPT, anchors: []string{"embed_tokens.weight", "layers.0.fc1.weight"}, layout: optLayout,
}

// parseOPT reads Hugging Face's OPTConfig.
func parseOPT(text []byte) (Config, error) {
	var file struct {
		Layers     int     `json:"num_hidden_layers"`
		DModel     int     `json:"hidden_size"`
		Projected  *int    `json:"word_embed_proj_dim"`
		Heads      int     `json:"num_attention_heads"`
		Inner      int     `json:"ffn_dim"`
		Positions  int     `json:"max_position_embeddings"`
		DVocab     int     `json:"vocab_size"`
		Activation *string `json:"activation_function"`
		NormFirst  *bool   `json:"do_layer_norm_before"`
		Tied       *bool   `json:"tie_word_embeddings"`
		Biases     *bool   `json:"enable_bias"`
		Affine     *bool   `json:"layer_norm_elementwise_affine"`
		// Of models that were trained with an older version of the library.
		NoFinalNorm bool `json:"_remove_final_layer_norm"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	switch {
	case !orDefault(file.NormFirst, true):
		return Config{},
			errors.New("norms behind the layers (do_layer_norm_before false, opt-350m) are not implemented: choose another size")
	case orDefault(file.Projected, file.DModel) != file.DModel:
		return Config{},
			errors.New("projected embeddings (word_embed_proj_dim other than hidden_size, opt-350m) are not implemented: " +
				"choose another size")
	}
	const positionOffset = 2 // of the table of positions; its first rows belong to padding
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: file.Inner, DVocab: file.DVocab, Positions: file.Positions, PositionOffset: positionOffset, Epsilon: 1e-5,
		NoFinalNorm: file.NoFinalNorm, Tied: orDefault(file.Tied, true),
	}, AttentionBias: orDefault(file.Biases, true), MLPBias: orDefault(file.Biases, true),
		FoldedNorms: !orDefault(file.Affine, true)}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "relu"))
	return c, err
}

func optLayout(c Config, files tensors) weights.Layout {
	d := c.DModel
	m := modules{
		names:  blockNames(files.prefix, "layers"),
		norms:  map[string]string{"ln1": "self_attn_layer_norm", "ln2": "final_layer_norm", "ln_final": "final_layer_norm"},
		stored: weights.Transposed,
		dense: map[string]linear{
			"attn.W_Q":  {"self_attn.q_proj", d, d, c.AttentionBias},
			"attn.W_K":  {"self_attn.k_proj", d, d, c.AttentionBias},
			"attn.W_V":  {"self_attn.v_proj", d, d, c.AttentionBias},
			"attn.W_O":  {"self_attn.out_proj", d, d, c.AttentionBias},
			"mlp.W_in":  {"fc1", d, c.DMLP, c.MLPBias},
			"mlp.W_out": {"fc2", c.DMLP, d, c.MLPBias},
		},
		width: d,
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return weights.Plain(files.prefix+"embed_tokens.weight", c.DVocab, d), true
		case "pos_embed.W_pos":
			return weights.Plain(files.prefix+"embed_positions.weight", c.PositionOffset+c.Positions, d), true
		case "unembed.W_U":
			return head(c, files, "lm_head.weight")
		}
		if c.FoldedNorms && (strings.HasPrefix(part, "ln")) {
			return weights.View{}, false
		}
		return m.find(part, layer)
	}
}
