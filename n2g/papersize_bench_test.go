package n2g

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/randmodel"
	"github.com/neuron2graph/neuron2graph/models"
)

// paperNeurons are neurons of the random model of the paper's size, chosen for plain work near that of the neurons
// which the published program was measured on: 23,476 tokens in layer 0, 51,146 in layer 3 and 10,995 in layer 5.
var paperNeurons = []struct{ layer, neuron int }{{0, 15}, {3, 4}, {5, 2}}

// BenchmarkExplainPaperSize explains neurons of a random model of the short paper's size, with a random masked model of
// DistilBERT's size; several in flight are one neuron with different examples. What a neuron costs depends on its
// layer, and on how many tokens its prompts need, so that plain-rows/s says more than neurons/s. The models take 735 MB
// of a temporary folder.
func BenchmarkExplainPaperSize(b *testing.B) {
	model, masked := paperModels(b)
	for _, site := range paperNeurons {
		for _, inFlight := range []int{1, 2} {
			b.Run(fmt.Sprintf("layer %d/%d in flight", site.layer, inFlight), func(b *testing.B) {
				var neurons []Examples
				for seed := range uint64(inFlight) {
					neurons = append(neurons, Examples{Site: Site{Layer: site.layer, Index: site.neuron},
						Prompts: paperPrompts(b, model, seed)})
				}
				resetPeakMemory()
				w := benchmarkExplain(b, model, masked, neurons, inFlight)
				b.Log(byStage(w, b.N*len(neurons)))
				if peak, ok := peakMemory(); ok {
					b.ReportMetric(peak/1e6, "peak-MB")
				}
			})
		}
	}
}

// paperModels writes and opens the random models.
func paperModels(b *testing.B) (*models.Causal, *models.Masked) {
	b.Helper()
	causal, bert := b.TempDir(), b.TempDir()
	if err := randmodel.SoLU(causal, randmodel.PaperSize(), "../testdata/golden/models/solu"); err != nil {
		b.Fatal(err)
	}
	if err := randmodel.DistilBERT(bert, randmodel.DistilBERTSize(), "../testdata/golden/models/distilbert"); err != nil {
		b.Fatal(err)
	}
	model, err := models.Open(causal, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { model.Close() })
	masked, err := models.OpenMasked(bert, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { masked.Close() })
	return model, masked
}

// paperPrompts are 20 texts of 64 to 128 tokens, beginnings of the golden neurons' examples.
func paperPrompts(b *testing.B, model LanguageModel, seed uint64) []string {
	b.Helper()
	neurons, _ := goldenNeurons(b)
	rng := rand.New(rand.NewPCG(seed, 0))
	var prompts []string
	for range 20 {
		from := neurons[rng.IntN(len(neurons))].Prompts
		ids, err := model.Tokenize(from[rng.IntN(len(from))])
		if err != nil {
			b.Fatal(err)
		}
		prompts = append(prompts, model.Decode(ids[:min(len(ids), 64+rng.IntN(65))]))
	}
	return prompts
}

// resetPeakMemory forgets, where Linux lets it, the memory that the process had so far and has no more.
func resetPeakMemory() {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak is higher then
}

// peakMemory is the most resident memory in bytes that the process has had, weights mapped from files included.
func peakMemory() (float64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false // not Linux
	}
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	return n * 1024, err == nil
}
