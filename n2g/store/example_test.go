package store_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	s, err := store.Open(filepath.Join(folder, "run.db"), store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	model := n2gtest.NewModel(n2gtest.Rule{Token: " cat", Context: " the", Full: 2, Alone: 0.1},
		n2gtest.Rule{Token: " dog", Full: 3})
	for neuron, word := range []string{"cat", "dog"} {
		e, err := n2g.Explain(ctx, model, nil, n2g.Examples{
			Site:    n2g.Site{Index: neuron},
			Prompts: []string{"see the " + word, "now the " + word, "all the " + word, "of the " + word},
		}, n2g.Options{})
		if err != nil {
			log.Fatal(err)
		}
		if err := s.Put(ctx, e); err != nil {
			log.Fatal(err)
		}
	}

	for _, term := range []store.Term{{Token: "cat", Kind: n2g.ActivatingKind}, {Token: "the"},
		{Token: "d", Prefix: true}} {
		found, err := s.Search(ctx, term)
		if err != nil {
			log.Fatal(err)
		}
		for _, hit := range found {
			fmt.Printf("%q: %v, F1 %.2f\n", term.Token, hit.Site, *hit.F1)
		}
	}
	// Output:
	// "cat": blocks.0.mlp.hook_mid[0], F1 1.00
	// "the": blocks.0.mlp.hook_mid[0], F1 1.00
	// "d": blocks.0.mlp.hook_mid[1], F1 1.00
}
