package models

import (
	"strings"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// transformerLensLayout is that of TransformerLens's own models. Of the old ones (their parameters are called norm where
// later ones are called ln), those of up to eight layers store the positions transposed, and those of up to six layers
// every other weight too.
func transformerLensLayout(c Config, files safetensors.Weights) layout {
	_, old := files.Info("norm.w")
	turned := func(part string) bool {
		if !old || !strings.Contains(part, "W_") {
			return false
		}
		return part == "pos_embed.W_pos" && c.Layers <= 8 || part != "pos_embed.W_pos" && c.Layers <= 6
	}
	fileName := func(name string) string {
		if !old {
			return name
		}
		name = strings.Replace(name, "ln_final.", "norm.", 1)
		name = strings.Replace(name, ".ln", ".norm", 1) // blocks.0.ln1.w, blocks.0.mlp.ln.w
		return name
	}
	return func(name string) (view, bool) {
		file := fileName(name)
		if _, ok := files.Info(file); !ok && (name == "unembed.b_U" || c.FoldedNorms && strings.Contains(name, "ln")) {
			return view{}, false
		}
		part, layer := splitName(name)
		v, ok := transformerLensView(c, part, file, turned(part))
		if !c.NormalizedMLP() || c.FoldedNorms {
			return v, ok
		}
		// mlp.ln's weight and bias go into W_out and b_out, as TransformerLens's own loading does: two passes over
		// [row, d_mlp] less.
		at := func(name string) string { return fileName(transformer.BlockName(layer, name)) }
		switch part {
		case "mlp.ln.w", "mlp.ln.b":
			return view{}, false
		case "mlp.W_out":
			v.fold = &fold{scale: at("mlp.ln.w")}
		case "mlp.b_out":
			matrix, _ := transformerLensView(c, "mlp.W_out", at("mlp.W_out"), turned("mlp.W_out"))
			v.fold = &fold{vector: at("mlp.ln.b"), matrix: &matrix}
		}
		return v, ok
	}
}

// transformerLensView finds one parameter; turned says that its last two axes are stored the other way round.
func transformerLensView(c Config, part, file string, turned bool) (view, bool) {
	kv := c.Heads
	if c.KVHeads > 0 {
		kv = c.KVHeads
	}
	matrix := func(in, out int) (view, bool) {
		if turned {
			return transposed(file, in, out), true
		}
		return plain(file, in, out), true
	}
	switch part {
	case "embed.W_E":
		return matrix(c.DVocab, c.DModel)
	case "pos_embed.W_pos":
		return matrix(c.Positions, c.DModel)
	case "unembed.W_U":
		return matrix(c.DModel, c.DVocab)
	case "unembed.b_U":
		return plain(file, c.DVocab), true
	case "attn.W_Q":
		return headMatrix(file, c.Heads, c.DModel, c.DHead, turned), true
	case "attn.W_K", "attn.W_V":
		return headMatrix(file, kv, c.DModel, c.DHead, turned), true
	case "attn.b_Q":
		return reshaped(file, []int{c.Heads, c.DHead}, c.Heads*c.DHead), true
	case "attn.b_K", "attn.b_V":
		return reshaped(file, []int{kv, c.DHead}, kv*c.DHead), true
	case "attn.W_O":
		v := reshaped(file, []int{c.Heads, c.DHead, c.DModel}, c.Heads*c.DHead, c.DModel)
		if turned {
			v.stored = []int{c.Heads, c.DModel, c.DHead}
			v.strides = []int{c.DModel * c.DHead, 1, c.DHead}
		}
		return v, true
	case "mlp.W_in":
		return matrix(c.DModel, c.DMLP)
	case "mlp.W_out":
		return matrix(c.DMLP, c.DModel)
	case "mlp.b_in", "mlp.ln.w", "mlp.ln.b":
		return plain(file, c.DMLP), true
	case "attn.b_O", "mlp.b_out", "ln1.w", "ln1.b", "ln2.w", "ln2.b", "ln_final.w", "ln_final.b":
		return plain(file, c.DModel), true
	}
	return view{}, false
}

// headMatrix is a projection to heads, stored [head, d_model, d_head] (turned: [head, d_head, d_model]) and used as the
// matrix [d_model, head·d_head].
func headMatrix(file string, heads, dModel, dHead int, turned bool) view {
	v := view{
		file: file, stored: []int{heads, dModel, dHead},
		dims: []int{dModel, heads, dHead}, strides: []int{dHead, dModel * dHead, 1},
		shape: []int{dModel, heads * dHead},
	}
	if turned {
		v.stored, v.strides = []int{heads, dHead, dModel}, []int{1, dModel * dHead, dModel}
	}
	return v
}
