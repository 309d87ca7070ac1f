package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
)

// drawnWeights are small pseudo-random numbers in place of a file: a model of any size without its download.
type drawnWeights map[string][]int

func (d drawnWeights) Names() []string { return nil }
func (d drawnWeights) Close() error    { return nil }

func (d drawnWeights) Info(name string) (safetensors.Info, bool) {
	shape, ok := d[name]
	return safetensors.Info{Name: name, DType: safetensors.F32, Shape: shape}, ok
}

func (d drawnWeights) Float32s(name string, dst []float32) error {
	state := uint32(len(name)) + 1
	for i := range dst {
		state = state*1664525 + 1013904223
		dst[i] = float32(int32(state)) / (1 << 36)
	}
	return nil
}

func (d drawnWeights) Float32sAt(name string, _ int, dst []float32) error {
	return d.Float32s(name, dst)
}

// BenchmarkFill runs a model of DistilBERT's size on texts of the length that pruned prompts have.
func BenchmarkFill(b *testing.B) {
	backend, info, err := backends.Open("")
	if err != nil {
		b.Fatal(err)
	}
	config := family.Masked{Family: "distilbert", Tied: true,
		BERT: transformer.BERT{Layers: 6, Heads: 12, DModel: 768, DMLP: 3072,
			DVocab: 30522, Positions: 512, Epsilon: 1e-12, Activation: "gelu"}}
	weights := drawnWeights{}
	for _, p := range slices.Concat(config.BodyParameters(), config.HeadParameters()) {
		weights[p.Name] = p.Shape
	}
	layout, err := config.Layout(weights)
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewMasked(config.BERT, backend, info, weights, layout)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for _, size := range []struct{ texts, tokens int }{{1, 16}, {32, 32}, {64, 32}} {
		b.Run(fmt.Sprintf("%dx%d", size.texts, size.tokens), func(b *testing.B) {
			sequences := make([]Sequence, size.texts)
			for i := range sequences {
				for k := range size.tokens {
					sequences[i].IDs = append(sequences[i].IDs, (i*7919+k*104729)%config.DVocab)
				}
				sequences[i].Rows = []int{i % size.tokens}
			}
			if _, err := e.Logits(context.Background(), sequences); err != nil { // loads and compiles
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := e.Logits(context.Background(), sequences); err != nil {
					b.Fatal(err)
				}
			}
			tokens := float64(size.texts*size.tokens) * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(tokens, "tokens/s")
			perToken := 2 * float64(config.Layers*(4*config.DModel*config.DModel+2*config.DModel*config.DMLP))
			b.ReportMetric(tokens*perToken/1e9, "GFLOP/s")
		})
	}
}
