package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
)

// mineFlags are the flags of n2g mine.
type mineFlags struct {
	flags                          *flag.FlagSet
	model, backend                 *string
	corpus, field                  *string
	layers, hooks, shard, out      *string
	examples, window, batch, every *int
	keep, dense                    *float64
	signs, noSuffixes, restart     *bool
}

func (a *app) mine() *command {
	c := newCommand("mine", "run a corpus once and index what fires where, for all neurons of some layers")
	c.long = `Runs a corpus through the model once and writes an index: for every neuron of the layers each token on which it fires, its
highest activation, its density (the share of tokens on which it reaches half of that) and a histogram. Every later
question is a look-up: n2g explain -index FILE and n2g run -index FILE take their examples from it, n2g examples, fires
and text ask it, n2g index describes and exports it.

The pass is kept in the folder FILE.part while it runs. Stopped at any moment, by Ctrl-C, kill or a full disk, it goes on from there
when the same command is given again, and ends with the same file. -shard 2/8 runs the second of eight parts of the
corpus; n2g merge -index joins them, and indexes of other layers, to the file that one run makes.`
	c.examples = []string{
		`-o tiny.n2g`,
		`-layers 0,1 -corpus go -o go.n2g`,
		`-model models/solu-6l -corpus pile.jsonl.zst -layers 2-4 -shard 2/8 -o pile-2.n2g`,
		`-corpus reviews.parquet -field body -keep 0.001 -o reviews.n2g`,
	}
	f := &mineFlags{
		flags: c.flags, model: modelFlag(c), backend: backendFlag(c),
		corpus: c.path(reads, "corpus", sampleCorpus, corpusUsage),
		field:  c.flags.String("field", "text", fieldUsage),
		layers: c.flags.String("layers", "", "`LIST` layers, such as 0,1 or 0-3 (default: all)"),
		hooks: c.flags.String("hook", "", "`LIST` where to read: hook_pre, hook_mid or hook_post of the MLP, or other "+
			"hook points, such as hook_resid_post; or several (default: hook_mid of SoLU models, else hook_post)"),
		examples: c.flags.Int("examples", index.DefaultExamples,
			"`NUMBER` of top examples that are certain for every neuron"),
		window: c.flags.Int("window", corpus.DefaultWindow, "`NUMBER` of tokens an example, BOS not counted"),
		batch:  c.flags.Int("batch", corpus.DefaultBatch, "`NUMBER` of windows a model call"),
		keep:   c.flags.Float64("keep", index.DefaultKeep, "`SHARE` of tokens whose activation is kept, in each neuron"),
		dense: c.flags.Float64("dense", index.DefaultDense,
			"`SHARE` of tokens kept at most so as to reach down to a quarter of a neuron's maximum"),
		every: c.flags.Int("sample-every", index.DefaultSampleEvery,
			"`NUMBER` one window in so many is kept with the values of all neurons; 0 keeps none"),
		signs: c.flags.Bool("both-signs", false, "keep the lowest activations like the highest"),
		noSuffixes: c.flags.Bool("no-suffixes", false,
			"leave out the suffix order, which finds a text in the corpus at once and takes 4 bytes a token"),
		shard:   c.flags.String("shard", "", "`I/N` run part I of N of the corpus only, from 1/N to N/N"),
		out:     c.path(replaces, "o", "", "`FILE` to write the index to"),
		restart: c.flags.Bool("restart", false, "begin anew, whatever FILE.part holds"),
	}
	site := c.flags.String("site", "", "`SITE` what to mine, instead of -layers and -hook: "+
		"blocks.3.hook_resid_post[all], blocks.3.hook_resid_post[sae:all] for all features")
	a.besideFlags(c)
	a.execFlag(c)
	c.run = func(ctx context.Context) error {
		all := ""
		if err := applyAll(c.flags, *site, f.layers, &all, f.hooks); err != nil {
			return err
		}
		if all != "" {
			return fmt.Errorf("-site is %s: all of a hook point are mined at once, write [all] in place of the number", *site)
		}
		return a.runMine(ctx, f)
	}
	return c
}

// options are those of the pass that the flags ask for.
func (f *mineFlags) options() (corpus.Options, error) {
	o := corpus.Options{Window: *f.window, Batch: *f.batch, Restart: *f.restart}
	o.Index = index.Options{Keep: *f.keep, Dense: *f.dense, Examples: *f.examples, SampleEvery: *f.every,
		NoSuffixes: *f.noSuffixes}
	for name, value := range map[string]int{"examples": *f.examples, "window": *f.window, "batch": *f.batch} {
		if value < 1 {
			return o, fmt.Errorf("-%s is %d: it is at least 1", name, value)
		}
	}
	for name, value := range map[string]float64{"keep": *f.keep, "dense": *f.dense} {
		if !(value > 0 && value <= 1) {
			return o, fmt.Errorf("-%s is %g: it is a share of the tokens, above 0 and at most 1", name, value)
		}
	}
	switch {
	case *f.every < 0:
		return o, fmt.Errorf("-sample-every is %d: it is at least 1, or 0 for no sample", *f.every)
	case *f.every == 0:
		o.Index.SampleEvery = -1
	}
	if *f.signs {
		o.Index.Signs = 2
	}
	if *f.shard != "" {
		shard, err := n2grun.ParseShard(*f.shard)
		if err != nil {
			return o, err
		}
		o.Shard, o.Shards = shard.Number, shard.Of
	}
	return o, nil
}

func (a *app) runMine(ctx context.Context, f *mineFlags) error {
	if *f.out == "" || *f.out == standard {
		return errors.New("name a file for the index with -o FILE; the unfinished pass is kept beside it")
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	if info, err := os.Stat(*f.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and the unfinished pass is kept beside the index: name a file with -o",
			*f.out)
	}
	ranges, err := n2grun.ParseRanges(*f.layers)
	if err != nil {
		return fmt.Errorf("-layers: %w", err)
	}
	source, identity, report, err := openCorpus(*f.corpus, *f.field)
	if err != nil {
		return err
	}
	model, err := a.openSites(ctx, *f.model, *f.backend)
	if err != nil {
		return err
	}
	defer model.Close()
	if hooks := hooksOf(*f.hooks); ranges == nil && len(hooks) < 2 {
		ranges = layersWith(model, *f.hooks)
	}
	layers, err := chosenLayers(ranges, layerCount(model))
	if err != nil {
		return err
	}
	if longest := model.ContextLength() - min(1, model.BOS()+1); *f.window > longest {
		if given(f.flags, "window") {
			return fmt.Errorf("-window is %d: %s reads %d tokens", *f.window, model.Name(), longest)
		}
	}
	out := resolved(*f.out) // by whatever name it is called, one pass writes it at a time
	unfinished := corpus.Unfinished(out)
	if _, err := os.Stat(unfinished); err == nil && !*f.restart {
		fmt.Fprintf(a.stderr, "n2g: going on with the pass in %s (-restart begins anew)\n", unfinished)
	}
	progress := a.progress(-1)
	meter := rate{started: time.Now()}
	o.Corpus, o.Report = identity, report
	o.Progress = func(done, windows int) {
		progress.total = windows
		progress.update(done, fmt.Sprintf("mining, %.0f windows/s, windows", meter.at(done)))
	}
	err = corpus.Mine(ctx, model, layers, hooksOf(*f.hooks), source, out, o)
	progress.end()
	if err != nil {
		if _, kept := os.Stat(unfinished); ctx.Err() != nil && kept == nil {
			fmt.Fprintf(a.stderr, "n2g: what was mined is kept in %s: the same command goes on from there\n", unfinished)
		}
		return err
	}
	if o.Shards > 0 {
		fmt.Fprintf(a.text, "%s: part %d of %d; n2g merge -index joins the parts\n", *f.out, o.Shard, o.Shards)
		return nil
	}
	x, err := index.Open(*f.out)
	if err != nil {
		return err
	}
	defer x.Close() // it is only read
	return buffered(a.text, func(w io.Writer) error { return describeIndex(w, *f.out, x) })
}

// hooksOf are those of a list.
func hooksOf(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
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
