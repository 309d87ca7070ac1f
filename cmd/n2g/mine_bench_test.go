package main

import (
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// BenchmarkMine is mining all layers of the embedded model: 16 batches of the embedded sample.
func BenchmarkMine(b *testing.B) {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	mine := func(documents int) int {
		source := func(yield func(corpus.Text, error) bool) {
			left := documents
			for text, err := range corpus.FS(tiny.Sample()) {
				if left--; left < 0 || !yield(text, err) {
					return
				}
			}
		}
		index, err := corpus.Mine(b.Context(), model, []int{0, 1, 2}, "", source, corpus.Options{Texts: true})
		if err != nil {
			b.Fatal(err)
		}
		return index.Tokens
	}
	mine(4) // compiles the programs
	tokens := 0
	for b.Loop() {
		tokens += mine(24)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
