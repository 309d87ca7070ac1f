package models_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
)

// Every hook point read alone is what transformers has there, every way.
func TestHookPointsAgreeWithTransformers(t *testing.T) {
	for _, c := range readTransformersCases(t) {
		if c.Edits == nil { // masked
			continue
		}
		for _, way := range quickWays() {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, c.folder(t, c.tensors("")))
				for hook, want := range c.Values {
					if hook == "logits" {
						continue
					}
					layer := int(hook[len("blocks.")] - '0')
					all, err := m.LayerActivations(t.Context(), layer, hook, [][]int{c.IDs})
					if err != nil {
						t.Fatal(err)
					}
					for i, p := range c.Positions {
						for k, w := range want[i] {
							if !near(all[0][p][k], w) {
								t.Fatalf("%s, position %d, element %d: %g, want %g", hook, p, k, all[0][p][k], w)
							}
						}
					}
				}
			})
		}
	}
}

// Each number of every hook point, asked alone, among masked variants and by a scan, is that of a run that keeps
// everything; summaries of attention are compared with the pattern by its definition.
func TestEveryHookPoint(t *testing.T) {
	eachModel(t, func(t *testing.T, m, programs *models.Causal) {
		rng := rand.New(rand.NewPCG(21, 22))
		prompts := randomPrompts(m, rng, 6)
		for _, hook := range m.HookPoints() {
			for layer := range m.Config().Layers {
				width, err := m.Width(layer, hook)
				if err != nil {
					t.Fatal(err)
				}
				all, err := m.LayerActivations(t.Context(), layer, hook, prompts)
				if err != nil {
					t.Fatal(err)
				}
				other, err := programs.LayerActivations(t.Context(), layer, hook, prompts)
				if err != nil {
					t.Fatal(err)
				}
				index := rng.IntN(width)
				column, err := m.Activations(t.Context(), layer, hook, index, prompts, nil)
				if err != nil {
					t.Fatal(err)
				}
				checkAlone(t, programs, layer, hook, index, prompts, column)
				i := rng.IntN(len(prompts))
				cache, err := m.RunWithCache(t.Context(), prompts[i])
				if err != nil {
					t.Fatal(err)
				}
				kept := cache.Values["blocks."+string(rune('0'+layer))+"."+hook]
				for p := range prompts[i] {
					if len(all[i][p]) != width {
						t.Fatalf("%s has %d numbers, want %d", hook, len(all[i][p]), width)
					}
					if !near(column[i][p], all[i][p][index]) {
						t.Fatalf("%s of layer %d, position %d, number %d: %g alone, %g among all", hook, layer, p, index, column[i][p],
							all[i][p][index])
					}
					for k, got := range all[i][p] {
						if kept != nil && !near(got, kept[p][k]) {
							t.Fatalf("%s of layer %d, position %d, number %d: %g, in a run with cache %g", hook, layer, p, k, got,
								kept[p][k])
						}
						if !near(got, other[i][p][k]) {
							t.Fatalf("%s of layer %d, position %d, number %d: %g, by programs %g", hook, layer, p, k, got, other[i][p][k])
						}
					}
				}
				if kept == nil && strings.HasPrefix(hook, "attn.") && layer == 0 {
					checkPattern(t, m, cache, prompts[i], layer, hook, all[i])
				}
				if kept == nil && !strings.HasPrefix(hook, "attn.") {
					t.Errorf("a run with cache has no %s", hook)
				}
			}
		}
	})
}

// checkAlone compares a number that is asked at one position of each prompt with the number at all: programs run no
// other rows past the keys and values then.
func checkAlone(t *testing.T, m *models.Causal, layer int, hook string, index int, prompts [][]int, want [][]float32) {
	t.Helper()
	positions := make([][]int, len(prompts))
	for i, ids := range prompts {
		positions[i] = []int{len(ids) / (1 + i)}
		positions[i][0] = min(positions[i][0], len(ids)-1)
	}
	got, err := m.Activations(t.Context(), layer, hook, index, prompts, positions)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range positions {
		if !near(got[i][0], want[i][p[0]]) {
			t.Fatalf("%s of layer %d, position %d, number %d: %g asked at it alone, %g at all", hook, layer, p[0], index,
				got[i][0], want[i][p[0]])
		}
	}
}

// checkPattern compares a summary with softmax(q·k) of a run that keeps queries and keys, of models without rotary
// positions and windows, where these are what attention multiplies.
func checkPattern(t *testing.T, m *models.Causal, cache *models.Cache, ids []int, layer int, hook string,
	got [][]float32) {
	t.Helper()
	c := m.Config()
	if c.Family != "gpt2" && c.Family != "opt" && c.Family != "transformer_lens" {
		return
	}
	q, k := cache.Values["blocks.0.attn.hook_q"], cache.Values["blocks.0.attn.hook_k"]
	for p := range ids {
		for head := range c.Heads {
			total, sum := 0.0, 0.0
			for j := range p + 1 {
				score := 0.0
				for e := head * c.DHead; e < (head+1)*c.DHead; e++ {
					score += float64(q[p][e]) * float64(k[j][e])
				}
				weight := math.Exp(score / math.Sqrt(float64(c.DHead)))
				total += weight
				counts := map[string]bool{
					"attn.bos": j == 0, "attn.self": j == p, "attn.prev": j == p-1, "attn.induction": j > 0 && ids[j-1] == ids[p],
				}[hook]
				if counts {
					sum += weight
				}
			}
			if !near(got[p][head], float32(sum/total)) {
				t.Fatalf("%s of head %d at position %d: %g, want %g", hook, head, p, got[p][head], sum/total)
			}
		}
	}
}

func TestHookPointsRefused(t *testing.T) {
	m := openGolden(t, "pythia")
	for hook, want := range map[string]string{
		"hook_resid_mid":             "hook_resid_pre", // attention and MLP stand beside each other
		"mlp.hook_pre_linear":        "mlp.hook_pre",   // not gated
		"blocks.1.hook_resid_post":   "blocks.1",       // of another layer
		"attn.hook_pattern":          "attn.prev",
		"hook_embed":                 "hook_resid_pre",
		"blocks.0.attn.hook_z.extra": "attn.hook_z",
	} {
		if _, err := m.Activations(t.Context(), 0, hook, 0, [][]int{{0, 5}}, nil); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", hook, err, want)
		}
	}
	if _, err := m.Activations(t.Context(), 0, "hook_resid_post", m.Config().DModel, [][]int{{0, 5}}, nil); err == nil {
		t.Error("a coordinate behind the last")
	}
}

// smolLM2Prompts are the texts of testdata/sites and sae/testdata/smollm2.
var smolLM2Prompts = [][]int{
	{504, 2644, 2643, 335, 260, 1171, 28, 564, 260, 2767, 1250, 441, 1945, 30},
	{1710, 2056, 32929, 1845, 3723, 1662, 2719, 4519, 3723, 75, 89, 2880, 17517, 4029},
}

// Hook points of a real model against PyTorch, every 16th number: testdata/sites was made by transformers 5.24 from the
// dequantised weights.
func TestSmolLM2HookPoints(t *testing.T) {
	file := smolLM2(t)
	reference, err := safetensors.Open("testdata/sites/smollm2.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	const layer, stride = 7, 16
	for _, way := range quickWays() {
		t.Run(way.name, func(t *testing.T) {
			m := way.open(t, file)
			for _, name := range reference.Names() {
				input, hook, _ := strings.Cut(name, ".")
				info, _ := reference.Info(name)
				want := make([]float32, info.Len())
				if err := reference.Float32s(name, want); err != nil {
					t.Fatal(err)
				}
				i := int(input[len("in")] - '0')
				got, err := m.LayerActivations(t.Context(), layer, hook, smolLM2Prompts[i:i+1])
				if err != nil {
					t.Fatal(err)
				}
				scale := 0.0
				for _, w := range want {
					scale = max(scale, math.Abs(float64(w)))
				}
				worst := 0.0
				width := info.Shape[1]
				for p := range got[0] {
					for k := range width {
						worst = max(worst, math.Abs(float64(got[0][p][k*stride]-want[p*width+k])))
					}
				}
				t.Logf("%s: highest %.3g, largest difference %.1e", name, scale, worst)
				if !(worst < 1e-4*(1+scale)) {
					t.Errorf("%s differs by %g", name, worst)
				}
			}
		})
	}
}
