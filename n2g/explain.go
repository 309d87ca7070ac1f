package n2g

import (
	"context"
	"errors"
	"fmt"
)

// Explain runs the whole method for one neuron: the examples are split, the train prompts pruned, measured and varied,
// a graph is built of them, and the test prompts score its predictions beside two baselines. With opts.NoGraph it stops
// after the variants, of every example.
//
// A train prompt on which the neuron never fires is left out with a note; if that leaves none, the error is
// [ErrNeverFires]. Without a masked model there are no variants but the pruned texts themselves. The models are asked
// in few large calls, whatever the number of prompts, and nothing is asked twice.
func Explain(ctx context.Context, model LanguageModel, masked MaskedModel, examples Examples,
	opts Options) (*Explanation, error) {
	n, err := newNeuron(model, examples.Site, opts)
	if err != nil {
		return nil, err
	}
	x := explainer{neuron: n, options: opts.Resolved(), masked: masked, examples: examples}
	e, err := x.explain(ctx)
	if err != nil {
		return nil, fmt.Errorf("explain layer %d neuron %d of %s: %w", n.site.Layer, n.site.Index, model.Name(), err)
	}
	return e, nil
}

// explainer is one run of Explain.
type explainer struct {
	*neuron
	options  Options // resolved
	masked   MaskedModel
	examples Examples
	amax     float64 // what activations are divided by; 0: each pruned text's own maximum
}

// example is a whole example prompt.
type example struct {
	prompt      int // index in Examples.Prompts
	ids         []int
	activations []float64
}

// Stages as Options.Observe hears of them, in order.
const (
	stageActivations = iota
	stagePrune
	stageImportance
	stageAugment
	stageVariants
	stageGraph
	stageDone
)

// begin observes that a stage begins, and stops where the context has ended.
func (x *explainer) begin(ctx context.Context, stage int) error {
	name := [...]string{"activations", "prune", "importance", "augment", "variants", "graph", "done"}[stage]
	if stage < stageDone {
		x.work.begin(name)
	} else {
		x.work.end()
	}
	if x.opts.Observe != nil {
		x.opts.Observe(name, stage, stageDone)
	}
	return ctx.Err()
}

func (x *explainer) explain(ctx context.Context) (*Explanation, error) {
	if err := x.begin(ctx, stageActivations); err != nil {
		return nil, err
	}
	trains, tests, err := x.run(ctx)
	if err != nil {
		return nil, err
	}
	e := x.outline(append(append([]example(nil), trains...), tests...))

	if err := x.begin(ctx, stagePrune); err != nil {
		return nil, err
	}
	pruned, notes, err := x.prunings(ctx, trains)
	if err != nil {
		return nil, err
	}
	e.Notes = notes

	if err := x.begin(ctx, stageImportance); err != nil {
		return nil, err
	}
	measured, err := x.importances(ctx, pruned)
	if err != nil {
		return nil, err
	}
	for i, p := range pruned {
		prune := p.prune()
		prune.Measured = measured[i]
		prune.ImportantTokens = measured[i].ImportantTokens(x.opts.ImportantThreshold)
		e.Prunes = append(e.Prunes, prune)
	}

	if err := x.begin(ctx, stageAugment); err != nil {
		return nil, err
	}
	variants, err := x.variants(ctx, e.Prunes)
	if err != nil {
		return nil, err
	}

	if err := x.begin(ctx, stageVariants); err != nil {
		return nil, err
	}
	if err := x.measureVariants(ctx, e.Prunes, variants); err != nil {
		return nil, err
	}

	if err := x.begin(ctx, stageGraph); err != nil {
		return nil, err
	}
	if x.opts.Stages {
		e.Stages = &Stages{Trains: x.trains(trains, e.MaxActivation)}
	}
	if !x.opts.NoGraph {
		x.graph(e, x.trains(trains, e.MaxActivation), x.tests(tests, e.MaxActivation))
	}
	if !x.opts.Stages {
		dropMatrices(e.Prunes)
	}
	if err := x.begin(ctx, stageDone); err != nil {
		return nil, err
	}
	e.Work = &x.work.Work
	return e, nil
}

// run splits the examples and runs every prompt, all with one call.
func (x *explainer) run(ctx context.Context) (trains, tests []example, err error) {
	prompts := x.examples.Prompts
	if len(prompts) == 0 {
		return nil, nil,
			errors.New("there are no example prompts: give some that excite the neuron, twenty make a good graph")
	}
	var train, test []int
	if x.opts.NoGraph {
		for i := range prompts {
			train = append(train, i)
		}
	} else {
		train, test = x.examples.Split(x.options)
	}
	var all []example
	var ids [][]int
	for _, i := range append(append([]int(nil), train...), test...) {
		prompt, err := x.prompt(prompts[i])
		if err != nil {
			if len(prompts) > 1 {
				err = fmt.Errorf("prompt %d of %d: %w", i+1, len(prompts), err)
			}
			return nil, nil, err
		}
		all = append(all, example{prompt: i, ids: prompt})
		ids = append(ids, prompt)
	}
	activations, err := x.whole(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		all[i].activations = activations[i]
	}
	return all[:len(train)], all[len(train):], nil
}

// outline is the Explanation with what is known before the first stage. It settles what activations are divided by.
func (x *explainer) outline(all []example) *Explanation {
	e := &Explanation{
		Format:        Format,
		Model:         x.model.Name(),
		Site:          x.site,
		MaxActivation: x.examples.MaxActivation,
		Density:       x.examples.Density,
		Options:       x.options,
		Prunes:        []Prune{},
	}
	// What the JSON does not hold.
	e.Options.Casings, e.Options.Observe = nil, nil
	if x.masked != nil {
		e.MaskedModel = x.masked.Name()
	}
	if e.MaxActivation > 0 {
		x.amax = e.MaxActivation
		return e
	}
	e.MaxActivation = 0
	for _, one := range all {
		e.MaxActivation = max(e.MaxActivation, one.activations[x.peak(one.ids, one.activations)])
	}
	if !x.opts.NoGraph {
		x.amax = e.MaxActivation
	}
	return e
}

// prunings prunes every strong position of the train prompts, with one call as a rule.
func (x *explainer) prunings(ctx context.Context, trains []example) (pruned []*pruning, notes []string, err error) {
	for _, train := range trains {
		strong, err := x.strong(train.ids, train.activations)
		if errors.Is(err, ErrNeverFires) && len(trains) > 1 {
			notes = append(notes, fmt.Sprintf("prompt %d of %d is left out: %v", train.prompt+1, len(x.examples.Prompts), err))
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, p := range strong {
			p.prompt = train.prompt
		}
		pruned = append(pruned, strong...)
	}
	if len(pruned) == 0 {
		return nil, nil, fmt.Errorf("%w on any of the %d prompts it is explained from: choose texts that excite it",
			ErrNeverFires, len(trains))
	}
	pruned, err = x.prune(ctx, pruned)
	return pruned, notes, err
}

// importances measures the pruned texts: their maximum's column, those the graph needs, or all of them.
func (x *explainer) importances(ctx context.Context, pruned []*pruning) ([]*Measured, error) {
	prompts := make([][]int, len(pruned))
	for i, p := range pruned {
		prompts[i] = p.pruned
	}
	activations, err := x.whole(ctx, prompts)
	if err != nil {
		return nil, err
	}
	measurements := make([]measurement, len(pruned))
	for i, p := range pruned {
		measurements[i] = x.measurement(p.prune(), p.pruned, activations[i])
	}
	return x.measure(ctx, measurements)
}

// measurement asks for the importances of a pruned text or a variant of it that somebody reads.
func (x *explainer) measurement(p Prune, ids []int, activations []float64) measurement {
	m := measurement{ids: ids, activations: activations, scale: p.Scale(), amax: x.amax, sparesBOS: !x.opts.Stages &&
		!x.opts.NoGraph}
	if !x.opts.Stages {
		peak := x.peak(ids, activations)
		for j := range ids {
			if j == peak || x.makesLine(m, j) {
				m.columns = append(m.columns, j)
			}
		}
	}
	return m
}

// makesLine says whether token j of a text activates, so that the graph has a line for it.
func (x *explainer) makesLine(m measurement, j int) bool {
	return !x.opts.NoGraph && m.ids[j] != x.bos &&
		normalised(m.activations[j], m.scale, m.amax) > x.opts.ActivationThreshold
}

// variants makes the variants of every pruned text and runs them, each with one call of the model asked.
func (x *explainer) variants(ctx context.Context, prunes []Prune) ([][]variant, error) {
	sources := make([]source, len(prunes))
	for i, p := range prunes {
		sources[i] = newSource(p.Text, p.Measured, &x.opts)
	}
	texts, err := x.substitute(ctx, x.masked, sources)
	if err != nil {
		return nil, err
	}
	found, err := x.try(ctx, texts)
	if err != nil {
		return nil, err
	}
	for i, p := range prunes {
		found[i] = rankVariants(p.Text, p.Measured.Maximum, found[i], &x.opts)
	}
	return found, nil
}

// measureVariants completes the prunes with their variants, and with one call measures those variants that add lines to
// the graph, or all where stages are kept.
func (x *explainer) measureVariants(ctx context.Context, prunes []Prune, variants [][]variant) error {
	type place struct{ prune, variant int }
	var places []place
	var measurements []measurement
	for i := range prunes {
		prunes[i].Variants = make([]Variant, len(variants[i]))
		for k, v := range variants[i] {
			prunes[i].Variants[k] = v.Variant
			if v.ids == nil {
				continue // the pruned text, which is measured
			}
			m := x.measurement(prunes[i], v.ids, v.activations)
			wanted := x.opts.Stages
			for j := range v.ids {
				wanted = wanted || x.makesLine(m, j)
			}
			if wanted {
				places = append(places, place{i, k})
				measurements = append(measurements, m)
			}
		}
	}
	measured, err := x.measure(ctx, measurements)
	if err != nil {
		return err
	}
	for i, at := range places {
		prunes[at.prune].Variants[at.variant].Measured = measured[i]
	}
	return nil
}

// graph builds the trie and the display graph of the measured prunes, and scores the trie's predictions.
func (x *explainer) graph(e *Explanation, trains []Train, tests []Test) {
	var lines []Line
	for _, p := range e.Prunes {
		var measured []*Measured
		for _, v := range p.Variants {
			measured = append(measured, v.Measured)
		}
		own := linesOf(p.Measured, measured, &x.opts)
		lines = append(lines, own...)
		if e.Stages != nil {
			e.Stages.Lines = append(e.Stages.Lines, own)
		}
	}
	e.Trie = BuildTrie(lines)
	if e.Stages != nil {
		e.Stages.TrieBeforeMerge = e.Trie.clone()
	}
	if !e.Trie.MergeIgnores() {
		e.Notes = append(e.Notes, "the graph's ignored tokens were not all merged: the trie would have grown without bound")
	}
	e.Graph = NewGraph(lines)
	if len(tests) == 0 {
		e.Notes = append(e.Notes, "there are no scores: every example was needed to build the graph, none is left to test it")
		return
	}
	predictor := NewPredictor(e.Trie)
	for i := range tests {
		tests[i].Predictions = predictor.Predict(tests[i].Tokens)
	}
	e.Tests = tests
	e.Scores = new(evaluate(tests, &x.opts))
	e.Baselines = new(fitBaselines(trains, tests, &x.opts))
}

func (x *explainer) trains(examples []example, amax float64) []Train {
	trains := make([]Train, len(examples))
	for i, one := range examples {
		trains[i] = Train{one.prompt, tokenStrings(x.model, one.ids), divided(one.activations, amax)}
	}
	return trains
}

func (x *explainer) tests(examples []example, amax float64) []Test {
	tests := make([]Test, len(examples))
	for i, one := range examples {
		tests[i] = Test{PromptIndex: one.prompt, Tokens: tokenStrings(x.model, one.ids),
			Activations: divided(one.activations, amax)}
	}
	return tests
}

func divided(activations []float64, amax float64) []float64 {
	result := make([]float64, len(activations))
	for i, a := range activations {
		result[i] = finite(a / amax)
	}
	return result
}

func dropMatrices(prunes []Prune) {
	for i := range prunes {
		prunes[i].Measured.Matrix = nil
		for _, v := range prunes[i].Variants {
			if v.Measured != nil {
				v.Measured.Matrix = nil
			}
		}
	}
}
