package behaviours_test

import (
	"context"
	"fmt"
	"log"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/behaviours"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// A neuron whose graph has three parts does two things.
func Example() {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	x, err := index.Read(tiny.Index())
	if err != nil {
		log.Fatal(err)
	}
	site := n2g.Site{Layer: 1, Hook: model.DefaultHook(), Index: 343}
	examples, err := behaviours.OfIndex(x, site, behaviours.DefaultExamples)
	if err != nil {
		log.Fatal(err)
	}
	found, err := behaviours.Find(context.Background(), model, &n2g.Explanation{Site: site}, examples)
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range found.List {
		fmt.Printf("%s: %.0f %%\n", b.Label, 100*b.Share)
	}
	// Output:
	// ` Output`; or `ated`: 66 %
	// ` >`: 34 %
}
