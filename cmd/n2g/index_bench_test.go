package main

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// BenchmarkAsk asks an index of tiny that n2g mine made, named by N2G_INDEX.
func BenchmarkAsk(b *testing.B) {
	path := os.Getenv("N2G_INDEX")
	if path == "" {
		b.Skip("N2G_INDEX names no index of tiny")
	}
	x, err := index.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	random := rand.New(rand.NewPCG(1, 2))
	neuron := func() int { return random.IntN(x.Meta().Neurons()) }
	for _, question := range []struct {
		name string
		ask  func() error
	}{
		{"open", func() error {
			x, err := index.Open(path)
			if err != nil {
				return err
			}
			return x.Close()
		}},
		{"top", func() error { _, err := x.Top(neuron(), 20); return err }},
		{"bands", func() error { _, err := x.Bands(neuron(), 10, 3, 0); return err }},
		{"negatives", func() error { _, err := x.HardNegatives(neuron(), 20, 0); return err }},
		{"tokens", func() error { _, err := x.Tokens(neuron()); return err }},
		{"cofiring", func() error { _, err := x.CoFiring(neuron(), 20); return err }},
		{"text", func() error { _, _, err := corpus.Find(x, model, "if err != nil", 200); return err }},
		{"fires", func() error {
			_, places, err := corpus.Find(x, model, "if err != nil", 200)
			if err == nil {
				_, err = x.Fires(places)
			}
			return err
		}},
	} {
		b.Run(question.name, func(b *testing.B) {
			for b.Loop() {
				if err := question.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
