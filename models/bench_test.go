package models_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

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

// BenchmarkSoLU6 runs 1,024 tokens through all layers of a model of the paper's size, as distinct prompts of 32 and of
// 128 tokens, and reads one neuron of the last. Best counts the fastest run alone, as tools/peers does.
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
	const tokens = 1024
	for _, length := range []int{32, 128} {
		b.Run(fmt.Sprintf("%dx%d", tokens/length, length), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			prompts := make([][]int, tokens/length)
			for i := range prompts {
				for range length {
					prompts[i] = append(prompts[i], 2+rng.IntN(4000))
				}
			}
			run := func() time.Duration {
				start := time.Now()
				if _, err := m.Activations(context.Background(), paperSize.Layers-1, "", 5, prompts, nil); err != nil {
					b.Fatal(err)
				}
				return time.Since(start)
			}
			best := run()
			b.ResetTimer()
			for b.Loop() {
				best = min(best, run())
			}
			perToken := 2 * float64(paperSize.Layers) * float64(4*768*768+2*768*3072)
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(tokens/best.Seconds(), "best-tokens/s")
			b.ReportMetric(tokens/best.Seconds()*perToken/1e9, "best-GFLOP/s")
		})
	}
}
