package models

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
)

// optLayout is Hugging Face's OPTForCausalLM.
func optLayout(c Config, prefix string) layout {
	return func(name string) (view, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return plain(prefix+"embed_tokens.weight", c.DVocab, c.DModel), true
		case "pos_embed.W_pos":
			return plain(prefix+"embed_positions.weight", c.PositionOffset+c.Positions, c.DModel), true
		case "unembed.W_U":
			return transposed("lm_head.weight", c.DModel, c.DVocab), !c.Tied
		}
		if v, ok := normView(part, "ln_final", prefix+"final_layer_norm", c.DModel); ok || layer < 0 {
			return v, ok
		}
		at := func(module string) string { return fmt.Sprintf("%slayers.%d.%s", prefix, layer, module) }
		for ours, theirs := range map[string]string{"ln1": "self_attn_layer_norm", "ln2": "final_layer_norm"} {
			if v, ok := normView(part, ours, at(theirs), c.DModel); ok {
				return v, true
			}
		}
		for which, theirs := range map[string]string{"Q": "q_proj", "K": "k_proj", "V": "v_proj", "O": "out_proj"} {
			switch part {
			case "attn.W_" + which:
				return transposed(at("self_attn."+theirs+".weight"), c.DModel, c.DModel), true
			case "attn.b_" + which:
				return plain(at("self_attn."+theirs+".bias"), c.DModel), true
			}
		}
		switch part {
		case "mlp.W_in":
			return transposed(at("fc1.weight"), c.DModel, c.DMLP), true
		case "mlp.b_in":
			return plain(at("fc1.bias"), c.DMLP), true
		case "mlp.W_out":
			return transposed(at("fc2.weight"), c.DMLP, c.DModel), true
		case "mlp.b_out":
			return plain(at("fc2.bias"), c.DModel), true
		}
		return view{}, false
	}
}

// llamaLayout is Hugging Face's LlamaForCausalLM and its kin. Qwen2 has biases of queries, keys and values, some Llamas
// of all dense layers: they are used where the files hold them.
func llamaLayout(c Config, files safetensors.Weights, prefix string) layout {
	optional := func(file string, width int) (view, bool) {
		_, ok := files.Info(file)
		return plain(file, width), ok
	}
	return func(name string) (view, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return plain(prefix+"embed_tokens.weight", c.DVocab, c.DModel), true
		case "unembed.W_U":
			return transposed("lm_head.weight", c.DModel, c.DVocab), !c.Tied
		case "ln_final.w":
			return plain(prefix+"norm.weight", c.DModel), true
		}
		if layer < 0 {
			return view{}, false
		}
		at := func(module string) string { return fmt.Sprintf("%slayers.%d.%s", prefix, layer, module) }
		switch part {
		case "ln1.w":
			return plain(at("input_layernorm.weight"), c.DModel), true
		case "ln2.w":
			return plain(at("post_attention_layernorm.weight"), c.DModel), true
		}
		queries, keys := c.Heads*c.DHead, c.KVHeads*c.DHead
		for _, dense := range []struct {
			weight, bias, file string
			in, out            int
		}{
			{"attn.W_Q", "attn.b_Q", "self_attn.q_proj", c.DModel, queries},
			{"attn.W_K", "attn.b_K", "self_attn.k_proj", c.DModel, keys},
			{"attn.W_V", "attn.b_V", "self_attn.v_proj", c.DModel, keys},
			{"attn.W_O", "attn.b_O", "self_attn.o_proj", queries, c.DModel},
			{"mlp.W_gate", "mlp.b_gate", "mlp.gate_proj", c.DModel, c.DMLP},
			{"mlp.W_in", "mlp.b_in", "mlp.up_proj", c.DModel, c.DMLP},
			{"mlp.W_out", "mlp.b_out", "mlp.down_proj", c.DMLP, c.DModel},
		} {
			switch part {
			case dense.weight:
				return transposed(at(dense.file+".weight"), dense.in, dense.out), true
			case dense.bias:
				return optional(at(dense.file+".bias"), dense.out)
			}
		}
		return view{}, false
	}
}
