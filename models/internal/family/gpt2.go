package family

import (
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// gpt2 is Hugging Face's GPT2LMHeadModel (Radford et al. 2019).
var gpt2 = family{
	name: "gpt2", parse: parseGPT2, anchors: []string{"wte.weight", "h.0.ln_1.weight"}, layout: gpt2Layout,
}

// parseGPT2 reads Hugging Face's GPT2Config.
func parseGPT2(text []byte) (Config, error) {
	var file struct {
		Layers       int     `json:"n_layer"`
		DModel       int     `json:"n_embd"`
		Heads        int     `json:"n_head"`
		Inner        *int    `json:"n_inner"`
		Positions    int     `json:"n_positions"`
		DVocab       int     `json:"vocab_size"`
		Activation   *string `json:"activation_function"`
		Epsilon      float64 `json:"layer_norm_epsilon"`
		Scale        *bool   `json:"scale_attn_weights"`
		ScaleByLayer bool    `json:"scale_attn_by_inverse_layer_idx"`
		Tied         *bool   `json:"tie_word_embeddings"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: orDefault(file.Inner, 4*file.DModel), DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		ScaleByLayer: file.ScaleByLayer, Tied: orDefault(file.Tied, true),
	}}
	if !orDefault(file.Scale, true) {
		c.ScoreScale = 1
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "gelu_new"))
	return c, err
}

// gpt2Layout: dense layers are stored [in, out], and queries, keys and values lie beside each other in c_attn.
func gpt2Layout(c Config, files tensors) weights.Layout {
	d := c.DModel
	m := gptModules(c, files)
	m.stored = plainMatrix
	m.dense = map[string]linear{
		"attn.W_O":  {"attn.c_proj", d, d, true},
		"mlp.W_in":  {"mlp.c_fc", d, c.DMLP, true},
		"mlp.W_out": {"mlp.c_proj", c.DMLP, d, true},
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		if v, ok := gptOuter(c, files, part); ok {
			return v, ok
		}
		for i, which := range []string{"Q", "K", "V"} {
			switch part {
			case "attn.W_" + which:
				return weights.View{File: m.names(layer, "attn.c_attn.weight"), Stored: []int{d, 3 * d}, Offset: i * d,
					Dims: []int{d, d}, Strides: []int{3 * d, 1}, Shape: []int{d, d}}, true
			case "attn.b_" + which:
				return weights.View{File: m.names(layer, "attn.c_attn.bias"), Stored: []int{3 * d}, Offset: i * d,
					Dims: []int{d}, Strides: []int{1}, Shape: []int{d}}, true
			}
		}
		return m.find(part, layer)
	}
}

// gptModules are what GPT-2 and GPT-Neo call their norms.
func gptModules(c Config, files tensors) modules {
	return modules{
		names: blockNames(files.prefix, "h"),
		norms: map[string]string{"ln1": "ln_1", "ln2": "ln_2", "ln_final": "ln_f"},
		width: c.DModel,
	}
}

// gptOuter is what GPT-2 and GPT-Neo have outside their blocks.
func gptOuter(c Config, files tensors, part string) (weights.View, bool) {
	switch part {
	case "embed.W_E":
		return weights.Plain(files.prefix+"wte.weight", c.DVocab, c.DModel), true
	case "pos_embed.W_pos":
		return weights.Plain(files.prefix+"wpe.weight", c.Positions, c.DModel), true
	case "unembed.W_U":
		return head(c, files, "lm_head.weight")
	}
	return weights.View{}, false
}
