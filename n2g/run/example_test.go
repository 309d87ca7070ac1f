package run_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func Example() {
	folder, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	s, err := store.Open(filepath.Join(folder, "run.db"), store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	words := []string{"cat", "dog", "cow"}
	model := n2gtest.NewModel(n2gtest.Rule{Token: " cat", Full: 2}, n2gtest.Rule{Token: " dog", Full: 3},
		n2gtest.Rule{Token: " cow", Full: 1})
	examples := func(site n2g.Site) (*n2g.Examples, error) {
		if site.Index == 2 {
			return nil, fmt.Errorf("nobody has looked for it")
		}
		word := words[site.Index]
		return &n2g.Examples{Prompts: []string{"a " + word, "the " + word, "one " + word, "this " + word}}, nil
	}
	neurons, err := run.Selection{}.Sites(1, len(words), "")
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // the second run finds nothing left to do
		p, err := run.Run(context.Background(), model, nil, examples, neurons, s, run.Options{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d done, %d failed, mean F1 %.2f\n", p.Done, p.Failed, p.MeanF1)
	}
	// Output:
	// 2 done, 1 failed, mean F1 1.00
	// 0 done, 0 failed, mean F1 1.00
}
