package contexttree_test

import (
	"cmp"
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// BenchmarkLearn learns the context graphs of neurons one after the other, on one core, and compares them with tables
// of tokens and pairs. N2G_INDEX names an index, without which there is nothing worth timing, and N2G_MODEL its model
// (default tiny).
func BenchmarkLearn(b *testing.B) {
	x, err := index.Open(os.Getenv("N2G_INDEX"))
	if err != nil {
		b.Skip(err)
	}
	defer x.Close()
	model, err := models.Open(cmp.Or(os.Getenv("N2G_MODEL"), tiny.Name), models.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	c, err := contexttree.CorpusOf(x, model.TokenString)
	if err != nil {
		b.Fatal(err)
	}
	for _, compare := range []bool{false, true} {
		name := "alone"
		if compare {
			name = "and compare"
		}
		b.Run(name, func(b *testing.B) {
			learner := contexttree.NewLearner(c, contexttree.Options{})
			number := 0
			for b.Loop() {
				number = (number + 13) % x.Meta().Neurons() // of all layers in turn
				a, err := contexttree.ActivationsOf(x, number)
				if err != nil {
					continue // it is dead
				}
				g, err := learner.Learn(b.Context(), a)
				if err == nil && compare {
					_, err = contexttree.Compare(c, a, g, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
