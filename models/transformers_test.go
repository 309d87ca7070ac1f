package models_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models"
)

// transformersCase is a model of testdata/transformers/make.py: a configuration, and what Hugging Face's transformers
// computes with weights drawn by a rule.
type transformersCase struct {
	Name      string                 `json:"name"`
	Family    string                 `json:"family"`
	Config    json.RawMessage        `json:"config"`
	Tensors   map[string][]int       `json:"tensors"`
	IDs       []int                  `json:"ids"`
	Positions []int                  `json:"positions"`
	Values    map[string][][]float32 `json:"values"` // [hook][place in Positions][width]
	Edits     []struct {
		Edits []struct {
			Layer     int     `json:"layer"`
			Index     int     `json:"index"`
			Op        string  `json:"op"`
			Value     float64 `json:"value"`
			Positions []int   `json:"positions"`
		} `json:"edits"`
		Logits [][]float32 `json:"logits"` // after tokens 5 and 29
	} `json:"edits"`
}

func readTransformersCases(t *testing.T) []transformersCase {
	t.Helper()
	var cases []transformersCase
	testfile.JSON(t, "testdata/transformers/reference.json.gz", &cases)
	return cases
}

// draw are the weights of a tensor, as make.py draws them: splitmix64 over FNV-1a of the name.
func draw(name string, n int) []float32 {
	seed := uint64(14695981039346656037)
	for i := range len(name) {
		seed = (seed ^ uint64(name[i])) * 1099511628211
	}
	values := make([]float32, n)
	for i := range values {
		z := seed + uint64(i+1)*0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		values[i] = float32(float64(z>>40)/(1<<24) - 0.5)
	}
	return values
}

// tensors are those of the case's file, under names with a prefix.
func (c transformersCase) tensors(prefix string) []safetensors.Tensor {
	var list []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(c.Tensors)) {
		n := 1
		for _, size := range c.Tensors[name] {
			n *= size
		}
		values := draw(name, n)
		isNorm := strings.Contains(strings.ToLower(name), "norm") || strings.Contains(name, "ln_")
		if len(c.Tensors[name]) == 1 && isNorm && strings.HasSuffix(name, "weight") {
			for i := range values {
				values[i]++
			}
		}
		list = append(list, safetensors.Tensor{Name: prefix + name, Shape: c.Tensors[name], Data: values})
	}
	return list
}

// folder writes the case's model.
func (c transformersCase) folder(t *testing.T, tensors []safetensors.Tensor) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), c.Config, 0o600); err != nil {
		t.Fatal(err)
	}
	writeWeights(t, filepath.Join(dir, "model.safetensors"), tensors)
	return dir
}

// Every configuration key that transformers reads does here what it does there, every way.
func TestAgreesWithTransformers(t *testing.T) {
	for _, c := range readTransformersCases(t) {
		masked := c.Family == "bert" || c.Family == "distilbert"
		for _, way := range quickWays() {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				folder := c.folder(t, c.tensors(""))
				var cache *models.Cache
				var err error
				if masked {
					m, openErr := models.OpenMasked(folder, models.Options{Backend: "go"})
					if openErr != nil {
						t.Fatal(openErr)
					}
					defer m.Close()
					cache, err = m.RunWithCache(t.Context(), c.IDs)
				} else {
					cache, err = way.open(t, folder).RunWithCache(t.Context(), c.IDs)
				}
				if err != nil {
					t.Fatal(err)
				}
				c.check(t, cache)
			})
		}
	}
}

// check compares a run with the reference.
func (c transformersCase) check(t *testing.T, cache *models.Cache) {
	t.Helper()
	for hook, want := range c.Values {
		got := cache.Values[hook]
		if hook == "logits" {
			got = cache.Logits
		}
		if got == nil {
			t.Errorf("no hook point %s", hook)
			continue
		}
		for i, p := range c.Positions {
			if len(got[p]) != len(want[i]) {
				t.Fatalf("%s: %d values, want %d", hook, len(got[p]), len(want[i]))
			}
			for k, w := range want[i] {
				if !near(got[p][k], w) {
					t.Fatalf("%s, position %d, element %d: %g, want %g", hook, p, k, got[p][k], w)
				}
			}
		}
	}
}
