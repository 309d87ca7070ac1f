package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// besideStore are the flags that go with n2g explain -store, which shows what is there and makes nothing.
func besideStore() []string {
	return []string{"store", "layer", "neuron", "site", "hook", "html", "json", "svg", "png", "dot", "graph"}
}

// explainStored shows the explanation of a neuron that a store holds.
func (a *app) explainStored(ctx context.Context, f *explainFlags) error {
	var wrong error
	f.command.flags.Visit(func(given *flag.Flag) {
		if wrong == nil && !slices.Contains(besideStore(), given.Name) {
			wrong = fmt.Errorf("-store shows what n2g run has written, and -%s would make it anew: leave one of them out",
				given.Name)
		}
	})
	if wrong != nil {
		return wrong
	}
	if *f.layer < 0 || *f.neuron < 0 {
		return errors.New("name the neuron of the store with -layer NUMBER and -neuron NUMBER")
	}
	var e *n2g.Explanation
	err := withStore(*f.store, func(s *store.Store) (err error) {
		e, err = s.Explanation(ctx, n2g.Site{Layer: *f.layer, Index: *f.neuron, Hook: *f.hook})
		return err
	})
	if err != nil {
		return err
	}
	if e.Graph == nil && *f.graph == "published" && *f.svg+*f.png+*f.dot != "" {
		return errors.New("there is no published graph to draw in that explanation: add -graph context, or leave out -svg, " +
			"-png and -dot")
	}
	return f.output(ctx, a, []*n2g.Explanation{e}, "n2g run learns it from an index")
}
