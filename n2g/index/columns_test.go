package index

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// TestVectorsAgree: several neurons at a time give the bytes of one at a time, whatever the activations are and however
// wide the processor's vectors.
func TestVectorsAgree(t *testing.T) {
	if !vectors {
		t.Skip("this build or processor has no vectors")
	}
	widest := wide
	defer func() { vectors, wide = true, widest }()
	random := rand.New(rand.NewPCG(5, 6))
	builder := NewCorpusBuilder(Corpus{Vocabulary: 100, BOS: 7, Window: 300}, Options{SampleEvery: 2})
	for range 9 {
		ids := make([]int, 1+random.IntN(400))
		for j := range ids {
			ids[j] = random.IntN(100)
		}
		if err := builder.Begin("x"); err != nil {
			t.Fatal(err)
		}
		builder.Hash(string(rune(ids[0])))
		if err := builder.Window(WindowIDs{IDs: ids, Start: -1}); err != nil {
			t.Fatal(err)
		}
	}
	corpus, err := builder.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	const neurons = 160
	values := make([]float32, corpus.meta.Positions*neurons)
	for i := range values {
		switch n := i % neurons; {
		case n < 60:
			values[i] = float32(random.NormFloat64() * math.Exp(float64(random.IntN(30)-24)))
		case n < 70:
			values[i] = float32(random.NormFloat64() * 1000)
		case n < 80:
			values[i] = math.Float32frombits(random.Uint32())
		case n >= 90 && n < 110: // features, which are 0 on most tokens, and those that never fire
			if random.IntN(30) == 0 {
				values[i] = float32(random.NormFloat64())
			}
		case n >= 110:
			if n > 140 && random.IntN(200) == 0 {
				values[i] = float32(math.Abs(random.NormFloat64())) + 1
			}
		default:
			values[i] = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.NaN()), 1023.9999,
				-1024, 6.1035e-5}[random.IntN(9)]
		}
	}
	var files [][]byte
	for _, with := range []struct{ vectors, wide bool }{{false, false}, {true, false}, {true, true}} {
		if with.wide && !widest {
			t.Logf("this processor has no vectors of %d", lanes)
			continue
		}
		vectors, wide = with.vectors, with.wide
		c, err := NewCollector(corpus, []Site{{Layer: 1, Neurons: neurons}}, Options{Keep: 0.02, Examples: 2})
		if err != nil {
			t.Fatal(err)
		}
		for w := range corpus.meta.Windows {
			first, end := corpus.bounds(w)
			if err := c.Add(0, w, values[first*neurons:end*neurons]); err != nil {
				t.Fatal(err)
			}
		}
		x, err := c.Index()
		if err != nil {
			t.Fatal(err)
		}
		if files = append(files, x.file.data); !bytes.Equal(files[0], x.file.data) {
			t.Errorf("%+v: not the bytes of one neuron at a time", with)
		}
	}
}
