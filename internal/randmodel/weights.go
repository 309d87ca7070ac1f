package randmodel

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// Tensors draws weights as a model has them at the start, equal ones for equal seeds: those of norms around 1, biases
// and matrices around 0, as widely as a matrix has rows of some length.
func Tensors(parameters []transformer.Param, seed uint64) []safetensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	var list []safetensors.Tensor
	for _, p := range parameters {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		scale := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
		centre := 0.0
		if isNorm(p.Name) {
			centre = 1
		}
		for i := range values {
			values[i] = float32(centre + (rng.Float64()*2-1)*scale)
		}
		list = append(list, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: values})
	}
	return list
}

// isNorm says whether a name is that of a norm's weight, with TransformerLens (ln1.w) or Hugging Face
// (sa_layer_norm.weight).
func isNorm(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".w") || strings.HasSuffix(name, "norm.weight")
}

// Write writes a weight file.
func Write(path string, tensors []safetensors.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(safetensors.Write(f, tensors, nil), f.Close())
}
