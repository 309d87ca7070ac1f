package models_test

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models"
)

func ExampleOpen() {
	model, err := models.Open("../testdata/golden/models/solu", models.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()

	ids, err := model.Tokenize("// The caller must hold the lock.")
	if err != nil {
		fmt.Println(err)
		return
	}
	prompt := append([]int{model.BOS()}, ids...)
	activations, err := model.Activations(context.Background(), 0, "", 52, [][]int{prompt}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, id := range prompt {
		fmt.Printf("%q %.2f\n", model.TokenString(id), activations[0][p])
	}
	// Output:
	// "<|endoftext|>" -0.00
	// "//" -0.00
	// " The" 0.00
	// " caller" 0.02
	// " must" 0.00
	// " hold" 0.02
	// " the" 0.00
	// " lock" 0.04
	// "." 0.00
}
