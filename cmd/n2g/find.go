package main

import (
	"context"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) find() *command {
	c := newCommand("find", "find neurons of a kind: induction, polysemantic")
	c.commands = []*command{
		a.findKind("induction", "find neurons whose activating tokens recur in their own context",
			`Lists the neurons that fire on what they have seen before, by the share of their activating tokens that do so, as induction
heads make them.`, 1, (*store.Store).Induction),
		a.findKind("polysemantic", "find neurons whose graph falls into separate sub-graphs",
			`Lists the neurons whose graphs have no edge between some of their parts: most separate parts first. A neuron that merely fires
on several tokens is among them, as one with unrelated meanings is.`, 2, (*store.Store).Polysemantic),
	}
	return c
}

func (a *app) findKind(kind, short, long string, least int,
	query func(*store.Store, context.Context, int) ([]store.Hit, error)) *command {
	c := newCommand("find "+kind, short)
	c.long = long
	c.examples = []string{``, `-min 3 -store solu.db`, `-n 0 -json`}
	f := listFlagsOf(c)
	atLeast := c.flags.Int("min", least, "`NUMBER` of such tokens or parts, at least")
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
