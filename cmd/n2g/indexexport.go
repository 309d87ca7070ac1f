package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/index/export"
)

// Formats that n2g index export writes.
const (
	parquetFormat     = "parquet"
	jsonlFormat       = "jsonl"
	neuronpediaFormat = "neuronpedia"
)

func (a *app) indexExport() *command {
	c := newCommand("index export", "write an index in other formats")
	c.long = `Writes into the folder -o:
  parquet      windows.parquet and activations.parquet, which pandas and DuckDB read
  jsonl        windows.jsonl and activations.jsonl, the same rows
  neuronpedia  MODEL/LAYER-SET/, the folders of Neuronpedia's bulk import: release, model, source set and source, features and
               activations in batches
of all neurons or of those that -layers and -neurons choose. docs/mining.md lists columns and fields.`
	c.examples = []string{`-o tables`, `-index go.n2g -format jsonl -layers 1 -neurons 0-99 -o tables`,
		`-format neuronpedia -set mlp-go -o pedia`}
	path, ref := indexFlag(c), c.path(reads, "model", "",
		"`MODEL` whose tokenizer writes the tokens (default: that of the index)")
	a.execFlag(c)
	format := c.flags.String("format", parquetFormat, "`FORMAT` parquet, jsonl or neuronpedia")
	layers := c.flags.String("layers", "", "`LIST` layers, such as 0,2-5 (default all)")
	neurons := c.flags.String("neurons", "", "`LIST` neurons of each layer, such as 0-99,512 (default all)")
	var o export.NeuronpediaOptions
	c.flags.StringVar(&o.Model, "pedia-model", "", "`NAME` of the model at Neuronpedia (default: the index's)")
	c.flags.StringVar(&o.Set, "set", "", "`NAME` of the source set at Neuronpedia (default: mlp- and the hook)")
	c.flags.StringVar(&o.Release, "release", "", "`NAME` of the release at Neuronpedia (default n2g)")
	c.flags.StringVar(&o.CreatorName, "creator", "", "`NAME` of the creator at Neuronpedia (default n2g)")
	c.flags.StringVar(&o.CreatorID, "creator-id", "",
		"`ID` of the creator's account at Neuronpedia (default: that of its own tools)")
	out := c.path(writesInto, "o", "", "`FOLDER` to write to")
	c.run = func(ctx context.Context) error {
		if *out == "" {
			return errors.New("name a folder to write to with -o FOLDER")
		}
		x, err := openIndex(*path)
		if err != nil {
			return err
		}
		defer x.Close() // it is only read
		chosen, err := chosenNeurons(x.Meta(), *layers, *neurons)
		if err != nil {
			return err
		}
		model, err := a.indexModel(ctx, x, *path, *ref)
		if err != nil {
			return err
		}
		defer model.Close()
		switch *format {
		case neuronpediaFormat:
			return export.Neuronpedia(ctx, x, model, chosen, *out, o)
		case parquetFormat, jsonlFormat:
		default:
			return fmt.Errorf("-format is %q: it is %s, %s or %s", *format, parquetFormat, jsonlFormat, neuronpediaFormat)
		}
		if err := os.MkdirAll(*out, 0o755); err != nil {
			return err
		}
		write := export.Parquet
		if *format == jsonlFormat {
			write = export.JSONLines
		}
		file := func(name string) string { return filepath.Join(*out, name+"."+*format) }
		return a.write(ctx, file("windows"), func(windows io.Writer) error {
			return a.write(ctx, file("activations"), func(activations io.Writer) error {
				return write(ctx, x, model, chosen, windows, activations)
			})
		})
	}
	return c
}

// chosenNeurons are the numbers of an index's neurons that lists of layers and neurons name.
func chosenNeurons(m *index.Meta, layers, neurons string) ([]int, error) {
	wanted, err := chosenBy(layers, neurons)
	if err != nil {
		return nil, err
	}
	var chosen []int
	for n := range m.Neurons() {
		if neuron := m.Neuron(n); wanted(n2g.Site{Layer: neuron.Layer, Index: neuron.Index}) {
			chosen = append(chosen, n)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("the index has none of the neurons that -layers and -neurons name")
	}
	return chosen, nil
}
