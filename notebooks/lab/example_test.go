package lab_test

import "github.com/neuron2graph/neuron2graph/notebooks/lab"

// One cell of a notebook: a neuron's graph and scores, shown below the cell.
func Example() {
	l := lab.Open()
	lab.Show(l.Explain(2, 500))
}
