package n2g

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

// BenchmarkExplain explains the golden neurons with the default options, on the model and the examples of the published
// program's own measurement.
func BenchmarkExplain(b *testing.B) {
	model, err := goldenModels()
	if err != nil {
		b.Fatal(err)
	}
	masked, err := models.OpenMasked("../testdata/golden/models/distilbert", models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer masked.Close()
	files, _ := filepath.Glob("../testdata/golden/neurons/neuron_*")
	var neurons []Examples
	for _, file := range files {
		ref := readGoldenGraph[refNeuron](b, "neurons/"+filepath.Base(file))
		neurons = append(neurons, Examples{Layer: ref.Layer, Neuron: ref.Neuron, MaxActivation: ref.MaxAct, Prompts: ref.Prompts})
	}
	for _, bench := range []struct {
		name     string
		inFlight int
	}{{"one at a time", 1}, {"16 in flight", 16}, {"64 in flight", 64}} {
		// Several rounds of the neurons, so that the last ones, beside which fewer and fewer run, weigh little.
		list := slices.Repeat(neurons, 1+2*bench.inFlight/len(neurons))
		b.Run(bench.name, func(b *testing.B) {
			var next atomic.Int64
			for range b.N {
				next.Store(0)
				var wg sync.WaitGroup
				for range bench.inFlight {
					wg.Go(func() {
						for i := next.Add(1) - 1; int(i) < len(list); i = next.Add(1) - 1 {
							if _, err := Explain(context.Background(), model, masked, list[i], Options{}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(b.N*len(list))/b.Elapsed().Seconds(), "neurons/s")
		})
	}
}
