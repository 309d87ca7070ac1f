package models_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

// TestNextLogProbs compares many prompts at once with one run of each that keeps everything, on every way to compute.
func TestNextLogProbs(t *testing.T) {
	for _, name := range []string{"solu", "gpt2", "pythia"} {
		for _, way := range ways {
			t.Run(name+"/"+way.name, func(t *testing.T) {
				m := way.open(t, "../testdata/golden/models/"+name)
				var prompts [][]int
				for _, text := range []string{"func main() {", "func main() { return }", "x := 1\n\ty := 2", "if err != nil"} {
					ids, err := m.Tokenize(text)
					if err != nil {
						t.Fatal(err)
					}
					prompts = append(prompts, append([]int{m.BOS()}, ids...))
				}
				positions := [][]int{nil, {1, 3}, {}, {0}}
				var mu sync.Mutex
				found := map[[2]int][]float32{}
				err := m.NextLogProbs(context.Background(), prompts, positions, func(prompt, at int, logProbs []float32) {
					mu.Lock()
					defer mu.Unlock()
					found[[2]int{prompt, at}] = append([]float32(nil), logProbs...)
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(found) != len(prompts[0])+3 {
					t.Errorf("%d positions are answered", len(found))
				}
				for key, logProbs := range found {
					cache, err := m.RunWithCache(context.Background(), prompts[key[0]])
					if err != nil {
						t.Fatal(err)
					}
					position := key[1]
					if asked := positions[key[0]]; asked != nil {
						position = asked[key[1]]
					}
					for id, want := range cache.LogProbs(position) {
						if math.Abs(float64(logProbs[id])-want) > 1e-4 {
							t.Fatalf("prompt %d position %d token %d: %g, want %g", key[0], position, id, logProbs[id], want)
						}
					}
				}
			})
		}
	}
}

func TestNeighbours(t *testing.T) {
	m, err := models.Open("tiny", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids, err := m.Tokenize(" return")
	if err != nil {
		t.Fatal(err)
	}
	near, cosines, err := m.Neighbours(ids[0], 5)
	if err != nil || len(near) != 5 || len(cosines) != 5 {
		t.Fatal(near, cosines, err)
	}
	for i, id := range near {
		back, others, err := m.Neighbours(id, m.Config().DVocab)
		if err != nil {
			t.Fatal(err)
		}
		for k, other := range back { // a cosine is the same both ways
			if other == ids[0] && math.Abs(others[k]-cosines[i]) > 1e-6 {
				t.Errorf("%g and %g", others[k], cosines[i])
			}
		}
		if id == ids[0] || cosines[i] > 1.000001 || i > 0 && cosines[i] > cosines[i-1] {
			t.Errorf("%v %v", near, cosines)
		}
	}
	if _, _, err := m.Neighbours(-1, 3); err == nil {
		t.Error("token -1 has neighbours")
	}
}
