package lab_test

import "github.com/neuron2graph/neuron2graph/notebooks/lab"

// One cell of a notebook: a neuron's graph and scores, shown below the cell.
func Example() {
	l := lab.Open()
	lab.Show(l.Explain(2, 500))
}

// A feature of the auto-encoder that comes with the embedded model, explained like a neuron.
func ExampleLab_ExplainFeature() {
	l := lab.Open().WithSAE("tiny")
	lab.Show(l.ExplainFeature(17))
}
