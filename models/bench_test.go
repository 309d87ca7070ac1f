package models_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/randmodel"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// randomTensors draws weights as a model has them at the start.
func randomTensors(parameters []transformer.Param, seed uint64) []safetensors.Tensor {
	return randmodel.Tensors(parameters, seed)
}

// writeWeights writes a weight file.
func writeWeights(t testing.TB, path string, tensors []safetensors.Tensor) {
	t.Helper()
	if err := randmodel.Write(path, tensors); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkSoLU6 runs 32 distinct prompts of 32 tokens through all layers of a model of the paper's size and reads one
// neuron of the last.
func BenchmarkSoLU6(b *testing.B) {
	dir, paperSize := b.TempDir(), randmodel.PaperSize()
	if err := randmodel.SoLU(dir, paperSize, golden("solu")); err != nil {
		b.Fatal(err)
	}
	m, err := models.Open(dir, models.Options{Backend: "go"})
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
