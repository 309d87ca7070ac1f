package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// runFlags are the flags of n2g run.
type runFlags struct {
	model, masked, backend, hook *string
	source                       sourceFlags
	casings, stopwords           *string
	layers, neurons, shard, site *string
	sample, concurrency          *int
	retry, mend                  *bool
	compress, verbose            *bool
	out                          *string
	context                      contextFlags
	behaviours                   *int
	effects                      *int
	faithfulness                 *bool
	method                       *optflag.Set
}

const compressUsage = "keep explanations compressed; -compress=false keeps them as text, for SQL's functions of " +
	"JSON, three times as large"

func (a *app) runNeurons() *command {
	c := newCommand("run", "explain many neurons of a model, into one file that other commands ask")
	c.long = `Explains every neuron that has examples, or those that -layers, -neurons and -sample choose, and writes each to the store
-store when it is done. Stopped at any moment, by Ctrl-C, kill or a full disk, it goes on from there when the same command is
given again. A neuron that fails is recorded with the reason, and the others go on; n2g summary -failures lists them.

-shard 2/8 explains the second of eight parts. Give each shard a store of its own, and join them with n2g merge.
-seed is also the seed of the -sample.`
	c.examples = []string{
		`-store run.db`,
		`-layers 0,2 -sample 50 -seed 0 -store sample.db`,
		`-model models/solu-6l -masked distilbert-base-uncased -index solu.n2g -neurons 0-99,512 -store solu.db`,
		`-index solu.n2g -shard 2/8 -store solu-2.db`,
		`-store run.db -retry-failed`,
	}
	f := &runFlags{
		model: modelFlag(c), backend: backendFlag(c), source: sourceFlagsOf(c),
		masked: c.path(reads, "masked", "", varyingUsage),
		hook: c.flags.String("hook", "", "`NAME` where to read: hook_pre, hook_mid or hook_post of the MLP, or "+
			"another hook point (default: where the examples were mined, else hook_mid of SoLU models and hook_post of others)"),
		casings: c.path(reads, "casings", "",
			"`FILE` how a corpus spells words: JSON {\"word\": [[\"Word\", count], …]}"),
		stopwords:   c.path(reads, "stopwords", "", "`FILE` words that are not varied, between blanks or as a JSON list"),
		layers:      c.flags.String("layers", "", "`LIST` layers, such as 0,2-5 (default all)"),
		neurons:     c.flags.String("neurons", "", "`LIST` neurons of each layer, such as 0-99,512 (default all)"),
		sample:      c.flags.Int("sample", 0, "`NUMBER` take only so many of them in each layer, by chance (default 0, all)"),
		shard:       c.flags.String("shard", "", "`I/N` explain part I of N only, from 1/N to N/N"),
		concurrency: c.flags.Int("concurrency", 0, "`NUMBER` of neurons explained at a time (default one a processor)"),
		retry:       c.flags.Bool("retry-failed", false, "explain neurons again that failed before"),
		mend: c.flags.Bool("retry-damaged", false,
			"remove what is damaged in the store, and explain those neurons again"),
		compress: c.flags.Bool("compress", true, compressUsage),
		verbose:  c.flags.Bool("v", false, verboseUsage),
		out:      c.path(fills, "store", "run.db", "`FILE` the store, made if it is not there"),
		context:  contextFlagsOf(c), behaviours: behavioursFlag(c),
		effects: effectsFlag(c), faithfulness: faithfulnessFlag(c),
		method: optflag.Add[n2g.Options](c.flags),
	}
	f.site = c.flags.String("site", "", "`SITE` what to explain, instead of -layers, -neurons and -hook: "+
		"blocks.3.hook_resid_post[sae:all] for all features, or one of them")
	a.besideFlags(c)
	a.execFlag(c)
	c.renamed = map[string]string{"o": "store", "mined": "index"}
	c.options = f.method.Names()
	c.run = func(ctx context.Context) error {
		if err := applyAll(c.flags, *f.site, f.layers, f.neurons, f.hook); err != nil {
			return err
		}
		return a.runRun(ctx, f)
	}
	return c
}

func (a *app) runRun(ctx context.Context, f *runFlags) (err error) {
	options := n2grun.Options{Concurrency: *f.concurrency, RetryFailed: *f.retry}
	optflag.Apply(f.method, &options.Method)
	if options.Method.NoGraph {
		return errors.New("-no-graph leaves nothing to store: explain such neurons with n2g explain -json")
	}
	if *f.concurrency < 0 {
		return fmt.Errorf("-concurrency is %d: it is at least 1, or 0 for one a processor", *f.concurrency)
	}
	if err := f.context.check(); err != nil {
		return err
	}
	if *f.shard != "" {
		if options.Shard, err = n2grun.ParseShard(*f.shard); err != nil {
			return err
		}
	}
	if err := checkBehaviours(*f.behaviours); err != nil {
		return err
	}
	selection, err := f.selection(options.Method)
	if err != nil {
		return err
	}
	if options.Method.Casings, err = a.readCasings(*f.casings); err != nil {
		return err
	}
	if options.Method.Stopwords, err = a.readWords(*f.stopwords); err != nil {
		return err
	}
	model, err := a.openSites(ctx, *f.model, *f.backend)
	if err != nil {
		return err
	}
	defer model.Close()
	source, err := f.source.open(a, model, *f.model)
	if err != nil {
		return err
	}
	options.Examples = source.identity
	attribute, err := newAttributor(model, *f.effects, *f.faithfulness)
	if err != nil {
		return err
	}
	var explainer *contexttree.Explainer
	if source.index != nil && f.context.wanted() {
		options.Examples += f.context.identity()
		var done func()
		if explainer, done, err = f.context.explainer(source.index, model); err != nil {
			return err
		}
		defer done()
	} else if *f.context.other != "" {
		return errNothingToCompare
	}
	options.Complete = func(ctx context.Context, e *n2g.Explanation) error {
		if explainer != nil {
			if err := explainer.Complete(ctx, e, f.context.asker(model, e)); err != nil {
				return err
			}
		}
		if err := source.addBehaviours(ctx, model, e, *f.behaviours); err != nil {
			return err
		}
		if err := attribute.complete(ctx, e); err != nil || !attribute.faithful {
			return err
		}
		examples, err := source.examples(e.Site)
		if err != nil {
			return err
		}
		return attribute.measure(ctx, e, examples)
	}
	options.Examples += behavioursIdentity(*f.behaviours)
	if *f.casings != "" {
		options.Examples += fmt.Sprintf(", casings of %d words", len(options.Method.Casings))
	}
	s, err := store.Open(*f.out, store.Options{PlainJSON: !*f.compress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if *f.mend {
		repaired, err := s.Repair(ctx)
		if err != nil {
			return err
		}
		a.tellRepaired(repaired)
	}
	if err := checkMaskID(options.Method, model); err != nil {
		return err
	}
	hook := *f.hook
	if hook == "" {
		hook = source.hook
	}
	if beside := besideOf(model, hook); beside != "" { // another one's features are others
		options.Examples += ", " + beside
	}
	first := 0
	if only := layersWith(model, hook); len(only) > 0 {
		first = only[0].First
		if selection.Layers == nil {
			selection.Layers = only
		}
	}
	width, err := model.Width(first, hook)
	if err != nil {
		return err
	}
	sites, leftOut, err := selection.Among(layerCount(model), width, hook, source.has)
	if err != nil {
		return err
	}
	if leftOut > 0 && (*f.layers != "" || *f.neurons != "") {
		fmt.Fprintf(a.stderr, "n2g: %d of the chosen neurons have no examples and are left out\n", leftOut)
	}
	masked, done, err := a.openVarying(*f.masked, *f.backend, model)
	if err != nil {
		return err
	}
	defer done()
	bar := a.progress(len(sites))
	options.Progress = func(p n2grun.Progress) {
		bar.total = p.Planned
		bar.update(p.DoneBefore+p.Done+p.FailedBefore+p.Failed, "explaining, "+p.Pace()+", neurons")
	}
	p, err := n2grun.Run(ctx, model, masked, source.examples, sites, s, options)
	bar.end()
	if p.Planned > 0 {
		fmt.Fprintf(a.text, "%s: %s\n", *f.out, p)
	}
	if *f.verbose && p.Done > 0 {
		writeWork(a.stderr, p.Done, p.Work, p.Elapsed, model, masked)
	}
	return err
}

// selection is what the flags choose.
func (f *runFlags) selection(method n2g.Options) (selection n2grun.Selection, err error) {
	if selection.Layers, err = n2grun.ParseRanges(*f.layers); err != nil {
		return selection, fmt.Errorf("-layers: %w", err)
	}
	if selection.Neurons, err = n2grun.ParseRanges(*f.neurons); err != nil {
		return selection, fmt.Errorf("-neurons: %w", err)
	}
	selection.Sample = *f.sample
	selection.Seed = uint64(*method.Resolved().Seed)
	return selection, nil
}

func (a *app) tellRepaired(r *store.Repaired) {
	if len(r.Removed) > 0 {
		fmt.Fprintf(a.stderr, "n2g: %d neurons were damaged and are made anew: %s\n", len(r.Removed), some(r.Removed))
	}
	if r.Lost {
		fmt.Fprintln(a.stderr, "n2g: rows of the store were lost; what was planned and is not there is made anew")
	}
}
