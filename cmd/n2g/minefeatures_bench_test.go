package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/sae"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// BenchmarkMineFeatures is mining all features of auto-encoders of random weights on the residual stream of the
// embedded model, the numbers of that stream themselves, and the bare pass to the same layer. N2G_MODEL names another
// model, such as smollm2.
func BenchmarkMineFeatures(b *testing.B) {
	name := os.Getenv("N2G_MODEL")
	layer, documents := 7, 2
	if name == "" {
		name, layer, documents = tiny.Name, 1, 24
	}
	const hook = "hook_resid_post"
	model, err := models.Open(name, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	source := func(yield func(corpus.Text, error) bool) {
		left := documents
		for text, err := range corpus.FS(tiny.Sample()) {
			if left--; left < 0 || !yield(text, err) {
				return
			}
		}
	}
	var windows [][]int
	tokens := 0
	for window, err := range corpus.Windows(model, source, corpus.DefaultWindow) {
		if err != nil {
			b.Fatal(err)
		}
		windows, tokens = append(windows, window.IDs), tokens+len(window.IDs)
	}
	measure := func(b *testing.B, run func()) {
		before := processorTime()
		n := 0
		for b.Loop() {
			run()
			n += tokens
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
		b.ReportMetric(float64(n)/max(processorTime()-before, 1e-9), "tokens/processor-s")
		b.ReportMetric(peakMemory(b), "peak-MB")
	}
	bare := func(m *models.Causal, hook string) {
		for first := 0; first < len(windows); first += corpus.DefaultBatch {
			batch := windows[first:min(first+corpus.DefaultBatch, len(windows))]
			if err := m.Scan(b.Context(), []int{layer}, hook, batch, func(int, int, []float32) {}); err != nil {
				b.Fatal(err)
			}
		}
	}
	mine := func(b *testing.B, m *models.Causal, hook string) {
		out := filepath.Join(b.TempDir(), "mined.n2g")
		o := corpus.Options{Index: index.Options{NoSuffixes: true}}
		if err := corpus.Mine(b.Context(), m, []int{layer}, []string{hook}, source, out, o); err != nil {
			b.Fatal(err)
		}
	}
	width, err := model.Width(layer, hook)
	if err != nil {
		b.Fatal(err)
	}
	bare(model, hook) // reads the weights
	b.Run("bare", func(b *testing.B) { measure(b, func() { bare(model, hook) }) })
	b.Run("stream", func(b *testing.B) { measure(b, func() { mine(b, model, hook) }) })
	scale, err := deviation(b, model, layer, hook, windows[0])
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"topk", "standard"} {
		for _, features := range []int{512, 4096, 16384} {
			b.Run(fmt.Sprintf("%s/%d", kind, features), func(b *testing.B) {
				s, err := sae.Open(randomSAE(b, kind, layer, hook, width, features, scale))
				if err != nil {
					b.Fatal(err)
				}
				with, err := model.WithSAE(s)
				if err != nil {
					b.Fatal(err)
				}
				b.Run("encode", func(b *testing.B) { measure(b, func() { bare(with, hook+"[sae]") }) })
				b.Run("mine", func(b *testing.B) { measure(b, func() { mine(b, with, hook+"[sae]") }) })
			})
		}
	}
}

// deviation is how far, typically, a number of the stream lies from 0 on a prompt, BOS left out.
func deviation(b *testing.B, m *models.Causal, layer int, hook string, ids []int) (float64, error) {
	rows, err := m.LayerActivations(b.Context(), layer, hook, [][]int{ids})
	if err != nil {
		return 0, err
	}
	squares, n := 0.0, 0
	for _, row := range rows[0][1:] {
		for _, v := range row {
			squares += float64(v) * float64(v)
			n++
		}
	}
	return math.Sqrt(squares / float64(n)), nil
}

// randomSAE writes an auto-encoder of which about 32 features fire at a token: the 32 highest, or those that reach a
// threshold.
func randomSAE(b *testing.B, kind string, layer int, hook string, width, features int, scale float64) string {
	b.Helper()
	random := rand.New(rand.NewPCG(1, uint64(features)))
	normal := func(n int, scale float64) []float32 {
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(random.NormFloat64() * scale)
		}
		return list
	}
	const firing = 32
	w := sae.Weights{Layer: layer, Hook: hook, Width: width, Features: features, K: firing,
		Encoder: normal(features*width, 1/math.Sqrt(float64(width))), EncoderBias: make([]float32, features),
		Decoder: normal(features*width, 1/math.Sqrt(float64(width))), DecoderBias: make([]float32, width)}
	if kind == "standard" {
		// Where a normal variable of the stream's deviation is above it for that share of features.
		above := math.Sqrt2 * math.Erfinv(1-2*firing/float64(features))
		for i := range w.EncoderBias {
			w.EncoderBias[i] = float32(-above * scale)
		}
	}
	folder := b.TempDir()
	if err := w.Write(folder); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(folder, "cfg.json")
	config, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	config = []byte(strings.ReplaceAll(string(config), `"topk"`, `"`+kind+`"`))
	if err := os.WriteFile(file, config, 0o600); err != nil {
		b.Fatal(err)
	}
	return folder
}

// peakMemory is the most memory that the process had, in MB, 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	kB, err := strconv.Atoi(string(found[1]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kB) / 1024
}
