package randmodel_test

import (
	"reflect"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/randmodel"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

const golden = "../../testdata/golden/models/"

// What is written opens with the sizes it was asked for, and satisfies the contract of models.
func TestSmall(t *testing.T) {
	causal := randmodel.PaperSize()
	causal.Layers, causal.DModel, causal.Heads, causal.DHead, causal.DMLP, causal.DVocab, causal.Positions = 2, 32, 2, 16,
		48, 5000, 64
	dir := t.TempDir()
	if err := randmodel.SoLU(dir, causal, golden+"solu"); err != nil {
		t.Fatal(err)
	}
	model, err := models.Open(dir, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if c := model.Config(); c.Layers != 2 || c.DVocab != 5000 || c.Positions != 64 {
		t.Errorf("the model is %+v", c)
	}
	n2gtest.TestLanguageModel(t, model, n2g.Site{Layer: 1, Index: 7})

	bert := randmodel.DistilBERTSize()
	bert.Layers, bert.DModel, bert.Heads, bert.DMLP, bert.DVocab = 2, 32, 2, 48, 6000
	dir = t.TempDir()
	if err := randmodel.DistilBERT(dir, bert, golden+"distilbert"); err != nil {
		t.Fatal(err)
	}
	masked, err := models.OpenMasked(dir, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer masked.Close()
	want := models.MaskedConfig{Family: "distilbert", Layers: 2, Heads: 2, DModel: 32, DMLP: 48, DVocab: 6000,
		Positions: bert.Positions, Activation: "gelu"}
	if c := masked.Config(); c != want {
		t.Errorf("the masked model is %+v", c)
	}
	n2gtest.TestMaskedModel(t, masked)
}

func TestTensors(t *testing.T) {
	parameters := []transformer.Param{{Name: "ln.w", Shape: []int{100}}, {Name: "W", Shape: []int{3, 25}}}
	tensors := randmodel.Tensors(parameters, 1)
	if !reflect.DeepEqual(tensors, randmodel.Tensors(parameters, 1)) ||
		reflect.DeepEqual(tensors, randmodel.Tensors(parameters, 2)) {
		t.Error("weights do not follow the seed")
	}
	for _, v := range tensors[0].Data {
		if v < 0.9 || v > 1.1 {
			t.Errorf("a norm's weight is %g", v)
		}
	}
	for _, v := range tensors[1].Data {
		if v < -0.2 || v > 0.2 {
			t.Errorf("a matrix's weight is %g", v)
		}
	}
}
