package models_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// exchanged is a tensor with its last two axes exchanged.
func exchanged(t safetensors.Tensor) safetensors.Tensor {
	name := t.Name
	t.Name = "W_"
	t = older(t)
	t.Name = name
	return t
}

// TransformerLens turns the weights of its old models when it loads them: all matrices of those with up to six layers,
// W_pos of those with up to eight.
func TestOldSoLUByLayers(t *testing.T) {
	for _, layers := range []int{1, 6, 7, 8, 9} {
		t.Run(fmt.Sprint(layers, " layers"), func(t *testing.T) {
			c := transformer.Decoder{Layers: layers, DModel: 12, Heads: 2, DHead: 6, DMLP: 20, DVocab: 30, Positions: 16,
				Activation: "solu_ln"}
			config := fmt.Sprintf(
				`{"n_layers": %d, "d_model": 12, "n_ctx": 16, "d_head": 6, "n_heads": 2, "d_mlp": 20, "d_vocab": 30,
				"act_fn": "solu_ln", "eps": 1e-5, "normalization": "LN"}`, layers)
			tensors := randomTensors(c.Parameters(), 9)
			old := slices.Clone(tensors)
			for i, tensor := range old {
				if layers <= 6 || layers <= 8 && tensor.Name == "pos_embed.W_pos" {
					if strings.Contains(tensor.Name, "W_") {
						tensor = exchanged(tensor)
					}
				}
				tensor.Name = strings.Replace(strings.Replace(tensor.Name, "ln_final.", "norm.", 1), ".ln", ".norm", 1)
				old[i] = tensor
			}
			var answers [][][][]float32
			for _, list := range [][]safetensors.Tensor{tensors, old} {
				m, err := models.Open(writeModel(t, config, list), models.Options{Backend: "go"})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				values, err := m.LayerActivations(t.Context(), layers-1, "hook_mid", [][]int{{0, 3, 9, 27, 1}})
				if err != nil {
					t.Fatal(err)
				}
				answers = append(answers, values)
			}
			for p := range answers[0][0] {
				if !slices.Equal(answers[0][0][p], answers[1][0][p]) {
					t.Fatalf("position %d: the old file gives %v, the new one %v", p, answers[1][0][p], answers[0][0][p])
				}
			}
		})
	}
}

// GPT-2's weights in TransformerLens's own layout are a GELU model of TransformerLens, and give PyTorch's values.
func TestGELUOfTransformerLens(t *testing.T) {
	c := openGolden(t, "gpt2").Config()
	byName := map[string]safetensors.Tensor{}
	for _, tensor := range readTensors(t, "gpt2") {
		byName[strings.TrimPrefix(tensor.Name, "transformer.")] = tensor
	}
	var list []safetensors.Tensor
	put := func(name string, shape []int, data []float32) {
		list = append(list, safetensors.Tensor{Name: name, Shape: shape, Data: data})
	}
	d, h, e := c.DModel, c.Heads, c.DHead
	put("embed.W_E", []int{c.DVocab, d}, byName["wte.weight"].Data)
	put("unembed.W_U", []int{d, c.DVocab}, exchanged(byName["wte.weight"]).Data)
	put("pos_embed.W_pos", []int{c.Positions, d}, byName["wpe.weight"].Data)
	put("ln_final.w", []int{d}, byName["ln_f.weight"].Data)
	put("ln_final.b", []int{d}, byName["ln_f.bias"].Data)
	for l := range c.Layers {
		from := func(name string) []float32 { return byName[fmt.Sprintf("h.%d.%s", l, name)].Data }
		at := func(name string) string { return transformer.BlockName(l, name) }
		weight, bias := from("attn.c_attn.weight"), from("attn.c_attn.bias")
		for i, which := range []string{"Q", "K", "V"} {
			var w []float32 // [head, d_model, d_head]
			for head := range h {
				for row := range d {
					w = append(w, weight[row*3*d+i*d+head*e:][:e]...)
				}
			}
			put(at("attn.W_"+which), []int{h, d, e}, w)
			put(at("attn.b_"+which), []int{h, e}, bias[i*d:(i+1)*d])
		}
		put(at("attn.W_O"), []int{h, e, d}, from("attn.c_proj.weight"))
		put(at("attn.b_O"), []int{d}, from("attn.c_proj.bias"))
		put(at("mlp.W_in"), []int{d, c.DMLP}, from("mlp.c_fc.weight"))
		put(at("mlp.b_in"), []int{c.DMLP}, from("mlp.c_fc.bias"))
		put(at("mlp.W_out"), []int{c.DMLP, d}, from("mlp.c_proj.weight"))
		put(at("mlp.b_out"), []int{d}, from("mlp.c_proj.bias"))
		for ours, theirs := range map[string]string{"ln1": "ln_1", "ln2": "ln_2"} {
			put(at(ours+".w"), []int{d}, from(theirs+".weight"))
			put(at(ours+".b"), []int{d}, from(theirs+".bias"))
		}
	}
	config := fmt.Sprintf(
		`{"n_layers": %d, "d_model": %d, "n_ctx": %d, "d_head": %d, "n_heads": %d, "d_mlp": %d, "d_vocab": %d,
		"act_fn": "gelu_new", "eps": 1e-5, "normalization": "LN"}`, c.Layers, d, c.Positions, e, h, c.DMLP, c.DVocab)
	m, err := models.Open(writeModel(t, config, list), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Config().Family != "transformer_lens" || m.DefaultHook() != "hook_post" {
		t.Errorf("family %s, read at %s", m.Config().Family, m.DefaultHook())
	}
	ref := readReference(t, "gpt2")
	for _, in := range ref.Inputs {
		for layer := range c.Layers {
			got, err := m.LayerActivations(t.Context(), layer, "hook_post", [][]int{in.IDs})
			if err != nil {
				t.Fatal(err)
			}
			want, shape := ref.tensor(t, fmt.Sprintf("%sblocks.%d.mlp.hook_post", in.Prefix, layer))
			if want == nil {
				t.Fatal("no reference value")
			}
			compareRows(t, fmt.Sprintf("hook_post of layer %d", layer), got[0], want, shape)
		}
	}
}
