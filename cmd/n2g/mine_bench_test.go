package main

import (
	"path/filepath"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
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
		out := filepath.Join(b.TempDir(), "mined.n2g")
		if err := corpus.Mine(b.Context(), model, []int{0, 1, 2}, nil, source, out, corpus.Options{}); err != nil {
			b.Fatal(err)
		}
		x, err := index.Open(out)
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		return x.Meta().Counted
	}
	mine(4) // compiles the programs
	tokens := 0
	for b.Loop() {
		tokens += mine(24)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
