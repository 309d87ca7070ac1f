package tiny_test

import (
	"fmt"
	"io/fs"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
)

func Example() {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	fmt.Println(model.Config().Layers, "layers of", model.Config().DMLP, "neurons")
	// Output: 3 layers of 512 neurons
}

func ExampleSample() {
	text, err := fs.ReadFile(tiny.Sample(), "strings/builder.go")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.16s\n", text)
	// Output: // Copyright 201
}
