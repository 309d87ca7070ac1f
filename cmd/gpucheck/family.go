package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// family is a family of models that has no golden one.
type family struct {
	name  string // what config.json calls it, and the activation function of TransformerLens's
	model func(transformer.Decoder) (config string, shapes []transformer.Param)
}

// smallFamilies are checked with small random weights.
var smallFamilies = []family{
	{"transformer_lens gelu", func(c transformer.Decoder) (string, []transformer.Param) {
		c.Activation = "gelu"
		return lensModel(c)
	}},
	{"opt", optModel},
	{"llama", llamaModel("llama")},
	{"mistral", llamaModel("mistral")},
	{"qwen2", llamaModel("qwen2")},
	{"olmo", llamaModel("olmo")},
}

// smallShape is the size of their models; KVHeads is for those that share keys and values.
var smallShape = transformer.Decoder{Layers: 2, DModel: 64, Heads: 4, KVHeads: 2, DHead: 16, DMLP: 160, DVocab: 300,
	Positions: 64, Epsilon: 1e-5}

// checkFamily is the part that compares a family on the backend with the pure Go one.
func checkFamily(f family) func(context.Context, settings, func(finding) error) error {
	return func(ctx context.Context, s settings, found func(finding) error) (err error) {
		folder, err := os.MkdirTemp("", "gpucheck")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		shape := smallShape
		if f.name == "opt" || f.name == "transformer_lens gelu" {
			shape.KVHeads = 0
		}
		config, shapes := f.model(shape)
		if err := writeRandom(folder, config, shapes); err != nil {
			return err
		}
		t := newTally("random "+f.name, "backend go", tolerance)
		random := rand.New(rand.NewPCG(2, 0))
		var prompts [][]int
		for i := range 6 {
			var ids []int
			for range 5 + 11*i {
				ids = append(ids, random.IntN(shape.DVocab))
			}
			prompts = append(prompts, ids)
		}
		values := map[string][][][]float32{}
		for _, backend := range []string{backends.Go, s.backend} {
			m, err := models.Open(folder, models.Options{Backend: backend})
			if err != nil {
				return err
			}
			defer m.Close()
			for layer := range shape.Layers {
				for _, hook := range []string{"hook_pre", "hook_post"} {
					name := fmt.Sprintf("blocks.%d.mlp.%s", layer, hook)
					got, err := m.LayerActivations(ctx, layer, hook, prompts)
					if err != nil {
						return err
					}
					if want, ok := values[name]; ok {
						for i := range got {
							t.compare(fmt.Sprintf("%s of prompt %d", name, i), slices.Concat(got[i]...), slices.Concat(want[i]...))
						}
					}
					values[name] = got
				}
			}
		}
		return found(t.finding())
	}
}
