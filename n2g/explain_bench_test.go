package n2g

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
	neurons, published := goldenNeurons(b)
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%d in flight", inFlight), func(b *testing.B) {
			// Twice as many as are in flight, so that most of the time as many are.
			var many []Examples
			for len(many) < max(len(neurons), 2*inFlight) {
				many = append(many, neurons...)
			}
			w := benchmarkExplain(b, model, masked, many, inFlight)
			explained := b.N * len(many)
			b.ReportMetric(float64(w.Rows)/float64(explained)/published, "rows/published-tokens")
			b.Log(byStage(w, explained))
		})
	}
}

// goldenNeurons are the examples of the golden neurons, and how many tokens the published program ran for one, on
// average.
func goldenNeurons(b *testing.B) (neurons []Examples, tokens float64) {
	b.Helper()
	files, _ := filepath.Glob("../testdata/golden/neurons/neuron_*")
	if len(files) == 0 {
		b.Fatal("no golden neurons")
	}
	for _, file := range files {
		name := "neurons/" + filepath.Base(file)
		ref := readGoldenGraph[refNeuron](b, name)
		neurons = append(neurons, Examples{Site: Site{Layer: ref.Layer, Index: ref.Neuron}, MaxActivation: ref.MaxAct,
			Prompts: ref.Prompts})
		cost := readGoldenGraph[struct {
			Work struct {
				Tokens float64 `json:"tokens"`
			} `json:"work"`
		}](b, name)
		tokens += cost.Work.Tokens / float64(len(files))
	}
	return neurons, tokens
}

// benchmarkExplain explains all neurons, so many at a time, and reports how fast that is. It returns the sum of their
// work.
func benchmarkExplain(b *testing.B, model LanguageModel, masked MaskedModel, neurons []Examples, inFlight int) Work {
	explain := func(examples Examples) *Explanation {
		e, err := Explain(context.Background(), model, masked, examples, Options{})
		if err != nil {
			b.Error(err)
		}
		return e
	}
	explain(neurons[0]) // loads weights
	var mu sync.Mutex
	var sum Work
	b.ResetTimer()
	for range b.N {
		next := make(chan Examples)
		var workers sync.WaitGroup
		for range inFlight {
			workers.Go(func() {
				for examples := range next {
					if e := explain(examples); e != nil {
						mu.Lock()
						sum.Add(e.Work)
						mu.Unlock()
					}
				}
			})
		}
		for _, examples := range neurons {
			next <- examples
		}
		close(next)
		workers.Wait()
	}
	b.StopTimer()
	explained, seconds := float64(b.N*len(neurons)), b.Elapsed().Seconds()
	b.ReportMetric(explained/seconds, "neurons/s")
	b.ReportMetric(float64(sum.Rows)/explained, "rows/neuron")
	b.ReportMetric(float64(sum.PlainRows)/explained, "plain-rows/neuron")
	b.ReportMetric(sum.Share(), "rows/plain-rows")
	b.ReportMetric(float64(sum.Rows)/seconds, "rows/s")
	b.ReportMetric(float64(sum.PlainRows)/seconds, "plain-rows/s")
	return sum
}

// byStage is a table of what a stage of one neuron costs.
func byStage(w Work, neurons int) string {
	var text strings.Builder
	n := float64(neurons)
	fmt.Fprintf(&text, "a neuron: %.2f model calls with %.1f prompts, %.2f masked-model calls with %.1f texts\n",
		float64(w.Calls)/n, float64(w.Prompts)/n, float64(w.MaskedCalls)/n, float64(w.MaskedTexts)/n)
	fmt.Fprintf(&text, "%-12s %6s %8s %9s\n", "stage", "calls", "rows", "ms")
	for _, s := range w.Stages {
		fmt.Fprintf(&text, "%-12s %6.2f %8.1f %9.1f\n", s.Stage, float64(s.Calls)/n, float64(s.Rows)/n,
			float64(s.Time)/n/float64(time.Millisecond))
	}
	return text.String()
}
