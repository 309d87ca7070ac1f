package models_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// randomSoLU writes a SoLU model with random weights to a temporary folder.
func randomSoLU(t testing.TB, c transformer.Decoder) string {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`{"format": "transformer_lens", "n_layers": %d, "d_model": %d, "n_ctx": %d, "d_head": %d,
		"n_heads": %d, "d_mlp": %d, "d_vocab": %d, "act_fn": "solu_ln", "eps": 1e-5}`,
		c.Layers, c.DModel, c.Positions, c.DHead, c.Heads, c.DMLP, c.DVocab)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		text, err := os.ReadFile(golden("solu") + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeWeights(t, filepath.Join(dir, "model.safetensors"), randomTensors(c.Parameters(), 1))
	return dir
}

// randomTensors draws weights as a model has them at the start: norms' weights around 1, others small.
func randomTensors(parameters []transformer.Param, seed uint64) []safetensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	var list []safetensors.Tensor
	for _, p := range parameters {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		scale := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
		isNorm := strings.HasSuffix(p.Name, ".w")
		for i := range values {
			values[i] = float32((rng.Float64()*2 - 1) * scale)
			if isNorm {
				values[i]++
			}
		}
		list = append(list, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: values})
	}
	return list
}

// writeWeights writes a weight file.
func writeWeights(t testing.TB, path string, tensors []safetensors.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensors.Write(f, tensors, nil), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// paperSize is the model of the short paper: six layers, d_model 768, d_mlp 3072, a vocabulary of 48,262.
var paperSize = transformer.Decoder{Layers: 6, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 48262,
	Positions: 1024, Activation: "solu_ln", Epsilon: 1e-5}

// BenchmarkSoLU6 runs 32 distinct prompts of 32 tokens through all layers of a model of the paper's size and reads one
// neuron of the last.
func BenchmarkSoLU6(b *testing.B) {
	m, err := models.Open(randomSoLU(b, paperSize), models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	prompts := make([][]int, 32)
	for i := range prompts {
		for range 32 {
			prompts[i] = append(prompts[i], 2+rng.IntN(4000))
		}
	}
	run := func() {
		if _, err := m.Activations(context.Background(), paperSize.Layers-1, "", 5, prompts, nil); err != nil {
			b.Fatal(err)
		}
	}
	run()
	b.ResetTimer()
	for b.Loop() {
		run()
	}
	tokens := float64(32 * 32 * b.N)
	perToken := 2 * float64(paperSize.Layers) * float64(4*768*768+2*768*3072)
	b.ReportMetric(tokens/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(tokens*perToken/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
