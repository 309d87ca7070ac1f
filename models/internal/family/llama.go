package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// llama is Hugging Face's LlamaForCausalLM (Touvron et al. 2023, https://arxiv.org/abs/2302.13971): RMSNorm, rotary
// positions, gated MLPs, grouped queries. mistral and qwen2 are the same but for windows and biases.
var (
	llama   = llamaFamily("llama", parseLlama)
	mistral = llamaFamily("mistral", parseMistral)
	qwen2   = llamaFamily("qwen2", parseQwen2)
)

func llamaFamily(name string, parse func(text []byte) (Config, error)) family {
	return family{
		name: name, parse: parse, layout: llamaLayout,
		anchors: []string{"embed_tokens.weight", "layers.0.input_layernorm.weight"},
		fixed:   map[string]string{"partial_rotary_factor": "1"},
	}
}

// llamaFile holds the fields of LlamaConfig and its kin.
type llamaFile struct {
	rotaryFile
	Layers     int      `json:"num_hidden_layers"`
	DModel     int      `json:"hidden_size"`
	Heads      int      `json:"num_attention_heads"`
	KVHeads    *int     `json:"num_key_value_heads"`
	DHead      *int     `json:"head_dim"`
	Inner      int      `json:"intermediate_size"`
	Positions  int      `json:"max_position_embeddings"`
	DVocab     int      `json:"vocab_size"`
	Activation *string  `json:"hidden_act"`
	Epsilon    *float64 `json:"rms_norm_eps"`
	Tied       *bool    `json:"tie_word_embeddings"`
	// Of all projections of attention, and of the MLP; Qwen2 has its own rule and Mistral none.
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

// config is what the families have in common.
func (file llamaFile) config() (Config, error) {
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, KVHeads: orDefault(file.KVHeads, file.Heads),
		DHead: orDefault(file.DHead, perHead(file.DModel, file.Heads)),
		DMLP:  file.Inner, DVocab: file.DVocab, Positions: file.Positions, Epsilon: orDefault(file.Epsilon, 1e-6),
		RMSNorm: true, Gated: true, Tied: orDefault(file.Tied, false),
	}}
	if err := file.apply(&c, 1); err != nil {
		return Config{}, err
	}
	if c.RotaryDims != c.DHead {
		return Config{}, fmt.Errorf("a partial_rotary_factor other than 1 is not implemented for this family")
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "silu"))
	return c, err
}

func parseLlama(text []byte) (Config, error) {
	var file llamaFile
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c, err := file.config()
	c.AttentionBias, c.MLPBias = file.AttentionBias, file.MLPBias
	return c, err
}

// parseMistral reads MistralConfig: all layers have one window, 4096 where the file says nothing, and none where it
// says null.
func parseMistral(text []byte) (Config, error) {
	const window = 4096
	file := struct {
		llamaFile
		Window *int `json:"sliding_window"`
	}{Window: new(window)}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c, err := file.config()
	if file.Window != nil {
		c.Windows = slices.Repeat([]int{*file.Window}, min(max(c.Layers, 0), maxLayers))
	}
	return c, err
}

// parseQwen2 reads Qwen2Config: queries, keys and values have biases, and layers that layer_types names or, without it,
// those from max_window_layers on see a window.
func parseQwen2(text []byte) (Config, error) {
	file := struct {
		llamaFile
		UseWindow  bool     `json:"use_sliding_window"`
		Window     *int     `json:"sliding_window"`
		FullLayers int      `json:"max_window_layers"`
		LayerTypes []string `json:"layer_types"`
	}{Window: new(4096), FullLayers: 28}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c, err := file.config()
	if err != nil {
		return Config{}, err
	}
	c.QKVBias = true
	window := 0
	if file.UseWindow {
		window = orDefault(file.Window, 0)
	}
	if file.LayerTypes != nil {
		c.Windows, err = layerWindows(file.LayerTypes, c.Layers, window)
		return c, err
	}
	for layer := range min(max(c.Layers, 0), maxLayers) {
		if window > 0 && layer >= file.FullLayers {
			c.Windows = append(c.Windows, window)
		} else {
			c.Windows = append(c.Windows, 0)
		}
	}
	return c, nil
}

// layerWindows are the windows of layers that config.json describes one by one.
func layerWindows(types []string, layers, window int) ([]int, error) {
	if len(types) != layers {
		return nil, fmt.Errorf("layer_types describes %d layers, but the model has %d", len(types), layers)
	}
	windows := make([]int, len(types))
	for layer, kind := range types {
		switch {
		case kind == "full_attention":
		case kind == "sliding_attention" && window > 0:
			windows[layer] = window
		case kind == "sliding_attention":
			return nil, fmt.Errorf("layer_types gives layer %d a window, but sliding_window says none", layer)
		default:
			return nil, fmt.Errorf("layers of type %q are not implemented: full_attention and sliding_attention are", kind)
		}
	}
	return windows, nil
}

func llamaLayout(c Config, files tensors) weights.Layout {
	d, queries, keys := c.DModel, c.Heads*c.DHead, c.KVHeads*c.DHead
	qkv := c.AttentionBias || c.QKVBias
	m := modules{
		names:  blockNames(files.prefix, "layers"),
		norms:  map[string]string{"ln1": "input_layernorm", "ln2": "post_attention_layernorm", "ln_final": "norm"},
		stored: weights.Transposed,
		dense: map[string]linear{
			"attn.W_Q":   {"self_attn.q_proj", d, queries, qkv},
			"attn.W_K":   {"self_attn.k_proj", d, keys, qkv},
			"attn.W_V":   {"self_attn.v_proj", d, keys, qkv},
			"attn.W_O":   {"self_attn.o_proj", queries, d, c.AttentionBias},
			"mlp.W_gate": {"mlp.gate_proj", d, c.DMLP, c.MLPBias},
			"mlp.W_in":   {"mlp.up_proj", d, c.DMLP, c.MLPBias},
			"mlp.W_out":  {"mlp.down_proj", c.DMLP, d, c.MLPBias},
		},
		width: d,
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return weights.Plain(files.prefix+"embed_tokens.weight", c.DVocab, d), true
		case "unembed.W_U":
			return head(c, files, "lm_head.weight")
		}
		if strings.HasPrefix(part, "ln") && strings.HasSuffix(part, ".b") { // RMSNorm has none
			return weights.View{}, false
		}
		return m.find(part, layer)
	}
}
