// Command pictures draws the pictures of the README and of docs/findings.md from the embedded model and SmolLM2. Usage,
// from the repository's root:
//
//	GOEXPERIMENT=simd go run ./docs/pictures
//
// That of SmolLM2 is drawn where `make real` has put the model and its index, and else left as it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/vary"
)

func main() {
	if err := draw(context.Background(), filepath.Join("docs", "pictures")); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func draw(ctx context.Context, folder string) error {
	if err := real(ctx, folder, "real.png"); err != nil {
		return err
	}
	a, err := newArtist(folder)
	if err != nil {
		return err
	}
	if err := a.walkthrough(ctx, "heatmap.png"); err != nil {
		return err
	}
	if err := a.contextGraph(ctx, "graph.png"); err != nil {
		return err
	}
	for _, f := range findings() {
		if err := a.finding(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// artist has what pictures are made with.
type artist struct {
	folder string
	model  *models.Causal
	masked n2g.MaskedModel
	index  *index.Index
}

func newArtist(folder string) (*artist, error) {
	model, err := models.Open(tiny.Name, models.Options{})
	if err != nil {
		return nil, err
	}
	masked, err := models.OpenMasked(tiny.Name, models.Options{})
	if err != nil {
		return nil, err
	}
	x, err := index.Read(tiny.Index())
	if err != nil {
		return nil, err
	}
	return &artist{folder, model, masked, x}, nil
}

// real draws the published graph of a neuron of SmolLM2.
func real(ctx context.Context, folder, name string) error {
	const indexFile = "build/real.n2g"
	x, err := index.Open(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "pictures: %s is left as it is: there is no %s, which `make real` makes\n", name, indexFile)
		return nil
	}
	if err != nil {
		return err
	}
	defer x.Close() // it is only read
	model, err := models.Open("smollm2", models.Options{})
	if err != nil {
		return err
	}
	defer model.Close()
	a := &artist{folder, model, vary.Neighbours(model), x}
	e, err := a.explain(ctx, 10, 390, 0, n2g.Options{})
	if err != nil {
		return err
	}
	return a.graph(ctx, name, e)
}

// explain explains a neuron from some of its examples, 0 being all.
func (a *artist) explain(ctx context.Context, layer, neuron, prompts int,
	options n2g.Options) (*n2g.Explanation, error) {
	examples, err := corpus.Examples(a.index, a.model, n2g.Site{Layer: layer, Index: neuron})
	if err != nil {
		return nil, err
	}
	if prompts > 0 && prompts < len(examples.Prompts) {
		examples.Prompts, examples.MaxActivation = examples.Prompts[:prompts], 0
	}
	return n2g.Explain(ctx, a.model, a.masked, *examples, options)
}

// walkthrough draws the neuron of the demo notebook: one text pruned, and what matters in it.
func (a *artist) walkthrough(ctx context.Context, name string) error {
	const layer, neuron = 2, 500
	e, err := a.explain(ctx, layer, neuron, 1, n2g.Walkthrough())
	if err != nil {
		return err
	}
	figure := heatmap.FromMeasured(*e.Prunes[0].Measured)
	figure.Title = fmt.Sprintf("%s, layer %d neuron %d: a text pruned, and what matters in it", e.Model, layer, neuron)
	return a.text(ctx, name, figure)
}

// contextGraph draws the graph of the same neuron.
func (a *artist) contextGraph(ctx context.Context, name string) error {
	const layer, neuron = 2, 500
	e, err := a.explain(ctx, layer, neuron, 0, n2g.Options{})
	if err != nil {
		return err
	}
	return a.graph(ctx, name, e)
}

func (a *artist) text(ctx context.Context, name string, figure heatmap.HeatMap) error {
	figure.Theme = heatmap.Light
	picture, err := figure.PNG(ctx, heatmap.PNGOptions{NoBrowser: true})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.folder, name), picture, 0o644)
}

func (a *artist) graph(ctx context.Context, name string, e *n2g.Explanation) error {
	options := graphviz.OptionsFor(e.Options)
	options.NoBrowser = true
	options.Title = fmt.Sprintf("%s, layer %d neuron %d", e.Model, e.Site.Layer, e.Site.Index)
	picture, err := graphviz.PNG(ctx, e.Graph, options)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.folder, name), picture, 0o644)
}
