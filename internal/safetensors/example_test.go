package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

func Example() {
	var out bytes.Buffer
	err := safetensors.Write(&out, []safetensors.Tensor{
		{Name: "embed.W_E", Shape: []int{2, 2}, Data: []float32{1, 0.5, -2, 3}},
		{Name: "ln_final.w", DType: safetensors.F16, Shape: []int{2}, Data: []float32{1, 1}},
	}, map[string]string{"format": "pt"})
	if err != nil {
		log.Fatal(err)
	}

	file, err := safetensors.Parse(out.Bytes()) // Open maps a file of the disk in the same way
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	for _, name := range file.Names() {
		info, _ := file.Info(name)
		values := make([]float32, info.Len())
		if err := file.Float32s(name, values); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, info.DType, info.Shape, values)
	}
	// Output:
	// embed.W_E F32 [2 2] [1 0.5 -2 3]
	// ln_final.w F16 [2] [1 1]
}
