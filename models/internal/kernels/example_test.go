package kernels_test

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// A dense layer of two inputs and three outputs, and its activation function.
func Example() {
	layer := kernels.NewMatrix(2, 3)
	layer.Set(0, 3, []float32{
		1, 0, 2,
		0, 1, -2,
	}, []float32{0, 0.5, 0})
	x := []float32{1, 2} // one row
	y := make([]float32, 3)
	layer.Mul(y, x, 1)
	fmt.Println(y)
	kernels.ReLU(y)
	fmt.Println(y)
	// Output:
	// [1 2.5 -2]
	// [1 2.5 0]
}
