package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// writeRandom writes a model folder without a tokenizer. Weights are drawn as a model has them at the start: small, and
// those of norms around 1.
func writeRandom(folder, config string, shapes []transformer.Param) error {
	random := rand.New(rand.NewPCG(1, 0))
	tensors := make([]safetensors.Tensor, len(shapes))
	for i, p := range shapes {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		scale := float32(1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1])))
		around := float32(0)
		if isNorm(p.Name) {
			around = 1
		}
		for k := range values {
			values[k] = around + (2*random.Float32()-1)*scale
		}
		tensors[i] = safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: values}
	}
	file, err := os.Create(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		return err
	}
	return errors.Join(safetensors.Write(file, tensors, nil), file.Close(),
		os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600))
}

// isNorm says whether a parameter is the weight of a norm.
func isNorm(name string) bool {
	part, ok := strings.CutSuffix(name, ".weight")
	if !ok {
		part, ok = strings.CutSuffix(name, ".w")
	}
	part = part[strings.LastIndexByte(part, '.')+1:]
	return ok && (strings.Contains(part, "norm") || strings.HasPrefix(part, "ln"))
}

// lensModel is a model of TransformerLens's own format.
func lensModel(c transformer.Decoder) (config string, shapes []transformer.Param) {
	return fmt.Sprintf(
		`{"format": "transformer_lens", "n_layers": %d, "d_model": %d, "n_ctx": %d, "d_head": %d, "n_heads": %d,
		"d_mlp": %d, "d_vocab": %d, "act_fn": %q, "eps": 1e-5}`,
		c.Layers, c.DModel, c.Positions, c.DHead, c.Heads, c.DMLP, c.DVocab, c.Activation), c.Parameters()
}

// gpt2Model is one in the layout of Hugging Face's GPT-2.
func gpt2Model(c transformer.Decoder) (config string, shapes []transformer.Param) {
	d := c.DModel
	add := func(name string, shape ...int) { shapes = append(shapes, transformer.Param{Name: name, Shape: shape}) }
	add("wte.weight", c.DVocab, d)
	add("wpe.weight", c.Positions, d)
	for l := range c.Layers {
		at := fmt.Sprintf("h.%d.", l)
		for _, m := range []struct {
			name    string
			in, out int
		}{{"attn.c_attn", d, 3 * d}, {"attn.c_proj", d, d}, {"mlp.c_fc", d, c.DMLP}, {"mlp.c_proj", c.DMLP, d}} {
			add(at+m.name+".weight", m.in, m.out)
			add(at+m.name+".bias", m.out)
		}
		for _, norm := range []string{"ln_1", "ln_2"} {
			add(at+norm+".weight", d)
			add(at+norm+".bias", d)
		}
	}
	add("ln_f.weight", d)
	add("ln_f.bias", d)
	return fmt.Sprintf(
		`{"model_type": "gpt2", "n_layer": %d, "n_embd": %d, "n_head": %d, "n_inner": %d, "n_positions": %d, "n_ctx": %[5]d,
		"vocab_size": %d, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}`,
		c.Layers, d, c.Heads, c.DMLP, c.Positions, c.DVocab), shapes
}

// optModel is one in the layout of Hugging Face's OPT.
func optModel(c transformer.Decoder) (config string, shapes []transformer.Param) {
	const offset = 2 // rows of the position table that belong to padding
	add := func(name string, shape ...int) {
		shapes = append(shapes, transformer.Param{Name: "model.decoder." + name, Shape: shape})
	}
	d := c.DModel
	add("embed_tokens.weight", c.DVocab, d)
	add("embed_positions.weight", c.Positions+offset, d)
	linear := func(name string, in, out int) {
		add(name+".weight", out, in)
		add(name+".bias", out)
	}
	norm := func(name string) {
		add(name+".weight", d)
		add(name+".bias", d)
	}
	for l := range c.Layers {
		at := fmt.Sprintf("layers.%d.", l)
		for _, name := range []string{"q_proj", "k_proj", "v_proj", "out_proj"} {
			linear(at+"self_attn."+name, d, d)
		}
		norm(at + "self_attn_layer_norm")
		norm(at + "final_layer_norm")
		linear(at+"fc1", d, c.DMLP)
		linear(at+"fc2", c.DMLP, d)
	}
	norm("final_layer_norm")
	return fmt.Sprintf(
		`{"model_type": "opt", "num_hidden_layers": %d, "hidden_size": %d, "num_attention_heads": %d, "ffn_dim": %d,
		"max_position_embeddings": %d, "vocab_size": %d, "activation_function": "relu"}`,
		c.Layers, d, c.Heads, c.DMLP, c.Positions, c.DVocab), shapes
}

// llamaModel is one in the layout of Hugging Face's Llama, or of its kin that family names.
func llamaModel(family string) func(transformer.Decoder) (config string, shapes []transformer.Param) {
	return func(c transformer.Decoder) (config string, shapes []transformer.Param) {
		d, shared := c.DModel, c.KVHeads*c.DHead
		add := func(name string, shape ...int) { shapes = append(shapes, transformer.Param{Name: name, Shape: shape}) }
		add("model.embed_tokens.weight", c.DVocab, d)
		add("lm_head.weight", c.DVocab, d)
		for l := range c.Layers {
			at := fmt.Sprintf("model.layers.%d.", l)
			for name, out := range map[string]int{"q_proj": d, "k_proj": shared, "v_proj": shared} {
				add(at+"self_attn."+name+".weight", out, d)
				if family == "qwen2" {
					add(at+"self_attn."+name+".bias", out)
				}
			}
			add(at+"self_attn.o_proj.weight", d, d)
			add(at+"mlp.gate_proj.weight", c.DMLP, d)
			add(at+"mlp.up_proj.weight", c.DMLP, d)
			add(at+"mlp.down_proj.weight", d, c.DMLP)
			if family != "olmo" { // whose norms have no weights
				add(at+"input_layernorm.weight", d)
				add(at+"post_attention_layernorm.weight", d)
			}
		}
		if family != "olmo" {
			add("model.norm.weight", d)
		}
		window := "null"
		if family == "mistral" {
			window = "5"
		}
		return fmt.Sprintf(`{"model_type": %q, "num_hidden_layers": %d, "hidden_size": %d, "num_attention_heads": %d,
			"num_key_value_heads": %d, "intermediate_size": %d, "max_position_embeddings": %d, "vocab_size": %d,
			"hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "sliding_window": %s}`,
			family, c.Layers, d, c.Heads, c.KVHeads, c.DMLP, c.Positions, c.DVocab, window), shapes
	}
}
