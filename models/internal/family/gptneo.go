package family

import (
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// gptNeo is Hugging Face's GPTNeoForCausalLM.
var gptNeo = family{
	name: "gpt_neo", parse: parseGPTNeo, anchors: []string{"wte.weight", "h.0.ln_1.weight"}, layout: gptNeoLayout,
}

// parseGPTNeo reads Hugging Face's GPTNeoConfig: scores are not scaled, and layers of type local see a window only.
func parseGPTNeo(text []byte) (Config, error) {
	var file struct {
		Layers     int      `json:"num_layers"`
		DModel     int      `json:"hidden_size"`
		Heads      int      `json:"num_heads"`
		Inner      *int     `json:"intermediate_size"`
		Positions  int      `json:"max_position_embeddings"`
		Window     *int     `json:"window_size"`
		DVocab     int      `json:"vocab_size"`
		Activation *string  `json:"activation_function"`
		Epsilon    float64  `json:"layer_norm_epsilon"`
		Attention  []string `json:"attention_layers"`
		Types      []any    `json:"attention_types"`
		Tied       *bool    `json:"tie_word_embeddings"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: orDefault(file.Inner, 4*file.DModel), DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		ScoreScale: 1, Tied: orDefault(file.Tied, true),
	}}
	kinds := file.Attention
	if len(kinds) == 0 {
		var err error
		if file.Types == nil { // what Hugging Face's class takes then
			file.Types = []any{[]any{[]any{"global", "local"}, 12.0}}
		}
		if kinds, err = expandAttentionTypes(file.Types, file.Layers); err != nil {
			return Config{}, err
		}
	}
	if len(kinds) != file.Layers {
		return Config{}, fmt.Errorf("attention is described for %d layers, but the model has %d", len(kinds), file.Layers)
	}
	for _, kind := range kinds {
		switch kind {
		case "global":
			c.Windows = append(c.Windows, 0)
		case "local":
			c.Windows = append(c.Windows, orDefault(file.Window, 256))
		default:
			return Config{}, fmt.Errorf("attention of type %q is not supported: global and local are", kind)
		}
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "gelu_new"))
	return c, err
}

// expandAttentionTypes writes out [[["global", "local"], 6]] as six times global, local.
func expandAttentionTypes(types []any, layers int) ([]string, error) {
	wrong := errors.New(`attention_types is not of the form [[["global", "local"], 6]]`)
	if layers > maxLayers {
		return nil, fmt.Errorf("the number of layers is %d, but must not exceed %d", layers, maxLayers)
	}
	var kinds []string
	for _, entry := range types {
		pair, ok := entry.([]any)
		if !ok || len(pair) != 2 {
			return nil, wrong
		}
		names, ok1 := pair[0].([]any)
		times, ok2 := pair[1].(float64)
		if !ok1 || !ok2 || len(names) == 0 || times < 0 || times > float64(layers) {
			return nil, wrong
		}
		for range int(times) {
			for _, name := range names {
				kind, ok := name.(string)
				if !ok {
					return nil, wrong
				}
				if kinds = append(kinds, kind); len(kinds) > layers {
					return nil, fmt.Errorf("attention_types describes more than the model's %d layers", layers)
				}
			}
		}
	}
	return kinds, nil
}

func gptNeoLayout(c Config, files tensors) weights.Layout {
	d := c.DModel
	m := gptModules(c, files)
	m.stored = weights.Transposed
	m.dense = map[string]linear{
		"attn.W_Q":  {"attn.attention.q_proj", d, d, false},
		"attn.W_K":  {"attn.attention.k_proj", d, d, false},
		"attn.W_V":  {"attn.attention.v_proj", d, d, false},
		"attn.W_O":  {"attn.attention.out_proj", d, d, true},
		"mlp.W_in":  {"mlp.c_fc", d, c.DMLP, true},
		"mlp.W_out": {"mlp.c_proj", c.DMLP, d, true},
	}
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		if v, ok := gptOuter(c, files, part); ok {
			return v, ok
		}
		return m.find(part, layer)
	}
}
