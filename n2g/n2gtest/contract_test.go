package n2gtest

import (
	"cmp"
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/n2g"
)

func TestToyModels(t *testing.T) {
	rule := Rule{Token: " sat", Context: " cat", Full: 2, Alone: 0.5, Rest: -0.1}
	TestLanguageModel(t, NewModel(rule), n2g.Site{})
	TestMaskedModel(t, NewMasked("dog", "##s", "end", "day", "cat"))
}

func TestGoldenModels(t *testing.T) {
	model, err := models.Open("../../testdata/golden/models/solu",
		models.Options{Backend: cmp.Or(os.Getenv(backends.EnvVar), backends.Go)})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	TestLanguageModel(t, model, n2g.Site{Layer: 1, Index: 7})
	for _, name := range []string{"bert", "distilbert"} {
		masked, err := models.OpenMasked("../../testdata/golden/models/"+name,
			models.Options{Backend: cmp.Or(os.Getenv(backends.EnvVar), backends.Go)})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { TestMaskedModel(t, masked) })
		masked.Close()
	}
}
