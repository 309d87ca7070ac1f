package models_test

import (
	"math"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

// sum of terms, as float64.
func sumOf(terms []float32) float64 {
	total := 0.0
	for _, v := range terms {
		total += float64(v)
	}
	return total
}

// Of every architecture the terms of a neuron are the sum that its pre-activation is, but for a bias, which is the same
// at every position: through the gate where there is one.
func TestInputTermsOfNeurons(t *testing.T) {
	gated := 0
	for _, c := range readTransformersCases(t) {
		if c.Family == "bert" || c.Family == "distilbert" {
			continue
		}
		for _, way := range quickWays() {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, c.folder(t, c.tensors("")))
				layer := m.Config().Layers - 1
				positions := [][]int{{1, len(c.IDs) - 1, 2}}
				terms := func(hook string) [][]float32 {
					t.Helper()
					list, err := m.InputTerms(t.Context(), layer, hook, 3, [][]int{c.IDs}, positions)
					if err != nil {
						t.Fatal(err)
					}
					return list[0]
				}
				same := func(hook string, values string) {
					t.Helper()
					want, err := m.Activations(t.Context(), layer, values, 3, [][]int{c.IDs}, positions)
					if err != nil {
						t.Fatal(err)
					}
					bias := 0.0
					for k, row := range terms(hook) {
						b := float64(want[0][k]) - sumOf(row)
						if k > 0 && math.Abs(b-bias) > 1e-4*(1+math.Abs(float64(want[0][k]))) {
							t.Errorf("%s: the terms at %d lack %g, those at %d %g", hook, positions[0][k], b, positions[0][0], bias)
						}
						if k == 0 {
							bias = b
						}
					}
				}
				same("hook_pre", "hook_pre")
				same("hook_post", "hook_pre")
				negative, post := terms("-hook_post"), terms("hook_post")
				for i, v := range negative[0] {
					if v != -post[0][i] {
						t.Fatalf("the negative side has %g where the other has %g", v, post[0][i])
					}
				}
				if _, err := m.Width(layer, "hook_pre_linear"); err == nil {
					gated++
					same("hook_pre_linear", "hook_pre_linear")
				}
			})
		}
	}
	if gated == 0 {
		t.Error("no case has a gated MLP")
	}
}

func TestInputTermsOfFeaturesAndDirections(t *testing.T) {
	direction := "[" + strings.TrimSuffix(strings.Repeat("0.5,-0.25,", 32), ",") + "]"
	m, err := models.Open(golden("gpt2"), models.Options{Backend: "go", SAE: saeFolder(t, "blocks.1.hook_resid_post", 64),
		Directions: direction})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	prompts, positions := [][]int{{0, 5, 6, 7, 8}, {0, 5, 9}, {0, 5, 6}}, [][]int{{4, 1}, {2}, {}}
	bias := draw("b_enc", 20)
	for hook, index := range map[string]int{"hook_resid_post[dir]": 0, "attn.hook_result[dir]": 1, "hook_mlp_out[dir]": 0,
		"ln2.hook_normalized[dir]": 0, "hook_resid_post[sae]": 7, "-hook_resid_post[dir]": 0} {
		if err := m.HasInputTerms(1, hook); err != nil {
			t.Errorf("%s: %v", hook, err)
		}
		terms, err := m.InputTerms(t.Context(), 1, hook, index, prompts, positions)
		if err != nil {
			t.Fatal(hook, err)
		}
		values, err := m.Activations(t.Context(), 1, hook, index, prompts, positions)
		if err != nil {
			t.Fatal(hook, err)
		}
		for i, list := range terms {
			if len(list) != len(positions[i]) {
				t.Fatalf("%s: %d terms of prompt %d, want %d", hook, len(list), i, len(positions[i]))
			}
			for k, row := range list {
				got, want := sumOf(row), float64(values[i][k])
				if strings.HasSuffix(hook, "[sae]") {
					if got += float64(bias[index]); want == 0 {
						continue // it is not among the k highest
					}
				}
				if math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Errorf("%s: the terms of prompt %d, position %d, sum up to %g, want %g", hook, i, positions[i][k], got, want)
				}
			}
		}
	}
	for _, hook := range []string{"hook_resid_post", "attn.hook_z", "attn.prev", "ln2.hook_normalized", "hook_mlp_out"} {
		if err := m.HasInputTerms(1, hook); err == nil || !strings.Contains(err.Error(), "not read from an input") {
			t.Errorf("%s: error %v", hook, err)
		}
		if _, err := m.InputTerms(t.Context(), 1, hook, 0, prompts, positions); err == nil {
			t.Errorf("%s has terms", hook)
		}
	}
	if _, err := m.InputTerms(t.Context(), 1, "hook_mid", 1<<20, prompts, positions); err == nil {
		t.Error("a neuron that is not there has terms")
	}
	if _, err := m.InputTerms(t.Context(), 9, "hook_mid", 0, prompts, positions); err == nil {
		t.Error("a layer that is not there has terms")
	}
}
