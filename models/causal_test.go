package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
)

// reference is a golden model's ref.json and ref.safetensors: what PyTorch computed.
type reference struct {
	Inputs []struct {
		Text      string   `json:"text"`
		IDs       []int    `json:"ids"`
		Strings   []string `json:"str_tokens"`
		Positions any      `json:"positions"` // "all" or "last8"
		Prefix    string   `json:"prefix"`
	} `json:"inputs"`
	Batch  [][]int  `json:"batch_ids"`
	Hooks  []string `json:"hooks"`
	values *safetensors.File
}

// golden is the folder of a model with reference values.
func golden(name string) string { return "../testdata/golden/models/" + name }

var causalGolden = []string{"solu", "gpt2", "gptneo", "pythia"}

// eachGolden runs a test with every golden model, in every way it can compute here.
func eachGolden(t *testing.T, test func(t *testing.T, name string, m *models.Causal)) {
	for _, name := range causalGolden {
		for _, way := range ways {
			t.Run(name+" by "+way.name, func(t *testing.T) { test(t, name, way.open(t, golden(name))) })
		}
	}
}

func openGolden(t testing.TB, name string) *models.Causal {
	t.Helper()
	m, err := models.Open(golden(name), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func readReference(t testing.TB, name string) reference {
	t.Helper()
	text, err := os.ReadFile(golden(name) + "/ref.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.values, err = safetensors.Open(golden(name) + "/ref.safetensors"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.values.Close() })
	return r
}

// tensor is a reference tensor, flat, and its shape; nil if there is none.
func (r reference) tensor(t testing.TB, name string) ([]float32, []int) {
	t.Helper()
	info, ok := r.values.Info(name)
	if !ok {
		return nil, nil
	}
	flat := make([]float32, info.Len())
	if err := r.values.Float32s(name, flat); err != nil {
		t.Fatal(err)
	}
	return flat, info.Shape
}

// near says that two values agree to 1e-4, absolute and relative.
func near(a, b float32) bool {
	d := math.Abs(float64(a) - float64(b))
	return d <= 1e-4*(1+math.Abs(float64(b)))
}

// compareRows compares the last rows of got with a flat reference.
func compareRows(t *testing.T, what string, got [][]float32, want []float32, shape []int) {
	t.Helper()
	rows, width := shape[0], shape[1]
	if len(got) < rows || len(got[0]) != width {
		t.Fatalf("%s: got [%d, %d], want %v", what, len(got), len(got[0]), shape)
	}
	got = got[len(got)-rows:]
	for p, row := range got {
		for i, value := range row {
			if w := want[p*width+i]; !near(value, w) {
				t.Fatalf("%s: position %d, index %d: %g, want %g", what, p, i, value, w)
			}
		}
	}
}

func TestLayerActivationsAgreeWithPyTorch(t *testing.T) {
	eachGolden(t, func(t *testing.T, name string, m *models.Causal) {
		ref := readReference(t, name)
		var prompts [][]int
		for _, in := range ref.Inputs {
			prompts = append(prompts, in.IDs)
		}
		compared := 0
		for layer := range m.Config().Layers {
			for _, hook := range []string{"hook_pre", "hook_mid", "hook_post"} {
				got, err := m.LayerActivations(context.Background(), layer, hook, prompts)
				if err != nil {
					t.Fatal(err)
				}
				for i, in := range ref.Inputs {
					full := fmt.Sprintf("%sblocks.%d.mlp.%s", in.Prefix, layer, hook)
					if want, shape := ref.tensor(t, full); want != nil {
						compareRows(t, full, got[i], want, shape)
						compared++
					}
				}
			}
		}
		if compared < len(ref.Inputs)*m.Config().Layers*2 {
			t.Errorf("only %d tensors compared", compared)
		}
	})
}

// center subtracts each row's mean: TransformerLens centres what is written to the residual stream when it loads a
// model, which the following LayerNorm does anyway.
func center(rows [][]float32) {
	for _, row := range rows {
		mean := float32(0)
		for _, x := range row {
			mean += x / float32(len(row))
		}
		for i := range row {
			row[i] -= mean
		}
	}
}

func TestRunWithCacheAgreesWithPyTorch(t *testing.T) {
	eachGolden(t, func(t *testing.T, name string, m *models.Causal) {
		ref := readReference(t, name)
		for _, in := range ref.Inputs {
			cache, err := m.RunWithCache(context.Background(), in.IDs)
			if err != nil {
				t.Fatal(err)
			}
			for _, hook := range cache.Hooks() {
				want, shape := ref.tensor(t, in.Prefix+hook)
				if want == nil {
					continue
				}
				if strings.HasSuffix(hook, "hook_resid_post") {
					center(cache.Values[hook])
				}
				compareRows(t, in.Prefix+hook, cache.Values[hook], want, shape)
			}
			want, _ := ref.tensor(t, in.Prefix+"logprobs_last")
			for id, got := range cache.LogProbs(len(in.IDs) - 1) {
				if !near(float32(got), want[id]) {
					t.Fatalf("%s: log probability of token %d is %g, want %g", in.Text, id, got, want[id])
				}
			}
			top := cache.TopTokens(len(in.IDs)-1, 3)
			if len(top) != 3 || top[0].Probability < top[1].Probability || top[1].Probability < top[2].Probability {
				t.Errorf("top tokens out of order: %v", top)
			}
		}
	})
}

func TestPaddedBatchAgreesWithPyTorch(t *testing.T) {
	eachGolden(t, func(t *testing.T, name string, m *models.Causal) {
		ref := readReference(t, name)
		layer := m.Config().Layers - 1
		want, shape := ref.tensor(t, fmt.Sprintf("batch.blocks.%d.mlp.hook_post", layer))
		got, err := m.LayerActivations(context.Background(), layer, "hook_post", ref.Batch)
		if err != nil {
			t.Fatal(err)
		}
		size := shape[1] * shape[2]
		for i := range ref.Batch {
			compareRows(t, fmt.Sprintf("text %d of the batch", i), got[i], want[i*size:(i+1)*size], shape[1:])
		}
	})
}
