package models_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
)

// Libraries that wrap, compile or adapt a model put something in front of its parameters' names, and base models lack
// the usual part.
func TestPrefixes(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range readTransformersCases(t) {
		if tried[c.Family] {
			continue
		}
		tried[c.Family] = true
		for _, prefix := range []string{"_orig_mod.", "module.", "base_model.model.", "module._orig_mod.", "net.0.model."} {
			folder := c.folder(t, c.tensors(prefix))
			var cache *models.Cache
			var err error
			if c.Family == "bert" || c.Family == "distilbert" {
				m, openErr := models.OpenMasked(folder, models.Options{Backend: "go"})
				if openErr != nil {
					t.Fatal(openErr)
				}
				defer m.Close()
				cache, err = m.RunWithCache(t.Context(), c.IDs)
			} else {
				m, openErr := models.Open(folder, models.Options{Backend: "go"})
				if openErr != nil {
					t.Fatal(openErr)
				}
				defer m.Close()
				cache, err = m.RunWithCache(t.Context(), c.IDs)
			}
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, cache)
		}
	}
}

// A head that is not needed to read a neuron may be missing, and so may the prefix of the class that has one.
func TestBaseModels(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range readTransformersCases(t) {
		isHead := func(tensor safetensors.Tensor) bool {
			return strings.HasPrefix(tensor.Name, "lm_head") || strings.HasPrefix(tensor.Name, "embed_out")
		}
		tensors := c.tensors("")
		if tried[c.Family] || !slices.ContainsFunc(tensors, isHead) {
			continue
		}
		tried[c.Family] = true
		tensors = slices.DeleteFunc(tensors, isHead)
		for i := range tensors {
			_, bare, _ := strings.Cut(tensors[i].Name, ".")
			tensors[i].Name = bare
		}
		m, err := models.Open(c.folder(t, tensors), models.Options{Backend: "go"})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		layer := m.Config().Layers - 1
		got, err := m.LayerActivations(t.Context(), layer, "hook_post", [][]int{c.IDs})
		if err != nil {
			t.Fatal(err)
		}
		if want := c.Values["blocks.2.mlp.hook_post"]; layer == 2 && want != nil {
			for i, p := range c.Positions {
				for k, w := range want[i] {
					if !near(got[0][p][k], w) {
						t.Fatalf("%s, position %d, neuron %d: %g, want %g", c.Name, p, k, got[0][p][k], w)
					}
				}
			}
		}
		if _, err := m.RunWithCache(t.Context(), c.IDs); err == nil || !strings.Contains(err.Error(), "no unembedding") {
			t.Errorf("%s: logits of a model without a head: %v", c.Name, err)
		}
	}
	if len(tried) < 4 {
		t.Errorf("only %d families have a head of their own", len(tried))
	}
}

// A key that changes what is computed and is not implemented is refused by its name.
func TestRefusedKeys(t *testing.T) {
	cases := readTransformersCases(t)
	for _, test := range []struct{ family, key, value string }{
		{"llama", "rope_scaling", `{"rope_type": "dynamic", "factor": 2.0}`},
		{"llama", "rope_scaling", `{"type": "longrope", "factor": 2.0}`},
		{"llama", "rope_parameters", `{"rope_type": "llama3", "factor": 2.0}`},
		{"llama", "partial_rotary_factor", `0.5`},
		{"llama", "quantization_config", `{"bits": 4}`},
		{"llama", "is_causal", `false`},
		{"qwen2", "layer_types", `["chunked_attention", "full_attention", "full_attention", "full_attention"]`},
		{"qwen2", "layer_types", `["full_attention"]`},
		{"olmo", "clip_qkv", `8.0`},
		{"gpt2", "activation_function", `"mish"`},
		{"gpt2", "pruned_heads", `{"0": [1]}`},
		{"opt", "do_layer_norm_before", `false`},
		{"opt", "word_embed_proj_dim", `8`},
	} {
		c := cases[slices.IndexFunc(cases, func(c transformersCase) bool { return c.Family == test.family })]
		c.Config = []byte(strings.TrimSuffix(strings.TrimSpace(string(c.Config)), "}") + `, "` + test.key + `": ` +
			test.value + "}")
		m, err := models.Open(c.folder(t, c.tensors("")), models.Options{Backend: "go"})
		if err == nil {
			m.Close()
			t.Errorf("%s with %s %s was opened", test.family, test.key, test.value)
			continue
		}
		named := test.key
		if strings.HasPrefix(named, "rope_") {
			named = "rotary positions"
		} else if named == "activation_function" {
			named = "mish"
		} else if named == "layer_types" {
			named = "layer"
		}
		if message := err.Error(); !strings.Contains(message, named) || strings.Contains(message, "\n") {
			t.Errorf("%s is not named in one line: %s", test.key, message)
		}
	}
}
