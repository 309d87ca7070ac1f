package models_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models"
)

// variants are the reference's edits, and the model as it is.
func (c transformersCase) variants() [][]models.Edit {
	variants := [][]models.Edit{nil}
	for _, list := range c.Edits {
		var edits []models.Edit
		for _, e := range list.Edits {
			edits = append(edits, models.Edit{Layer: e.Layer, Index: e.Index, Op: models.Op(e.Op), Value: e.Value,
				Positions: e.Positions})
		}
		variants = append(variants, edits)
	}
	return variants
}

// Ablation and steering give what PyTorch gives with hooks that change the same numbers, both ways.
func TestEditsAgreeWithTransformers(t *testing.T) {
	for _, c := range readTransformersCases(t) {
		if c.Edits == nil {
			continue
		}
		for _, way := range ways {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, c.folder(t, c.tensors("")))
				var mu sync.Mutex
				seen := 0
				err := m.EachLogits(t.Context(), [][]int{c.IDs}, [][]int{{5, 29}}, c.variants(),
					func(_, at int, logits [][]float32) {
						position := []int{5, 29}[at]
						mu.Lock()
						defer mu.Unlock()
						seen++
						want := [][]float32{c.Values["logits"][slices.Index(c.Positions, position)]}
						for _, e := range c.Edits {
							want = append(want, e.Logits[map[int]int{5: 0, 29: 1}[position]])
						}
						for v := range want {
							for id, w := range want[v] {
								if !near(logits[v][id], w) {
									t.Errorf("variant %d, position %d, token %d: %g, want %g", v, position, id, logits[v][id], w)
									return
								}
							}
						}
					})
				if err != nil || seen != 2 {
					t.Errorf("%d positions, error %v", seen, err)
				}
			})
		}
	}
}

// What variants and prompts share changes no result: to the last bit where kernels answer.
func TestEditsDoNotDependOnTheBatch(t *testing.T) {
	eachModel(t, func(t *testing.T, m, _ *models.Causal) {
		rng := rand.New(rand.NewPCG(11, 12))
		prompts := randomPrompts(m, rng, 6)
		edit := func(positions []int) []models.Edit {
			return []models.Edit{{
				Layer: rng.IntN(m.Config().Layers), Hook: []string{"", "hook_pre", "hook_mid"}[rng.IntN(3)],
				Index: rng.IntN(m.Config().DMLP), Op: []models.Op{models.Set, models.Add, models.Scale}[rng.IntN(3)],
				Value: 4 * rng.Float64(), Positions: positions,
			}}
		}
		variants := [][]models.Edit{nil, edit(nil), edit([]int{2}), edit([]int{0, 3, 1000}), {}}
		together, err := m.TokenLogProbs(t.Context(), prompts, variants)
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			i, v := rng.IntN(len(prompts)), rng.IntN(len(variants))
			logits, err := m.Logits(t.Context(), prompts[i], variants[v]...)
			if err != nil {
				t.Fatal(err)
			}
			for p := range len(prompts[i]) - 1 {
				top, sum := float64(slices.Max(logits[p])), 0.0
				for _, l := range logits[p] {
					sum += math.Exp(float64(l) - top)
				}
				alone := float64(logits[p][prompts[i][p+1]]) - top - math.Log(sum)
				if got := together[i][v][p]; math.Abs(got-alone) > 1e-5*(1+math.Abs(alone)) || m.Exact() &&
					math.Abs(got-alone) > 1e-9 {
					t.Fatalf("prompt %d, variant %d, position %d: %g among others, %g alone", i, v, p, got, alone)
				}
			}
		}
		cache, err := m.RunWithCache(t.Context(), prompts[0])
		if err != nil {
			t.Fatal(err)
		}
		plain, err := m.Logits(t.Context(), prompts[0])
		if err != nil {
			t.Fatal(err)
		}
		for p := range plain {
			for id, got := range plain[p] {
				if want := cache.Logits[p][id]; got != want && (m.Exact() || !near(got, want)) {
					t.Fatalf("position %d, token %d: logit %g, in a run with cache %g", p, id, got, want)
				}
			}
		}
	})
}

func TestEditsRefused(t *testing.T) {
	m := openGolden(t, "gpt2")
	for want, edit := range map[string]models.Edit{
		"layer 9":         {Layer: 9, Op: models.Set},
		"neuron 100000":   {Index: 100000, Op: models.Set},
		`"hook_z"`:        {Hook: "hook_z", Op: models.Set},
		"hook_pre_linear": {Hook: "hook_pre_linear", Op: models.Set},
		`"erase"`:         {Op: "erase"},
		`""`:              {},
		"NaN":             {Op: models.Set, Value: math.NaN()},
		"position -1":     {Op: models.Set, Positions: []int{-1}},
	} {
		if _, err := m.Logits(t.Context(), []int{0, 5}, edit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %s", edit, err, want)
		}
	}
}

// The projection of neurons to logits against plain loops over the files' own numbers.
func TestProjectToLogits(t *testing.T) {
	for _, c := range readTransformersCases(t) {
		var unembed, norm, out string
		switch {
		case c.Name == "llama" || c.Name == "llama, wide heads, tied":
			norm, out = "model.norm.weight", "model.layers.1.mlp.down_proj.weight"
			if unembed = "lm_head.weight"; c.Name != "llama" {
				unembed = "model.embed_tokens.weight"
			}
		case c.Name == "gpt_neox":
			unembed, norm, out = "embed_out.weight", "gpt_neox.final_layer_norm.weight",
				"gpt_neox.layers.1.mlp.dense_4h_to_h.weight"
			if c.Tensors[unembed] == nil {
				unembed = "lm_head.weight"
			}
		case c.Name == "opt":
			unembed, norm, out = "model.decoder.embed_tokens.weight", "model.decoder.final_layer_norm.weight",
				"model.decoder.layers.1.fc2.weight"
		default:
			continue
		}
		for _, way := range ways {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, c.folder(t, c.tensors("")))
				weights, err := m.NeuronWeights(1)
				if err != nil {
					t.Fatal(err)
				}
				f := fileOf(c.tensors(""))
				d, width := m.Config().DModel, m.Config().DMLP
				var mu sync.Mutex
				seen := 0
				err = m.ProjectToLogits(t.Context(), weights.Out, func(n int, logits []float32) {
					mu.Lock()
					defer mu.Unlock()
					seen++
					for id, got := range logits {
						want := 0.0
						for i := range d {
							want += f[unembed][id*d+i] * f[norm][i] * f[out][i*width+n]
						}
						if !near(got, float32(want)) {
							t.Errorf("neuron %d, token %d: %g, want %g", n, id, got, want)
							return
						}
					}
				})
				if err != nil || seen != width {
					t.Errorf("%d neurons, error %v", seen, err)
				}
			})
		}
	}
}

// Ablations and the tokens that neurons promote, of a real model, against PyTorch.
func TestSmolLM2Effects(t *testing.T) {
	file := smolLM2(t)
	var ref struct {
		Inputs []struct {
			IDs []int `json:"ids"`
		} `json:"inputs"`
		Attribution []struct {
			Layer      int          `json:"layer"`
			Neuron     int          `json:"neuron"`
			Promoted   [][2]float64 `json:"promoted"`
			Suppressed [][2]float64 `json:"suppressed"`
		} `json:"logit_attribution"`
		Ablation []struct {
			Layer  int       `json:"layer"`
			Neuron int       `json:"neuron"`
			Input  int       `json:"input"`
			SetTo  float64   `json:"set_to"`
			Before float64   `json:"loss_before"`
			After  float64   `json:"loss_after"`
			KL     []float64 `json:"kl_per_position"`
		} `json:"ablation"`
	}
	testfile.JSON(t, "../testdata/golden/smollm2/ref.json", &ref)
	if testing.Short() {
		ref.Attribution, ref.Ablation = ref.Attribution[:1], ref.Ablation[:1]
	}
	m, err := models.Open(file, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, a := range ref.Attribution {
		weights, err := m.NeuronWeights(a.Layer)
		if err != nil {
			t.Fatal(err)
		}
		err = m.ProjectToLogits(t.Context(), weights.Out[a.Neuron:a.Neuron+1], func(_ int, logits []float32) {
			order := make([]int, len(logits))
			for id := range order {
				order[id] = id
			}
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
			for k, want := range a.Promoted {
				if id := order[k]; id != int(want[0]) || math.Abs(float64(logits[id])-want[1]) > 1e-3 {
					t.Errorf("layer %d neuron %d promotes %d by %g, want %v", a.Layer, a.Neuron, id, logits[id], want)
				}
			}
			for k, want := range a.Suppressed {
				if id := order[len(order)-1-k]; id != int(want[0]) || math.Abs(float64(logits[id])-want[1]) > 1e-3 {
					t.Errorf("layer %d neuron %d suppresses %d by %g, want %v", a.Layer, a.Neuron, id, logits[id], want)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range ref.Ablation {
		ids := ref.Inputs[a.Input].IDs
		kl, loss := make([]float64, len(ids)), [2]float64{}
		var mu sync.Mutex
		edits := [][]models.Edit{nil, {{Layer: a.Layer, Index: a.Neuron, Op: models.Set, Value: a.SetTo}}}
		err := m.EachLogits(t.Context(), [][]int{ids}, nil, edits, func(_, p int, logits [][]float32) {
			before, after := softmax64(logits[0]), softmax64(logits[1])
			mu.Lock()
			defer mu.Unlock()
			for id, q := range before {
				kl[p] += q * (math.Log(q) - math.Log(after[id]))
			}
			if p+1 < len(ids) {
				loss[0] -= math.Log(before[ids[p+1]]) / float64(len(ids)-1)
				loss[1] -= math.Log(after[ids[p+1]]) / float64(len(ids)-1)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss[0]-a.Before) > 1e-4*a.Before || math.Abs(loss[1]-a.After) > 1e-4*a.After {
			t.Errorf("layer %d neuron %d input %d: loss %g to %g, want %g to %g", a.Layer, a.Neuron, a.Input, loss[0], loss[1],
				a.Before, a.After)
		}
		for p, want := range a.KL { // which was computed in float32
			if math.Abs(kl[p]-want) > 1e-5+1e-2*math.Abs(want) {
				t.Errorf("layer %d neuron %d input %d position %d: KL %g, want %g", a.Layer, a.Neuron, a.Input, p, kl[p], want)
			}
		}
	}
}

func softmax64(logits []float32) []float64 {
	top, sum := float64(slices.Max(logits)), 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	p := make([]float64, len(logits))
	for id, l := range logits {
		p[id] = math.Exp(float64(l)-top) / sum
	}
	return p
}
