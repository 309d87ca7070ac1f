package family

import (
	"errors"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// transformerLens is the layout of TransformerLens's own SoLU and GELU models.
var transformerLens = family{
	name: "transformer_lens", parse: parseTransformerLens, anchors: []string{"embed.W_E"}, layout: transformerLensLayout,
	fixed: map[string]string{
		"attn_scores_soft_cap": "-1", "output_logits_soft_cap": "-1", "use_normalization_before_and_after": "false",
		"post_embedding_ln": "false", "use_qk_norm": "false", "use_NTK_by_parts_rope": "false", "num_experts": "null",
		"attention_dir": `"causal"`, "rotary_scaling_factor": "1", "rotary_attention_factor": "1",
	},
}

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
		ScaleByLayer bool    `json:"scale_attn_by_inverse_layer_idx"`
		AttnScale    float64 `json:"attn_scale"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	switch {
	case file.AttnOnly:
		return Config{}, errors.New("the model is attention-only: it has no MLP, hence no neurons to explain")
	case file.Shortformer || file.Position == "shortformer":
		return Config{},
			errors.New("shortformer positions (added to queries and keys alone) are not supported: choose a model with " +
				"standard or rotary positions")
	case file.UseLocalAttn || file.GatedMLP || file.RotaryGPTJ:
		return Config{},
			errors.New("local attention, gated MLPs and adjacent rotary pairs are not supported in TransformerLens's own " +
				"format: open the model in its Hugging Face format")
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
	c.ScaleByLayer = file.ScaleByLayer
	switch {
	case file.UseScale != nil && !*file.UseScale:
		c.ScoreScale = 1
	case file.AttnScale > 0: // what scores are divided by; -1 is √d_head
		c.ScoreScale = 1 / file.AttnScale
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

// transformerLensLayout is that of TransformerLens's own models. The old ones call norm what later ones call ln, some
// parameters or all; those of up to eight layers store the positions transposed, and those of up to six layers every
// other weight too.
func transformerLensLayout(c Config, files tensors) weights.Layout {
	// By the names of today, as TransformerLens's loader renames them.
	names := map[string]string{}
	old := false
	for _, name := range files.Names() {
		if own, ok := strings.CutPrefix(name, files.prefix); ok {
			today := strings.ReplaceAll(own, "norm", "ln")
			if strings.HasPrefix(today, "ln.") {
				today = "ln_final." + strings.TrimPrefix(today, "ln.")
			}
			names[today] = name
			old = old || today != own
		}
	}
	fileName := func(name string) (full string, ok bool) {
		if full, ok := names[name]; ok {
			return full, true
		}
		return files.prefix + name, false
	}
	// The shape tells how a matrix lies, unless it is square.
	turned := func(name string, rows, columns, upTo int) bool {
		full, _ := fileName(name)
		info, _ := files.Info(full)
		if rows == columns || len(info.Shape) != 2 {
			return old && c.Layers <= upTo
		}
		return info.Shape[0] == columns && info.Shape[1] == rows
	}
	turnedPositions := turned("pos_embed.W_pos", c.Positions, c.DModel, 8)
	turnedWeights := turned("blocks.0.mlp.W_in", c.DModel, c.DMLP, 6)
	isTurned := func(part string) bool {
		if part == "pos_embed.W_pos" {
			return turnedPositions
		}
		return turnedWeights && strings.Contains(part, "W_")
	}
	return func(name string) (weights.View, bool) {
		file, ok := fileName(name)
		if !ok && (strings.HasPrefix(name, "unembed.") || c.FoldedNorms && strings.Contains(name, "ln")) {
			return weights.View{}, false
		}
		part, layer := splitName(name)
		v, ok := transformerLensView(c, part, file, isTurned(part))
		if !c.NormalizedMLP() || c.FoldedNorms {
			return v, ok
		}
		// mlp.ln's weight and bias go into W_out and b_out, as TransformerLens's own loading does: two passes over
		// [row, d_mlp] less.
		at := func(name string) string {
			full, _ := fileName(transformer.BlockName(layer, name))
			return full
		}
		switch part {
		case "mlp.ln.w", "mlp.ln.b":
			return weights.View{}, false
		case "mlp.W_out":
			v.Fold = &weights.Fold{Scale: at("mlp.ln.w")}
		case "mlp.b_out":
			matrix, _ := transformerLensView(c, "mlp.W_out", at("mlp.W_out"), isTurned("mlp.W_out"))
			v.Fold = &weights.Fold{Vector: at("mlp.ln.b"), Matrix: &matrix}
		}
		return v, ok
	}
}

// transformerLensView finds one parameter; turned says that its last two axes are stored the other way round.
func transformerLensView(c Config, part, file string, turned bool) (weights.View, bool) {
	kv := c.Heads
	if c.KVHeads > 0 {
		kv = c.KVHeads
	}
	matrix := func(in, out int) (weights.View, bool) {
		if turned {
			return weights.Transposed(file, in, out), true
		}
		return weights.Plain(file, in, out), true
	}
	switch part {
	case "embed.W_E":
		return matrix(c.DVocab, c.DModel)
	case "pos_embed.W_pos":
		return matrix(c.Positions, c.DModel)
	case "unembed.W_U":
		return matrix(c.DModel, c.DVocab)
	case "unembed.b_U":
		return weights.Plain(file, c.DVocab), true
	case "attn.W_Q":
		return weights.Heads(file, c.Heads, c.DModel, c.DHead, turned), true
	case "attn.W_K", "attn.W_V":
		return weights.Heads(file, kv, c.DModel, c.DHead, turned), true
	case "attn.b_Q":
		return weights.Reshaped(file, []int{c.Heads, c.DHead}, c.Heads*c.DHead), true
	case "attn.b_K", "attn.b_V":
		return weights.Reshaped(file, []int{kv, c.DHead}, kv*c.DHead), true
	case "attn.W_O":
		v := weights.Reshaped(file, []int{c.Heads, c.DHead, c.DModel}, c.Heads*c.DHead, c.DModel)
		if turned {
			v.Stored = []int{c.Heads, c.DModel, c.DHead}
			v.Strides = []int{c.DModel * c.DHead, 1, c.DHead}
		}
		return v, true
	case "mlp.W_in":
		return matrix(c.DModel, c.DMLP)
	case "mlp.W_out":
		return matrix(c.DMLP, c.DModel)
	case "mlp.b_in", "mlp.ln.w", "mlp.ln.b":
		return weights.Plain(file, c.DMLP), true
	case "attn.b_O", "mlp.b_out", "ln1.w", "ln1.b", "ln2.w", "ln2.b", "ln_final.w", "ln_final.b":
		return weights.Plain(file, c.DModel), true
	}
	return weights.View{}, false
}
