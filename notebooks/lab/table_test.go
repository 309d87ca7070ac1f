package lab_test

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/notebooks/lab"
)

func ExampleTable() {
	fmt.Print(lab.Table([]string{"token", "F1"}, []string{lab.Code("nil|"), "0.5"}))
	// Output:
	// | token | F1 |
	// |---|---|
	// | <code>&#34;nil&#124;&#34;</code> | 0.5 |
}
