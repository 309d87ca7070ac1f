// Command pictures draws the pictures of the README from the embedded model. Usage, from the repository's root:
//
//	GOEXPERIMENT=simd go run ./docs/pictures
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// The neurons that notebooks/choose ranks first for the demo and as a context neuron.
const (
	demoLayer, demoNeuron       = 1, 268
	contextLayer, contextNeuron = 2, 124
)

func main() {
	if err := draw(context.Background(), filepath.Join("docs", "pictures")); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func draw(ctx context.Context, folder string) error {
	model, err := models.Open(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	masked, err := models.OpenMasked(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	index, err := corpus.ReadIndex(tiny.Examples())
	if err != nil {
		return err
	}
	explain := func(layer, neuron, prompts int, options n2g.Options) (*n2g.Explanation, error) {
		examples, err := index.Examples(layer, neuron, tiny.Sample())
		if err != nil {
			return nil, err
		}
		if prompts < len(examples.Prompts) {
			examples.Prompts, examples.MaxActivation = examples.Prompts[:prompts], 0
		}
		return n2g.Explain(ctx, model, masked, *examples, options)
	}

	demo, err := explain(demoLayer, demoNeuron, 1, n2g.Walkthrough())
	if err != nil {
		return err
	}
	figure := heatmap.FromMeasured(*demo.Prunes[0].Measured)
	figure.Title = fmt.Sprintf("%s, layer %d neuron %d: a text pruned, and what matters in it", demo.Model, demoLayer, demoNeuron)
	figure.Theme = heatmap.Light
	picture, err := figure.PNG(ctx, heatmap.PNGOptions{NoBrowser: true})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "heatmap.png"), picture, 0o644); err != nil {
		return err
	}

	whole, err := explain(contextLayer, contextNeuron, 20, n2g.Options{})
	if err != nil {
		return err
	}
	options := graphviz.OptionsFor(whole.Options)
	options.NoBrowser = true
	options.Title = fmt.Sprintf("%s, layer %d neuron %d", whole.Model, contextLayer, contextNeuron)
	if picture, err = graphviz.PNG(ctx, whole.Graph, options); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "graph.png"), picture, 0o644)
}
