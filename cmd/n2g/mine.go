package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
)

// mineFlags are the flags of n2g mine.
type mineFlags struct {
	model, backend, hook                  *string
	corpus, field, layers, out            *string
	examples, window, batch, histograming *int
	restart                               *bool
}

func (a *app) mine() *command {
	c := newCommand("mine", "find the texts that excite each neuron most, for all neurons of some layers in one pass")
	c.long = `Runs a corpus through the model once and writes, for every neuron of the layers, its top examples, its highest
activation, a histogram of its activations and its density (the share of tokens on which it reaches half of its highest).
n2g explain -mined FILE explains one neuron with them, n2g run -mined FILE many.

The pass is kept in FILE.part while it runs. Stopped at any moment, by Ctrl-C, kill or a full disk, it goes on from there when the
same command is given again, and ends with the same result. A name that ends in .gz is written compressed.`
	c.examples = []string{
		`-o tiny.json.gz`,
		`-layers 0,1 -corpus go -examples 20 -window 128 -o go.json.gz`,
		`-model models/solu-6l -corpus pile.jsonl.zst -layers 2-4 -o pile.json.gz`,
		`-corpus reviews.parquet -field body -o reviews.json.gz`,
	}
	f := &mineFlags{
		model: modelFlag(c), backend: backendFlag(c),
		corpus:       c.path(reads, "corpus", sampleCorpus, corpusUsage),
		field:        c.flags.String("field", "text", fieldUsage),
		layers:       c.flags.String("layers", "", "`LIST` layers, such as 0,1 or 0-3 (default: all)"),
		hook:         c.flags.String("hook", "", "`NAME` where to read: hook_pre, hook_mid or hook_post (default: hook_mid of SoLU models, else hook_post)"),
		examples:     c.flags.Int("examples", 20, "`NUMBER` of examples a neuron"),
		window:       c.flags.Int("window", corpus.DefaultWindow, "`NUMBER` of tokens an example, BOS not counted"),
		batch:        c.flags.Int("batch", 64, "`NUMBER` of windows a model call"),
		histograming: c.flags.Int("histogram-every", 8, "`NUMBER` one window in so many goes into histograms and densities; 1 takes all"),
		out:          c.path(replaces, "o", "", "`FILE` to write the result to", ".part"),
		restart:      c.flags.Bool("restart", false, "begin anew, whatever FILE.part holds"),
	}
	c.run = func(ctx context.Context) error { return a.runMine(ctx, f) }
	return c
}

func (a *app) runMine(ctx context.Context, f *mineFlags) error {
	if *f.out == "" || *f.out == standard {
		return errors.New("name a file for the result with -o FILE; the unfinished pass is kept beside it")
	}
	for name, value := range map[string]int{"examples": *f.examples, "window": *f.window, "batch": *f.batch, "histogram-every": *f.histograming} {
		if value < 1 {
			return fmt.Errorf("-%s is %d: it is at least 1", name, value)
		}
	}
	if info, err := os.Stat(*f.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and the unfinished pass is kept beside the result: name a file with -o", *f.out)
	}
	ranges, err := n2grun.ParseRanges(*f.layers)
	if err != nil {
		return fmt.Errorf("-layers: %w", err)
	}
	source, identity, report, err := openCorpus(*f.corpus, *f.field)
	if err != nil {
		return err
	}
	model, err := a.openModel(*f.model, *f.backend)
	if err != nil {
		return err
	}
	defer model.Close()
	layers, err := chosenLayers(ranges, model.Config().Layers)
	if err != nil {
		return err
	}
	checkpoint := *f.out + ".part"
	if _, err := os.Stat(checkpoint); err == nil && !*f.restart {
		fmt.Fprintf(a.stderr, "n2g: going on with the pass in %s (-restart begins anew)\n", checkpoint)
	}
	progress := a.progress(-1)
	meter := rate{started: time.Now()}
	index, err := corpus.Mine(ctx, model, layers, *f.hook, source, corpus.Options{
		Examples: *f.examples, Window: *f.window, Batch: *f.batch, HistogramEvery: *f.histograming,
		Corpus: identity, Texts: true, Checkpoint: checkpoint, Restart: *f.restart,
		Progress: func(windows int) {
			progress.update(windows, fmt.Sprintf("mining, %.0f windows/s, windows", meter.at(windows)))
		},
	})
	progress.end()
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintf(a.stderr, "n2g: what was mined is kept in %s: the same command goes on from there\n", checkpoint)
		}
		return err
	}
	index.Corpus = report
	if err := a.writeIndex(ctx, *f.out, index); err != nil {
		return fmt.Errorf("%w; what was mined is kept in %s: the same command tries again", err, checkpoint)
	}
	if err := corpus.RemoveCheckpoint(checkpoint); err != nil {
		return err
	}
	silent := 0
	for _, neuron := range index.Neurons {
		if len(neuron.Examples) == 0 {
			silent++
		}
	}
	fmt.Fprintf(a.text, "%s: %d neurons of %d layers, %d tokens in %d windows, %d texts; %d neurons are never above 0\n",
		*f.out, len(index.Neurons), len(layers), index.Tokens, index.Windows, len(index.Spans), silent)
	if report != nil {
		fmt.Fprintln(a.text, report)
	}
	return nil
}

// chosenLayers are those in ranges, all if there are none.
func chosenLayers(ranges []n2grun.Range, layers int) ([]int, error) {
	sites, err := n2grun.Selection{Layers: ranges}.Sites(layers, 1, "")
	if err != nil {
		return nil, fmt.Errorf("-layers: %w", err)
	}
	chosen := make([]int, len(sites))
	for i, site := range sites {
		chosen[i] = site.Layer
	}
	return chosen, nil
}

// writeIndex writes what was mined, compressed where the name asks for it.
func (a *app) writeIndex(ctx context.Context, path string, index *corpus.Index) error {
	return a.write(ctx, path, func(w io.Writer) error {
		if !strings.HasSuffix(path, ".gz") {
			return index.Write(w)
		}
		packed := gzip.NewWriter(w)
		return errors.Join(index.Write(packed), packed.Close())
	})
}

// rate is how much is done a second, not counting what was done before it began.
type rate struct {
	started time.Time
	first   int // windows when it was asked first
}

func (r *rate) at(windows int) float64 {
	if r.first == 0 {
		r.first, r.started = windows, time.Now()
		return 0
	}
	return float64(windows-r.first) / max(time.Since(r.started).Seconds(), 1e-3)
}
