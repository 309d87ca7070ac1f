package models

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// parseTransformerLens reads the configuration of TransformerLens's own SoLU and GELU models.
func parseTransformerLens(text []byte) (Config, error) {
	var file struct {
		Layers     int     `json:"n_layers"`
		DModel     int     `json:"d_model"`
		Context    int     `json:"n_ctx"`
		DHead      int     `json:"d_head"`
		Heads      int     `json:"n_heads"`
		DMLP       int     `json:"d_mlp"`
		DVocab     int     `json:"d_vocab"`
		Activation string  `json:"act_fn"`
		Epsilon    float64 `json:"eps"`
		// The field had another name in the older files.
		Norm         *string `json:"normalization_type"`
		OldNorm      *string `json:"normalization"`
		FinalRMS     bool    `json:"final_rms"`
		AttnOnly     bool    `json:"attn_only"`
		Position     string  `json:"positional_embedding_type"`
		Shortformer  bool    `json:"shortformer_pos"`
		Direction    string  `json:"attention_dir"`
		Parallel     bool    `json:"parallel_attn_mlp"`
		UseScale     *bool   `json:"use_attn_scale"`
		LocalTypes   []any   `json:"attn_types"`
		RotaryDims   *int    `json:"rotary_dim"`
		RotaryBase   float64 `json:"rotary_base"`
		RotaryGPTJ   bool    `json:"rotary_adjacent_pairs"`
		NumKVHeads   *int    `json:"n_key_value_heads"`
		GatedMLP     bool    `json:"gated_mlp"`
		UseLocalAttn bool    `json:"use_local_attn"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	switch {
	case file.AttnOnly:
		return Config{}, errors.New("the model is attention-only: it has no MLP, hence no neurons to explain")
	case file.Shortformer || file.Position == "shortformer":
		return Config{}, errors.New("shortformer positions (added to queries and keys alone) are not supported: choose a model with standard or rotary positions")
	case file.Direction == "bidirectional":
		return Config{}, errors.New("attention is bidirectional, but the method needs a causal model")
	case file.UseLocalAttn || file.GatedMLP || file.RotaryGPTJ:
		return Config{}, errors.New("local attention, gated MLPs and adjacent rotary pairs are not supported in TransformerLens's own format: open the model in its Hugging Face format")
	}
	c := Config{Decoder: transformer.Decoder{
		Layers: file.Layers, DModel: file.DModel, Heads: file.Heads, KVHeads: orDefault(file.NumKVHeads, 0),
		DHead: file.DHead, DMLP: file.DMLP, DVocab: file.DVocab, Positions: file.Context,
		Epsilon: file.Epsilon, FinalRMS: file.FinalRMS, ParallelResidual: file.Parallel,
	}}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	if c.DMLP == 0 {
		c.DMLP = 4 * c.DModel
	}
	if c.DHead == 0 {
		c.DHead = perHead(c.DModel, c.Heads)
	}
	if file.UseScale != nil && !*file.UseScale {
		c.ScoreScale = 1
	}
	switch file.Position {
	case "", "standard":
	case "rotary":
		c.RotaryDims, c.RotaryBase = orDefault(file.RotaryDims, c.DHead), file.RotaryBase
		if c.RotaryBase == 0 {
			c.RotaryBase = 10000
		}
	default:
		return Config{}, fmt.Errorf("positions of type %q are not supported: standard and rotary are", file.Position)
	}
	switch norm := orDefault(file.Norm, orDefault(file.OldNorm, "LN")); norm {
	case "LN":
	case "LNPre":
		c.FoldedNorms = true
	case "RMS":
		c.RMSNorm = true
	case "RMSPre":
		c.RMSNorm, c.FoldedNorms = true, true
	default:
		return Config{}, fmt.Errorf("norms of type %q are not supported: LN, LNPre, RMS and RMSPre are", norm)
	}
	var err error
	c.Activation, err = activation(file.Activation)
	return c, err
}
