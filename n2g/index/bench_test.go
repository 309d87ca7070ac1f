package index

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkRows is collecting alone: blocks of 96 rows of 512 neurons, nearly all of whose activations are small.
func BenchmarkRows(b *testing.B) {
	const neurons, rows = 512, 96
	builder := NewCorpusBuilder(Corpus{Vocabulary: 4096, BOS: 0, Window: rows}, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		ids := make([]int, rows)
		for j := range ids {
			ids[j] = 1 + random.IntN(4095)
		}
		if err := builder.Begin("x"); err != nil {
			b.Fatal(err)
		}
		if err := builder.Window(WindowIDs{IDs: ids, Start: -1}); err != nil {
			b.Fatal(err)
		}
	}
	corpus, err := builder.Corpus()
	if err != nil {
		b.Fatal(err)
	}
	blocks := make([][]float32, 16)
	for i := range blocks {
		blocks[i] = make([]float32, rows*neurons)
		for k := range blocks[i] {
			v := random.NormFloat64()
			blocks[i][k] = float32(v * v * v * 0.01)
		}
	}
	positions := make([]int, rows)
	var c *Collector
	window := corpus.meta.Windows
	for b.Loop() {
		if window == corpus.meta.Windows {
			if c, err = NewCollector(corpus, []Site{{Hook: "hook_post", Neurons: neurons}}, Options{}); err != nil {
				b.Fatal(err)
			}
			window = 0
		}
		for j := range positions {
			positions[j] = window*rows + j
		}
		if err := c.Rows(0, positions, blocks[window%len(blocks)]); err != nil {
			b.Fatal(err)
		}
		window++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*neurons), "ns/activation")
}
