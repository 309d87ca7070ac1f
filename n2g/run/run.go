package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Options of a run. The zero value explains with the published options, as many neurons at a time as there are
// processors.
type Options struct {
	Method n2g.Options
	// Examples tells where the examples come from, as [store.Identity] has it.
	Examples string
	// Concurrency is how many neurons are explained at a time; 0 is one a processor. The results do not depend on it.
	Concurrency int
	// RetryFailed explains neurons again that failed before. They are passed over otherwise.
	RetryFailed bool
	// Shard is the part of the neurons that this run explains; the zero value is all.
	Shard store.Shard
	// Progress, where set, hears at the start and after each neuron, from one goroutine at a time.
	Progress func(Progress)
	// Complete, where set, adds to an explanation before it is written, such as its context graph; it is called
	// concurrently. What it adds belongs into Examples, if anything has influence on it.
	Complete func(ctx context.Context, e *n2g.Explanation) error
}

// Source gives a neuron's examples. It is called concurrently.
type Source func(n2g.Site) (*n2g.Examples, error)

// Run explains the neurons that are not in the store yet, and writes each when it is done. A neuron without examples,
// or that cannot be explained, is recorded as failed and does not end the run; that the store cannot be written does,
// and the end of ctx, when neurons begun are given up. The last Progress is returned in any case.
func Run(ctx context.Context, model n2g.LanguageModel, masked n2g.MaskedModel, source Source, neurons []n2g.Site,
	s *store.Store, o Options) (Progress, error) {
	r := &runner{model: model, masked: masked, source: source, store: s, options: o}
	if err := r.prepare(ctx, neurons); err != nil {
		return Progress{}, err
	}
	err := r.work(ctx)
	return r.progress(), err
}

// runner is one run.
type runner struct {
	model   n2g.LanguageModel
	masked  n2g.MaskedModel
	source  Source
	store   *store.Store
	options Options
	todo    []n2g.Site

	mu sync.Mutex // guards the meter, and calls of Options.Progress
	meter
}

// prepare checks and records what is to be done, and finds what is done already.
func (r *runner) prepare(ctx context.Context, neurons []n2g.Site) error {
	own, err := shardOf(neurons, r.options.Shard)
	if err != nil {
		return err
	}
	switch {
	case len(neurons) == 0:
		return errors.New("no neuron is selected that has examples: select others, or mine their examples first")
	case len(own) == 0:
		return fmt.Errorf("none of the %d neurons selected is in shard %v: a shard of more neurons has some", len(neurons),
			r.options.Shard)
	}
	hook, err := r.hook(own)
	if err != nil {
		return err
	}
	identity := store.Identity{Model: r.model.Name(), Hook: hook, Options: r.options.Method, Examples: r.options.Examples}
	if r.masked != nil {
		identity.MaskedModel = r.masked.Name()
	}
	if identity.ModelFingerprint, err = fingerprint(r.model); err != nil {
		return err
	}
	if identity.MaskedFingerprint, err = fingerprint(r.masked); err != nil {
		return err
	}
	if err := r.store.Begin(ctx, identity); err != nil {
		return err
	}
	for i := range own {
		own[i].Hook = hook
	}
	if err := r.store.Plan(ctx, r.options.Shard, own); err != nil {
		return err
	}
	return r.resume(ctx, own)
}

// fingerprint is that of a model which has one, as those of package models do.
func fingerprint(model any) (string, error) {
	if m, ok := model.(interface{ Fingerprint() (string, error) }); ok {
		return m.Fingerprint()
	}
	return "", nil
}

// hook is the one of all sites.
func (r *runner) hook(sites []n2g.Site) (string, error) {
	hook := sites[0].Hook
	for _, site := range sites {
		if site.Hook != hook {
			return "", fmt.Errorf("neurons at %q and at %q are selected: a run reads one hook", hook, site.Hook)
		}
	}
	if named, ok := r.model.(interface{ DefaultHook() string }); ok && hook == "" {
		hook = named.DefaultHook()
	}
	return hook, nil
}

// resume leaves to do what the store does not have.
func (r *runner) resume(ctx context.Context, own []n2g.Site) error {
	before := map[n2g.Site]bool{}
	rows, err := r.store.Rows(ctx)
	if err != nil {
		return err
	}
	scores := map[n2g.Site]*n2g.Scores{}
	for _, row := range rows {
		before[row.Site] = true
		scores[row.Site] = row.Scores
	}
	failures, err := r.store.Failures(ctx)
	if err != nil {
		return err
	}
	failed := map[n2g.Site]bool{}
	for _, f := range failures {
		failed[f.Site] = true
	}
	r.meter = meter{started: time.Now(), planned: len(own)}
	for _, site := range own {
		switch {
		case before[site]:
			r.doneBefore++
			r.score(scores[site])
		case failed[site] && !r.options.RetryFailed:
			r.failedBefore++
		default:
			r.todo = append(r.todo, site)
		}
	}
	return nil
}

// work explains what is to do, several neurons at a time, until all is done or something ends it.
func (r *runner) work(ctx context.Context) error {
	r.report()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sites := make(chan n2g.Site)
	var workers sync.WaitGroup
	for range cmp.Or(max(r.options.Concurrency, 0), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for site := range sites {
				if err := r.one(ctx, site); err != nil {
					stop(err)
				}
			}
		})
	}
feed:
	for _, site := range r.todo {
		select {
		case sites <- site:
		case <-ctx.Done():
			break feed
		}
	}
	close(sites)
	workers.Wait()
	return context.Cause(ctx)
}

// one explains a neuron and writes what came of it. Its error ends the run.
func (r *runner) one(ctx context.Context, site n2g.Site) error {
	if ctx.Err() != nil {
		return nil
	}
	explanation, err := r.explain(ctx, site)
	if err != nil && ctx.Err() != nil {
		return nil // given up, not failed
	}
	ctx = context.WithoutCancel(ctx) // what is found is written, even if the run ends now
	if err != nil {
		reason := strings.Join(strings.Fields(err.Error()), " ")
		if err := r.store.PutFailure(ctx, site, reason); err != nil {
			return err
		}
		r.countFailure()
		return nil
	}
	if err := r.store.Put(ctx, explanation); err != nil {
		return err
	}
	r.count(explanation)
	return nil
}

// explain explains a neuron. A panic on the way fails that neuron.
func (r *runner) explain(ctx context.Context, site n2g.Site) (e *n2g.Explanation, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fmt.Errorf("the program has a defect: %v at %s", p, origin(debug.Stack()))
		}
	}()
	examples, err := r.source(site)
	if err != nil {
		return nil, err
	}
	own := *examples
	own.Site = site
	if e, err = n2g.Explain(ctx, r.model, r.masked, own, r.options.Method); err != nil || r.options.Complete == nil {
		return e, err
	}
	if err := r.options.Complete(ctx, e); err != nil {
		return nil, err
	}
	return e, nil
}

// origin is where a panic came from: the first place of its stack below the panic itself.
func origin(stack []byte) string {
	_, after, _ := strings.Cut(string(stack), "\npanic(")
	lines := strings.Split(after, "\n")
	if len(lines) < 4 {
		return "an unknown place"
	}
	place, _, _ := strings.Cut(strings.TrimSpace(lines[3]), " +0x")
	return place
}
