package main

import (
	"context"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) search() *command {
	c := newCommand("search", "find the neurons that know a token")
	c.long = `Lists the neurons that have all of the tokens in their graphs: as activating token (TOKEN:activating), as context that
matters (TOKEN:important), or as either (TOKEN). BEGINNING* stands for any token that begins like that; \n, \t, \*
and \\ for a newline, a tab, a star and a backslash. Case and blanks at either end do not count, as in the graphs.`
	c.examples = []string{`return`, `err:activating nil:important`, `'func*:activating' -json`, `-store solu.db -- '->'`}
	c.operands = "TOKEN…"
	f := listFlagsOf(c)
	c.run = func(ctx context.Context) error {
		var terms []store.Term
		for _, text := range c.flags.Args() {
			term, err := store.ParseTerm(text)
			if err != nil {
				return err
			}
			terms = append(terms, term)
		}
		return withStore(*f.store, func(s *store.Store) error {
			hits, err := s.Search(ctx, terms...)
			if err != nil {
				return err
			}
			return a.writeHits(hits, *f.json, *f.limit)
		})
	}
	return c
}
