package models

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

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
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	if file.ScaleByLayer {
		return Config{}, errors.New("scale_attn_by_inverse_layer_idx is not supported")
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: orDefault(file.Inner, 4*file.DModel), DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
	}, Tied: orDefault(file.Tied, true)}
	if !orDefault(file.Scale, true) {
		c.ScoreScale = 1
	}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "gelu_new"))
	return c, err
}

// parseGPTNeo reads Hugging Face's GPTNeoConfig: scores are not scaled, and layers of type local see a window only.
func parseGPTNeo(text []byte) (Config, error) {
	var file struct {
		Layers     int      `json:"num_layers"`
		DModel     int      `json:"hidden_size"`
		Heads      int      `json:"num_heads"`
		Inner      *int     `json:"intermediate_size"`
		Positions  int      `json:"max_position_embeddings"`
		Window     int      `json:"window_size"`
		DVocab     int      `json:"vocab_size"`
		Activation *string  `json:"activation_function"`
		Epsilon    float64  `json:"layer_norm_epsilon"`
		Attention  []string `json:"attention_layers"`
		Types      []any    `json:"attention_types"`
		Tied       *bool    `json:"tie_word_embeddings"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: orDefault(file.Inner, 4*file.DModel), DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		ScoreScale: 1,
	}, Tied: orDefault(file.Tied, true)}
	kinds := file.Attention
	if len(kinds) == 0 {
		var err error
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
			c.Windows = append(c.Windows, file.Window)
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

// parseGPTNeoX reads Hugging Face's GPTNeoXConfig (Pythia): rotary positions on a part of each head, attention and MLP
// beside each other.
func parseGPTNeoX(text []byte) (Config, error) {
	var file struct {
		Layers     int           `json:"num_hidden_layers"`
		DModel     int           `json:"hidden_size"`
		Heads      int           `json:"num_attention_heads"`
		Inner      int           `json:"intermediate_size"`
		Positions  int           `json:"max_position_embeddings"`
		DVocab     int           `json:"vocab_size"`
		Activation *string       `json:"hidden_act"`
		Epsilon    float64       `json:"layer_norm_eps"`
		Parallel   *bool         `json:"use_parallel_residual"`
		Tied       *bool         `json:"tie_word_embeddings"`
		Fraction   *float64      `json:"rotary_pct"`
		Base       *float64      `json:"rotary_emb_base"`
		Rope       ropeParameter `json:"rope_parameters"`
		Scaling    ropeParameter `json:"rope_scaling"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	if err := errors.Join(file.Rope.check(), file.Scaling.check()); err != nil {
		return Config{}, err
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: file.Inner, DVocab: file.DVocab, Positions: file.Positions, Epsilon: file.Epsilon,
		ParallelResidual: orDefault(file.Parallel, true),
		RotaryBase:       orDefault(file.Rope.Theta, orDefault(file.Base, 10000)),
	}, Tied: orDefault(file.Tied, false)}
	fraction := orDefault(file.Rope.Fraction, orDefault(file.Fraction, 0.25))
	if fraction <= 0 || fraction > 1 {
		return Config{}, fmt.Errorf("the rotary part of a head is %g, but must lie between 0 and 1", fraction)
	}
	c.RotaryDims = int(fraction * float64(c.DHead))
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "gelu"))
	return c, err
}

// ropeParameter is how newer files describe rotary positions.
type ropeParameter struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Fraction *float64 `json:"partial_rotary_factor"`
}

// check refuses the stretched forms of rotary positions.
func (r ropeParameter) check() error {
	for _, kind := range []string{r.Type, r.OldType} {
		if kind != "" && kind != "default" {
			return fmt.Errorf("rotary positions of type %q are not supported: only the default type is", kind)
		}
	}
	return nil
}
