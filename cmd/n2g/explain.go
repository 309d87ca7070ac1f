package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/page"
)

// explainFlags are the flags of n2g explain.
type explainFlags struct {
	command                   *command
	model, masked, backend    *string
	layer, neuron             *int
	hook, casings, stopwords  *string
	site                      *string
	text                      textFlags
	examples, corpus, field   *string
	index, store              *string
	preset                    *string
	html, json, svg, png, dot *string
	graph                     *string
	stages, verbose           *bool
	context                   contextFlags
	behaviours                *int
	effects                   *int
	faithfulness              *bool
	method                    *optflag.Set
}

func (a *app) explain() *command {
	c := newCommand("explain", "explain a neuron: what it fires on, why, and how well a graph of that predicts it")
	c.long = `Takes the texts that excite the neuron most (-examples, -index, else found in -corpus), prunes each to the shortest that still does, measures which
tokens matter, varies them with a masked model, builds a graph of the result and scores how well it predicts the neuron on
texts kept apart. -text or -file explains the neuron's activation on one text, as the published walkthrough does, without a
graph.

-examples reads one JSON object {"layer", "neuron", "max_activation", "prompts"} or many as JSON Lines; -json then writes
one line each. Without an output flag a summary is printed, with both graphs as trees and the scores of all predictors on all texts.
-store shows a neuron that n2g run has explained, in the same ways, without a model.`
	c.examples = []string{
		`-layer 2 -neuron 500`,
		`-layer 2 -neuron 500 -corpus ~/src -html neuron.html`,
		`-layer 2 -neuron 500 -index tiny.n2g -html neuron.html`,
		`-layer 2 -neuron 500 -file prompt.txt`,
		`-site 'blocks.7.hook_resid_post[sae:17]' -sae sae-folder -model smollm2 -corpus books`,
		`-model solu -masked distilbert -examples neurons.jsonl -json explanations.jsonl`,
		`-exec 'python3 model.py' -corpus books -site 'blocks.0.mlp.hook_post[0]'`,
		`-store run.db -layer 2 -neuron 500`,
		`-examples neuron.json -importance-threshold 0.5 -svg neuron.svg -dot neuron.dot`,
	}
	f := &explainFlags{
		command: c, model: modelFlag(c), masked: c.path(reads, "masked", "", varyingUsage), backend: backendFlag(c),
		layer:  c.flags.Int("layer", -1, "`NUMBER` the layer, from 0"),
		neuron: c.flags.Int("neuron", -1, "`NUMBER` the neuron, from 0"),
		hook:   c.flags.String("hook", "", hookUsage),
		site:   siteFlag(c),
		text:   textFlagsOf(c, "one text to explain the neuron on"),
		examples: c.path(reads, "examples", "",
			"`FILE` the neuron's examples as JSON, or those of many as JSON Lines; - is standard input"),
		index: c.path(reads, "index", "", "`FILE` the index, made by n2g mine, to take the neuron's examples from"),
		store: c.path(asks, "store", "", "`FILE` the store that n2g run made, to show a neuron of it, in place of "+
			"explaining one"),
		corpus:    c.path(reads, "corpus", "", corpusUsage+", to find the neuron's examples in (default sample)"),
		field:     c.flags.String("field", "text", fieldUsage),
		casings:   c.path(reads, "casings", "", "`FILE` how a corpus spells words: JSON {\"word\": [[\"Word\", count], …]}"),
		stopwords: c.path(reads, "stopwords", "", "`FILE` words that are not varied, between blanks or as a JSON list"),
		preset: c.flags.String("preset", "", "`NAME` published or walkthrough: the options to start from (default: "+
			"walkthrough with -text or -file, else published)"),
		html:  c.path(replaces, "html", "", "`FILE` to write a page to, with graph, scores and texts"),
		json:  c.path(replaces, "json", "", "`FILE` to write the explanation to as JSON; - is standard output"),
		svg:   c.path(replaces, "svg", "", "`FILE` to write the graph to as SVG"),
		png:   c.path(replaces, "png", "", "`FILE` to write the graph to as PNG"),
		dot:   c.path(replaces, "dot", "", "`FILE` to write the graph to in Graphviz's language"),
		graph: c.flags.String("graph", "published", "`GRAPH` that -svg and -png draw: published or context"),
		stages: c.flags.Bool("stages", true, "keep every intermediate result in the JSON, which costs several times the "+
			"work (-stages=false: only those that predict and show)"),
		verbose: c.flags.Bool("v", false, verboseUsage),
		context: contextFlagsOf(c), behaviours: behavioursFlag(c),
		effects: effectsFlag(c), faithfulness: faithfulnessFlag(c),
		method: optflag.Add[n2g.Options](c.flags),
	}
	a.besideFlags(c)
	a.execFlag(c)
	c.options = f.method.Names()
	c.renamed = map[string]string{"mined": "index"}
	c.run = func(ctx context.Context) error {
		if err := applySite(c.flags, *f.site, f.layer, f.neuron, f.hook); err != nil {
			return err
		}
		return a.runExplain(ctx, f)
	}
	return c
}

// options are the preset with what the flags change.
func (f *explainFlags) options(a *app) (n2g.Options, error) {
	var options n2g.Options
	preset := *f.preset
	if preset == "" && f.text.given() {
		preset = "walkthrough"
	}
	switch preset {
	case "", "published":
	case "walkthrough":
		options = n2g.Walkthrough()
	default:
		return options, fmt.Errorf("-preset is %q: it is published or walkthrough", preset)
	}
	optflag.Apply(f.method, &options)
	options.Stages = *f.stages && *f.json != "" || *f.html != ""
	var err error
	if options.Casings, err = a.readCasings(*f.casings); err != nil {
		return options, err
	}
	options.Stopwords, err = a.readWords(*f.stopwords)
	return options, err
}

func (a *app) runExplain(ctx context.Context, f *explainFlags) error {
	if err := checkGraph(*f.graph); err != nil {
		return err
	}
	if *f.store != "" {
		return a.explainStored(ctx, f)
	}
	options, err := f.options(a)
	if err != nil {
		return err
	}
	if err := checkBehaviours(*f.behaviours); err != nil {
		return err
	}
	draws := *f.svg != "" || *f.png != "" || *f.dot != ""
	if draws && options.NoGraph {
		return errors.New("there is no graph to draw when the method stops after augmentation (-text, -file, -preset " +
			"walkthrough, -no-graph): add -no-graph=false or leave out -svg, -png and -dot")
	}
	if err := f.context.check(); err != nil {
		return err
	}
	given, err := f.given(a)
	if err != nil {
		return err
	}
	if draws && len(given) > 1 {
		return fmt.Errorf("-svg, -png and -dot draw one neuron, and there are examples of %d: choose one with -layer and "+
			"-neuron", len(given))
	}
	model, err := a.openSites(ctx, *f.model, *f.backend)
	if err != nil {
		return err
	}
	defer model.Close()
	attribute, err := newAttributor(model, *f.effects, *f.faithfulness)
	if err != nil {
		return err
	}
	if err := checkMaskID(options, model); err != nil {
		return err
	}
	masked, done, err := a.openVarying(*f.masked, *f.backend, model)
	if err != nil {
		return err
	}
	defer done()
	if given == nil {
		found, err := f.search(ctx, a, model)
		if err != nil {
			return err
		}
		given = []n2g.Examples{*found}
	}
	contexts, from, read, err := f.contexts(model)
	if err != nil {
		return err
	}
	defer read()
	began := time.Now()
	explanations, failure := a.explainAll(ctx, model, masked, given, options)
	if len(explanations) == 0 {
		return failure
	}
	if err := f.addContext(ctx, contexts, model, explanations); err != nil {
		return err
	}
	for _, e := range explanations {
		if err := attribute.complete(ctx, e); err != nil {
			return err
		}
		of := slices.IndexFunc(given, func(x n2g.Examples) bool {
			return x.Site.WithoutHook() == e.Site.WithoutHook()
		})
		if err := addBehaviours(ctx, model, from, e, func() ([]string, error) { return given[of].Prompts, nil },
			*f.behaviours); err != nil {
			return err
		}
		if err := attribute.measure(ctx, e, &given[of]); err != nil {
			return err
		}
	}
	if *f.verbose {
		var work n2g.Work
		for _, e := range explanations {
			work.Add(e.Work)
		}
		writeWork(a.stderr, len(explanations), work, time.Since(began), model, masked)
	}
	noContext := ""
	if f.context.wanted() {
		noContext = "it is learned from all of a corpus: name an index with -index FILE (n2g mine makes one)"
	}
	return errors.Join(f.output(ctx, a, explanations, noContext), failure)
}

func checkGraph(graph string) error {
	if graph != "published" && graph != "context" {
		return fmt.Errorf("-graph is %q: it is published or context", graph)
	}
	return nil
}

// contexts makes context graphs where the examples come from an index, which is returned beside it; nil where they do
// not, or no graphs are wanted. It reads ahead while the model runs, until done.
func (f *explainFlags) contexts(model siteModel) (x *contexttree.Explainer, from *index.Index, done func(), err error) {
	indexed := *f.index != "" || f.embedded(model)
	if *f.context.other != "" && !(indexed && f.context.wanted()) {
		return nil, nil, nil, errNothingToCompare
	}
	if !indexed || !f.context.wanted() && *f.behaviours == 0 {
		return nil, nil, func() {}, nil
	}
	if from, err = openIndex(*f.index); err != nil {
		return nil, nil, nil, err
	}
	if !f.context.wanted() {
		return nil, from, func() { from.Close() }, nil // it was only read
	}
	x, closeOther, err := f.context.explainer(from, model)
	if err != nil {
		from.Close() // as above
		return nil, nil, nil, err
	}
	var ahead sync.WaitGroup
	ahead.Go(x.Prepare)
	return x, from, func() {
		ahead.Wait()
		closeOther()
		from.Close() // as above
	}, nil
}

// embedded tells whether the examples come from the embedded index.
func (f *explainFlags) embedded(model siteModel) bool {
	return *f.index == "" && *f.corpus == "" && *f.examples == "" && !f.text.given() && isTiny(model)
}

// addContext adds context graphs.
func (f *explainFlags) addContext(ctx context.Context, x *contexttree.Explainer, model siteModel,
	explanations []*n2g.Explanation) error {
	if x == nil {
		return nil
	}
	for _, e := range explanations {
		if !x.Has(e.Site) && f.embedded(model) {
			continue // the examples were found in the sample
		}
		if err := x.Complete(ctx, e, f.context.asker(model, e)); err != nil {
			return err
		}
	}
	return nil
}

// checkMaskID says which flag is wrong, which the model's own complaint about a token cannot know.
func checkMaskID(options n2g.Options, model siteModel) error {
	if id, vocabulary := options.MaskID, model.Vocabulary(); id != nil && (*id < 0 || *id >= vocabulary) {
		return fmt.Errorf("-mask-id is %d: the ids of %s are 0 to %d", *id, model.Name(), vocabulary-1)
	}
	return nil
}

// explainAll explains one neuron after the other. Of many, one that cannot be explained is left out: the rest is
// returned with an error that says so.
func (a *app) explainAll(ctx context.Context, model n2g.LanguageModel, masked n2g.MaskedModel, given []n2g.Examples,
	options n2g.Options) ([]*n2g.Explanation, error) {
	const steps = 6 // of a neuron, as Options.Observe counts them
	progress := a.progress(len(given) * steps)
	defer progress.end()
	var explanations []*n2g.Explanation
	var first error
	failed := 0
	for i, examples := range given {
		options.Observe = func(stage string, done, total int) {
			progress.update(i*steps+done*steps/max(1, total),
				fmt.Sprintf("layer %d neuron %d: %s, step", examples.Site.Layer, examples.Site.Index, stage))
		}
		e, err := n2g.Explain(ctx, model, masked, examples, options)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && len(given) == 1:
			return nil, err
		case err != nil:
			if failed++; first == nil {
				first = err
			}
		default:
			explanations = append(explanations, e)
		}
	}
	if failed > 0 {
		return explanations, fmt.Errorf("%d of %d neurons are left out; the first: %w", failed, len(given), first)
	}
	return explanations, nil
}

// output writes what the flags ask for; noContext says how a context graph is had, where there is none.
func (f *explainFlags) output(ctx context.Context, a *app, explanations []*n2g.Explanation, noContext string) error {
	asked := false
	write := func(path string, content func(io.Writer) error) error {
		if path == "" {
			return nil
		}
		asked = true
		return a.write(ctx, path, content)
	}
	drawing := func(path string, draw func(context.Context, *n2g.Graph, graphviz.Options) ([]byte, error),
		draws func(graphviz.Diagram, context.Context, graphviz.Options) ([]byte, error)) error {
		return write(path, func(w io.Writer) error {
			o := graphviz.OptionsFor(explanations[0].Options)
			o.Title = name(explanations[0])
			if *f.graph == "context" {
				g := explanations[0].Context
				if g == nil {
					return errors.New("there is no context graph to draw: it is learned from an index (-index), unless " +
						"-context-splits is 0")
				}
				o.Title += ": " + g.Label
				data, err := draws(graphviz.OfContext(g, o), ctx, o)
				if err != nil {
					return err
				}
				_, err = w.Write(data)
				return err
			}
			data, err := draw(ctx, explanations[0].Graph, o)
			if err != nil {
				return err
			}
			_, err = w.Write(data)
			return err
		})
	}
	err := errors.Join(
		write(*f.json, func(w io.Writer) error {
			for _, e := range explanations {
				if err := encodeJSON(w, e); err != nil {
					return err
				}
			}
			return nil
		}),
		write(*f.html, func(w io.Writer) error { return writePage(ctx, w, explanations) }),
		drawing(*f.svg, graphviz.SVG, graphviz.Diagram.SVG),
		drawing(*f.png, graphviz.PNG, graphviz.Diagram.PNG),
		drawing(*f.dot, func(_ context.Context, g *n2g.Graph, o graphviz.Options) ([]byte, error) {
			return []byte(graphviz.DOT(g, o)), nil
		}, func(d graphviz.Diagram, _ context.Context, o graphviz.Options) ([]byte, error) {
			return []byte(d.DOT(o)), nil
		}),
	)
	if asked || err != nil {
		return err
	}
	return a.print(func(w io.Writer) error {
		for _, e := range explanations {
			summarize(w, e, noContext)
		}
		return nil
	})
}

// name is a neuron's, for a heading.
func name(e *n2g.Explanation) string {
	return fmt.Sprintf("%s, layer %d, neuron %d", printable(filepath.Base(e.Model)), e.Site.Layer, e.Site.Index)
}

// writePage writes a page of one neuron or of many.
func writePage(ctx context.Context, w io.Writer, explanations []*n2g.Explanation) error {
	entries := make([]page.Entry, len(explanations))
	for i, e := range explanations {
		entries[i].Explanation = e
		o := graphviz.OptionsFor(e.Options)
		o.Theme = graphviz.Auto // the page follows its reader's setting
		if e.Context != nil {
			svg, err := graphviz.OfContext(e.Context, o).SVG(ctx, o)
			if err != nil {
				return err
			}
			entries[i].Context = string(svg)
		}
		if e.Graph == nil {
			continue
		}
		svg, err := graphviz.SVG(ctx, e.Graph, o)
		if err != nil {
			return err
		}
		entries[i].Graph = string(svg)
	}
	if len(entries) == 1 {
		return page.Write(w, entries[0].Explanation, page.Options{Graph: entries[0].Graph, Context: entries[0].Context})
	}
	return page.WriteAll(w, entries, page.Options{})
}
