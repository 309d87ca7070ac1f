package models

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

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
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	if !orDefault(file.NormFirst, true) || orDefault(file.Projected, file.DModel) != file.DModel {
		return Config{}, errors.New("OPT with norms behind the layers or projected embeddings (opt-350m) is not supported: choose another size")
	}
	const positionOffset = 2 // of the table of positions; its first rows belong to padding
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, DHead: perHead(file.DModel, file.Heads),
		DMLP: file.Inner, DVocab: file.DVocab, Positions: file.Positions, PositionOffset: positionOffset, Epsilon: 1e-5,
	}, Tied: orDefault(file.Tied, true)}
	var err error
	c.Activation, err = activation(orDefault(file.Activation, "relu"))
	return c, err
}

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
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
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
