package models_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models"
)

// smolLM2 is the file that `make smollm2` fetches; without it the test is skipped.
func smolLM2(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("../.cache/models/smollm2/*.gguf")
	if err != nil || len(found) != 1 {
		t.Skip("SmolLM2 is not here: `make smollm2` fetches it (93 MB)")
	}
	return found[0]
}

// smolLM2Reference is what PyTorch makes of the same weights, dequantised to float32: all of ref.json, and of the
// activations every 16th neuron, with each tensor's highest absolute value.
type smolLM2Reference struct {
	Inputs []struct {
		Text      string    `json:"text"`
		IDs       []int     `json:"ids"`
		Tokens    []string  `json:"tokens"`
		TopIDs    []int     `json:"top_ids"`
		TopLogits []float64 `json:"top_logits"`
		LogProbs  []float64 `json:"logprobs"` // of each next token
	} `json:"inputs"`
}

// TestSmolLM2 holds a real model, 4 bits a weight in a GGUF file, to PyTorch.
func TestSmolLM2(t *testing.T) {
	file := smolLM2(t)
	const stride = 16
	var ref smolLM2Reference
	testfile.JSON(t, "../testdata/golden/smollm2/ref.json", &ref)
	sample, err := safetensors.Open("../testdata/golden/smollm2/sample.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer sample.Close()
	for _, w := range ways {
		if testing.Short() && w.programs {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			m := w.open(t, file)
			if c := m.Config(); c.Layers != 30 || c.DMLP != 1536 || c.DVocab != 49152 || c.KVHeads != 3 || m.BOS() >= 0 {
				t.Errorf("%+v, BOS %d", c, m.BOS())
			}
			inputs, layers := ref.Inputs, []int{0, 7, 15, 29}
			if testing.Short() || w.programs { // which are slow on the pure Go backend
				inputs, layers = inputs[:1], layers[1:2]
			}
			for k, in := range inputs {
				ids, err := m.Tokenize(in.Text)
				if err != nil || !slices.Equal(ids, in.IDs) {
					t.Errorf("%q: ids %v, want %v, error %v", in.Text, ids, in.IDs, err)
				}
				for i, id := range in.IDs {
					if got := m.TokenString(id); got != in.Tokens[i] {
						t.Errorf("token %d is %q, want %q", id, got, in.Tokens[i])
					}
				}
				for _, layer := range layers {
					rows, err := m.LayerActivations(context.Background(), layer, "hook_post", [][]int{in.IDs})
					if err != nil {
						t.Fatal(err)
					}
					name := fmt.Sprintf("in%d.blocks.%d.mlp.hook_post", k, layer)
					want := make([]float32, len(in.IDs)*m.Config().DMLP/stride)
					var highest [1]float32
					if err := sample.Float32s(name, want); err != nil {
						t.Fatal(err)
					}
					if err := sample.Float32s(name+".maximum", highest[:]); err != nil {
						t.Fatal(err)
					}
					worst := 0.0
					for p, row := range rows[0] {
						for n := 0; n < len(row); n += stride {
							worst = max(worst, math.Abs(float64(row[n]-want[(p*len(row)+n)/stride])))
						}
					}
					if limit := 1e-3 * float64(highest[0]); !(worst <= limit) {
						t.Errorf("%s: differs by %g, more than %g", name, worst, limit)
					}
				}
				cache, err := m.RunWithCache(context.Background(), in.IDs)
				if err != nil {
					t.Fatal(err)
				}
				last := cache.Logits[len(in.IDs)-1]
				for i, top := range cache.TopTokens(len(in.IDs)-1, len(in.TopIDs)) {
					if top.ID != in.TopIDs[i] || math.Abs(float64(last[top.ID])-in.TopLogits[i]) > 1e-2 {
						t.Errorf("input %d: token %d comes with logit %g, want %d with %g", k, top.ID, last[top.ID], in.TopIDs[i],
							in.TopLogits[i])
					}
				}
				for p, want := range in.LogProbs {
					if got := cache.LogProbs(p)[in.IDs[p+1]]; math.Abs(got-want) > 1e-3*max(1, math.Abs(want)) {
						t.Errorf("input %d: log-probability after position %d is %g, want %g", k, p, got, want)
					}
				}
			}
		})
	}
}

// BenchmarkSmolLM2 runs all neurons of all layers in windows of 128 tokens, as mining a corpus does.
func BenchmarkSmolLM2(b *testing.B) {
	m, err := models.Open(smolLM2(b), models.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	layers := make([]int, m.Config().Layers)
	for i := range layers {
		layers[i] = i
	}
	windows := make([][]int, 8)
	for i := range windows {
		windows[i] = make([]int, 128)
		for p := range windows[i] {
			windows[i][p] = 1000 + 7919*(128*i+p)%40000
		}
	}
	for range b.N {
		if err := m.Scan(context.Background(), layers, "hook_post", windows, func(int, int, []float32) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(windows)*128)/b.Elapsed().Seconds(), "tokens/s")
}
