package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) find() *command {
	c := newCommand("find", "find neurons of a kind: induction, polysemantic")
	c.commands = []*command{
		a.findKind("induction", "find neurons whose activating tokens recur in their own context",
			`Lists the neurons that fire on what they have seen before, by the share of their activating tokens that do so, as induction
heads make them.`, 1, (*store.Store).Induction),
		a.findKind("polysemantic", "find neurons with two behaviours or more",
			`Lists the neurons that fire for unrelated reasons, those with most behaviours first. Where a neuron fires, its input tells what makes it: places of like input
are one behaviour, whatever the token, and the branches of a graph are told apart by that alone. n2g explain prints a neuron's behaviours with
examples, n2g run stores how many there are.`, 2, polysemantic),
	}
	return c
}

// polysemantic finds neurons with several behaviours, in a store that knows any.
func polysemantic(s *store.Store, ctx context.Context, atLeast int) ([]store.Hit, error) {
	hits, err := s.Polysemantic(ctx, atLeast)
	if err != nil || len(hits) > 0 {
		return hits, err
	}
	rows, err := s.Rows(ctx)
	if err == nil && len(rows) > 0 && !slices.ContainsFunc(rows, func(r store.Row) bool { return r.Behaviours != nil }) {
		err = fmt.Errorf("%s does not know the behaviours of any neuron: n2g run tells them of those it explains, unless "+
			"-behaviours is 0", s.Path())
	}
	return hits, err
}

func (a *app) findKind(kind, short, long string, least int,
	query func(*store.Store, context.Context, int) ([]store.Hit, error)) *command {
	c := newCommand("find "+kind, short)
	c.long = long
	c.examples = []string{``, `-min 3 -store solu.db`, `-n 0 -json`}
	f := listFlagsOf(c)
	atLeast := c.flags.Int("min", least, "`NUMBER` of such tokens or behaviours, at least")
	c.run = func(ctx context.Context) error {
		return withStore(*f.store, func(s *store.Store) error {
			hits, err := query(s, ctx, *atLeast)
			if err != nil {
				return err
			}
			return a.writeHits(hits, *f.json, *f.limit)
		})
	}
	return c
}
