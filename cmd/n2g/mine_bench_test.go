package main

import (
	"path/filepath"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// BenchmarkMine is mining all layers of the embedded model on the whole embedded sample, and the bare pass: the
// same windows run with nobody looking at what comes out.
func BenchmarkMine(b *testing.B) {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	layers := []int{0, 1, 2}
	source := corpus.FS(tiny.Sample())
	bare := func() (tokens int) {
		var batch [][]int
		run := func() {
			if err := model.Scan(b.Context(), layers, "", batch, func(int, int, []float32) {}); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
		for window, err := range corpus.Windows(model, source, corpus.DefaultWindow) {
			if err != nil {
				b.Fatal(err)
			}
			tokens += len(window.IDs) - 1
			if batch = append(batch, window.IDs); len(batch) == 64 {
				run()
			}
		}
		run()
		return tokens
	}
	mine := func() int {
		out := filepath.Join(b.TempDir(), "mined.n2g")
		if err := corpus.Mine(b.Context(), model, layers, nil, source, out, corpus.Options{}); err != nil {
			b.Fatal(err)
		}
		x, err := index.Open(out)
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		return x.Meta().Counted
	}
	bare() // reads the weights
	for _, way := range []struct {
		name string
		run  func() int
	}{{"bare", bare}, {"index", mine}} {
		b.Run(way.name, func(b *testing.B) {
			tokens, before := 0, processorTime()
			for b.Loop() {
				tokens += way.run()
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
			if spent := processorTime() - before; spent > 0 {
				b.ReportMetric(float64(tokens)/spent, "tokens/processor-s")
			}
		})
	}
}
