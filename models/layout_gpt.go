package models

import "fmt"

// norms are the parameters that every family here calls alike but for the module's name.
func normView(part, ours, file string, width int) (view, bool) {
	switch part {
	case ours + ".w":
		return plain(file+".weight", width), true
	case ours + ".b":
		return plain(file+".bias", width), true
	}
	return view{}, false
}

// gpt2Layout is Hugging Face's GPT2LMHeadModel: dense layers are stored [in, out], and queries, keys and values lie
// beside each other in c_attn.
func gpt2Layout(c Config, prefix string) layout {
	return func(name string) (view, bool) {
		part, layer := splitName(name)
		if v, ok := gptOuter(c, prefix, part); ok || layer < 0 {
			return v, ok
		}
		at := func(module string) string { return fmt.Sprintf("%sh.%d.%s", prefix, layer, module) }
		for ours, theirs := range map[string]string{"ln1": "ln_1", "ln2": "ln_2"} {
			if v, ok := normView(part, ours, at(theirs), c.DModel); ok {
				return v, true
			}
		}
		width := c.DModel
		for i, which := range []string{"Q", "K", "V"} {
			switch part {
			case "attn.W_" + which:
				return view{file: at("attn.c_attn.weight"), stored: []int{width, 3 * width}, offset: i * width,
					dims: []int{width, width}, strides: []int{3 * width, 1}, shape: []int{width, width}}, true
			case "attn.b_" + which:
				return view{file: at("attn.c_attn.bias"), stored: []int{3 * width}, offset: i * width,
					dims: []int{width}, strides: []int{1}, shape: []int{width}}, true
			}
		}
		switch part {
		case "attn.W_O":
			return plain(at("attn.c_proj.weight"), width, width), true
		case "attn.b_O":
			return plain(at("attn.c_proj.bias"), width), true
		case "mlp.W_in":
			return plain(at("mlp.c_fc.weight"), width, c.DMLP), true
		case "mlp.b_in":
			return plain(at("mlp.c_fc.bias"), c.DMLP), true
		case "mlp.W_out":
			return plain(at("mlp.c_proj.weight"), c.DMLP, width), true
		case "mlp.b_out":
			return plain(at("mlp.c_proj.bias"), width), true
		}
		return view{}, false
	}
}

// gptOuter is what GPT-2 and GPT-Neo have outside their blocks.
func gptOuter(c Config, prefix, part string) (view, bool) {
	switch part {
	case "embed.W_E":
		return plain(prefix+"wte.weight", c.DVocab, c.DModel), true
	case "pos_embed.W_pos":
		return plain(prefix+"wpe.weight", c.Positions, c.DModel), true
	case "unembed.W_U":
		return transposed("lm_head.weight", c.DModel, c.DVocab), !c.Tied
	}
	return normView(part, "ln_final", prefix+"ln_f", c.DModel)
}

// gptNeoLayout is Hugging Face's GPTNeoForCausalLM.
func gptNeoLayout(c Config, prefix string) layout {
	return func(name string) (view, bool) {
		part, layer := splitName(name)
		if v, ok := gptOuter(c, prefix, part); ok || layer < 0 {
			return v, ok
		}
		at := func(module string) string { return fmt.Sprintf("%sh.%d.%s", prefix, layer, module) }
		for ours, theirs := range map[string]string{"ln1": "ln_1", "ln2": "ln_2"} {
			if v, ok := normView(part, ours, at(theirs), c.DModel); ok {
				return v, true
			}
		}
		switch part {
		case "attn.W_Q":
			return transposed(at("attn.attention.q_proj.weight"), c.DModel, c.DModel), true
		case "attn.W_K":
			return transposed(at("attn.attention.k_proj.weight"), c.DModel, c.DModel), true
		case "attn.W_V":
			return transposed(at("attn.attention.v_proj.weight"), c.DModel, c.DModel), true
		case "attn.W_O":
			return transposed(at("attn.attention.out_proj.weight"), c.DModel, c.DModel), true
		case "attn.b_O":
			return plain(at("attn.attention.out_proj.bias"), c.DModel), true
		case "mlp.W_in":
			return transposed(at("mlp.c_fc.weight"), c.DModel, c.DMLP), true
		case "mlp.b_in":
			return plain(at("mlp.c_fc.bias"), c.DMLP), true
		case "mlp.W_out":
			return transposed(at("mlp.c_proj.weight"), c.DMLP, c.DModel), true
		case "mlp.b_out":
			return plain(at("mlp.c_proj.bias"), c.DModel), true
		}
		return view{}, false
	}
}

// gptNeoXLayout is Hugging Face's GPTNeoXForCausalLM: queries, keys and values are fused head by head, stored
// [head, 3, d_head, d_model].
func gptNeoXLayout(c Config, prefix string) layout {
	return func(name string) (view, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return plain(prefix+"embed_in.weight", c.DVocab, c.DModel), true
		case "unembed.W_U":
			return transposed("embed_out.weight", c.DModel, c.DVocab), !c.Tied
		}
		if v, ok := normView(part, "ln_final", prefix+"final_layer_norm", c.DModel); ok || layer < 0 {
			return v, ok
		}
		at := func(module string) string { return fmt.Sprintf("%slayers.%d.%s", prefix, layer, module) }
		for ours, theirs := range map[string]string{"ln1": "input_layernorm", "ln2": "post_attention_layernorm"} {
			if v, ok := normView(part, ours, at(theirs), c.DModel); ok {
				return v, true
			}
		}
		d, h, e := c.DModel, c.Heads, c.DHead
		for i, which := range []string{"Q", "K", "V"} {
			switch part {
			case "attn.W_" + which:
				return view{file: at("attention.query_key_value.weight"), stored: []int{3 * h * e, d}, offset: i * e * d,
					dims: []int{d, h, e}, strides: []int{1, 3 * e * d, d}, shape: []int{d, h * e}}, true
			case "attn.b_" + which:
				return view{file: at("attention.query_key_value.bias"), stored: []int{3 * h * e}, offset: i * e,
					dims: []int{h, e}, strides: []int{3 * e, 1}, shape: []int{h * e}}, true
			}
		}
		switch part {
		case "attn.W_O":
			return transposed(at("attention.dense.weight"), d, d), true
		case "attn.b_O":
			return plain(at("attention.dense.bias"), d), true
		case "mlp.W_in":
			return transposed(at("mlp.dense_h_to_4h.weight"), d, c.DMLP), true
		case "mlp.b_in":
			return plain(at("mlp.dense_h_to_4h.bias"), c.DMLP), true
		case "mlp.W_out":
			return transposed(at("mlp.dense_4h_to_h.weight"), c.DMLP, d), true
		case "mlp.b_out":
			return plain(at("mlp.dense_4h_to_h.bias"), d), true
		}
		return view{}, false
	}
}
