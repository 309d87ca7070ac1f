package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// exportFlags are the flags of n2g export.
type exportFlags struct {
	store                          *string
	stats, neuronStore, jsonl, csv *string
	comparisons, dot, svg, graph   *string
	layers, neurons                *string
}

func (a *app) export() *command {
	c := newCommand("export", "write what a store holds in other formats")
	c.long = `-stats and -neuron-store write the published program's files: scikit-learn's report of each neuron, and the neurons of each token. -dot
and -svg write a graph a file, LAYER_NEURON.dot and .svg, of all neurons or of those that -layers and -neurons choose.

-csv has a line for each neuron: the published graph's scores, its baselines', the label. -comparisons has a line for each neuron, text and predictor: how well
context graph, published graph and tables predict test documents, hard negatives, top examples and other text. -jsonl has both graphs and all scores of every neuron.`
	c.examples = []string{
		`-stats stats.json -neuron-store neuron_store.json`,
		`-jsonl explanations.jsonl -csv scores.csv`,
		`-comparisons comparisons.csv`,
		`-svg graphs -layers 2 -neurons 100-149`,
		`-svg graphs -graph context -layers 2`,
	}
	f := &exportFlags{
		store:       storeFlag(c),
		stats:       c.path(replaces, "stats", "", "`FILE` to write scores to as the published stats.json"),
		neuronStore: c.path(replaces, "neuron-store", "", "`FILE` to write tokens to as the published neuron_store.json"),
		jsonl:       c.path(replaces, "jsonl", "", "`FILE` to write the explanations to as JSON Lines; - is standard output"),
		csv:         c.path(replaces, "csv", "", "`FILE` to write a table of scores to"),
		comparisons: c.path(replaces, "comparisons", "", "`FILE` to write a table of the scores of context graphs to"),
		dot:         c.path(writesInto, "dot", "", "`FOLDER` to write graphs to in Graphviz's language"),
		svg:         c.path(writesInto, "svg", "", "`FOLDER` to write graphs to as SVG"),
		graph:       c.flags.String("graph", "published", "`GRAPH` that -dot and -svg draw: published or context"),
		layers:      c.flags.String("layers", "", "`LIST` layers whose graphs are written, such as 0,2-5 (default all)"),
		neurons: c.flags.String("neurons", "",
			"`LIST` neurons of each layer whose graphs are written, such as 0-99,512 (default all)"),
	}
	c.run = func(ctx context.Context) error { return a.runExport(ctx, f) }
	return c
}

func (a *app) runExport(ctx context.Context, f *exportFlags) error {
	if *f.stats+*f.neuronStore+*f.jsonl+*f.csv+*f.comparisons+*f.dot+*f.svg == "" {
		return errors.New("say what to write: -stats, -neuron-store, -jsonl, -csv, -comparisons, -dot or -svg")
	}
	if err := checkGraph(*f.graph); err != nil {
		return err
	}
	chosen, err := chosenBy(*f.layers, *f.neurons)
	if err != nil {
		return err
	}
	return withStore(*f.store, func(s *store.Store) error {
		for _, output := range []struct {
			path  string
			write func(context.Context, io.Writer) error
		}{
			{*f.stats, s.ExportStats}, {*f.neuronStore, s.ExportNeuronStore}, {*f.jsonl, s.ExportJSONLines},
			{*f.csv, s.ExportCSV},
			{*f.comparisons, s.ExportComparisons},
		} {
			if output.path == "" {
				continue
			}
			if err := a.write(ctx, output.path, func(w io.Writer) error { return output.write(ctx, w) }); err != nil {
				return err
			}
		}
		if *f.dot+*f.svg == "" {
			return nil
		}
		return a.exportGraphs(ctx, s, f, chosen)
	})
}

// chosenBy says which neurons lists of layers and of neurons name.
func chosenBy(layers, neurons string) (func(n2g.Site) bool, error) {
	ofLayers, err := n2grun.ParseRanges(layers)
	if err != nil {
		return nil, fmt.Errorf("-layers: %w", err)
	}
	ofNeurons, err := n2grun.ParseRanges(neurons)
	if err != nil {
		return nil, fmt.Errorf("-neurons: %w", err)
	}
	within := func(n int, ranges []n2grun.Range) bool {
		for _, r := range ranges {
			if r.First <= n && n <= r.Last {
				return true
			}
		}
		return ranges == nil
	}
	return func(n n2g.Site) bool { return within(n.Layer, ofLayers) && within(n.Index, ofNeurons) }, nil
}

// exportGraphs writes a graph a file.
func (a *app) exportGraphs(ctx context.Context, s *store.Store, f *exportFlags, chosen func(n2g.Site) bool) error {
	for _, folder := range []string{*f.dot, *f.svg} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("the folder %s cannot be made: %w", folder, err)
		}
	}
	all, err := s.Done(ctx)
	if err != nil {
		return err
	}
	progress := a.progress(len(all))
	defer progress.end()
	drawn := 0
	for i, n := range all {
		if !chosen(n) {
			continue
		}
		progress.update(i, "drawing layer and neuron "+written(n))
		e, err := s.Explanation(ctx, n)
		if err != nil {
			return err
		}
		if e.Graph == nil && *f.graph == "published" || e.Context == nil && *f.graph == "context" {
			continue
		}
		drawn++
		o := graphviz.OptionsFor(e.Options)
		o.Title = name(e)
		var diagram graphviz.Diagram
		dot := func() string { return graphviz.DOT(e.Graph, o) }
		if *f.graph == "context" {
			o.Title += ": " + e.Context.Label
			diagram = graphviz.OfContext(e.Context, o)
			dot = func() string { return diagram.DOT(o) }
		} else {
			diagram = graphviz.Of(e.Graph, o)
		}
		if *f.dot != "" {
			path := filepath.Join(*f.dot, n.PublishedName()+".dot")
			if err := a.writeBytes(ctx, path, []byte(dot())); err != nil {
				return err
			}
		}
		if *f.svg == "" {
			continue
		}
		picture, err := diagram.SVG(ctx, o)
		if err != nil {
			return fmt.Errorf("layer %d neuron %d: %w", n.Layer, n.Index, err)
		}
		if err := a.writeBytes(ctx, filepath.Join(*f.svg, n.PublishedName()+".svg"), picture); err != nil {
			return err
		}
	}
	if drawn == 0 && *f.graph == "context" {
		return errors.New("none of the chosen neurons has a context graph to draw: n2g run -index learns them")
	}
	return nil
}
