package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) search() *command {
	c := newCommand("search", "find the neurons that know a token, or promote it")
	c.long = `Lists the neurons that have all of the tokens in their graphs, published or context: as activating token (TOKEN:activating), as
context that matters (TOKEN:important), or as either (TOKEN). In context graphs these are tokens that make it fire, in its sets, windows, lines, tables and sequences; the
last column says where. BEGINNING* stands for any token that begins like that; \n, \t, \*
and \\ for a newline, a tab, a star and a backslash. Case and blanks at either end do not count, as in the graphs.

-promotes and -suppresses find the neurons that do most for a token, or against it, by their weights (n2g effects),
strongest first. There 'money' stands for all its spellings, and ' money' or 'Money' for itself. With tokens beside them,
neurons have all of it.`
	c.examples = []string{`return`, `err:activating nil:important`, `'func*:activating' -json`, `-promotes ' money'`,
		`-promotes nil err:important`, `-store solu.db -- '->'`}
	c.operands = "[TOKEN…]"
	f := listFlagsOf(c)
	promotes := c.flags.String("promotes", "", "`TOKEN` that the neurons promote, or BEGINNING*")
	suppresses := c.flags.String("suppresses", "", "`TOKEN` that the neurons suppress, or BEGINNING*")
	c.run = func(ctx context.Context) error {
		var done []store.EffectTerm
		for i, text := range []string{*promotes, *suppresses} {
			if name := []string{"promotes", "suppresses"}[i]; given(c.flags, name) {
				term, err := store.ParseEffectTerm(text, i == 1)
				if err != nil {
					return fmt.Errorf("-%s: %w", name, err)
				}
				done = append(done, term)
			}
		}
		if len(done) == 0 && c.flags.NArg() == 0 {
			return errors.New("n2g search needs to be told what: n2g search -h shows examples")
		}
		var terms []store.Term
		for _, text := range c.flags.Args() {
			term, err := store.ParseTerm(text)
			if err != nil {
				return err
			}
			terms = append(terms, term)
		}
		return withStore(*f.store, func(s *store.Store) error {
			if len(done) > 0 {
				return a.searchEffects(ctx, s, done, terms, f)
			}
			hits, err := s.Search(ctx, terms...)
			if err != nil {
				return err
			}
			return a.writeHits(hits, *f.json, *f.limit)
		})
	}
	return c
}

// effectLine is a neuron that was found by what it does as a line of JSON.
type effectLine struct {
	neuronJSON
	store.EffectHit
}

// searchEffects lists the neurons that promote or suppress tokens, and have others in their graphs if some are named.
func (a *app) searchEffects(ctx context.Context, s *store.Store, done []store.EffectTerm, terms []store.Term,
	f listFlags) error {
	hits, err := s.SearchEffects(ctx, done...)
	if err != nil {
		return err
	}
	if len(terms) > 0 {
		found, err := s.Search(ctx, terms...)
		if err != nil {
			return err
		}
		have := map[n2g.Site]bool{}
		for _, h := range found {
			have[h.WithoutHook()] = true
		}
		hits = slices.DeleteFunc(hits, func(h store.EffectHit) bool { return !have[h.WithoutHook()] })
	}
	rest := 0
	if limit := *f.limit; limit > 0 && len(hits) > limit {
		hits, rest = hits[:limit], len(hits)-limit
	}
	if *f.json {
		lines := make([]effectLine, len(hits))
		for i, h := range hits {
			lines[i] = effectLine{jsonOf(h.Site), h}
		}
		return writeJSONLines(a.stdout, lines)
	}
	return a.print(func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NEURON\tKURTOSIS\tTOKEN\tEFFECT\tRANK")
		for _, h := range hits {
			name, kurtosis := written(h.Site), fmt.Sprintf("%.1f", h.Kurtosis)
			for _, t := range slices.Concat(h.Promoted, h.Suppressed) {
				fmt.Fprintf(table, "%s\t%s\t%q\t%+.3f\t%d\n", name, kurtosis, t.Token, t.Value, t.Rank)
				name, kurtosis = "", ""
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if rest > 0 {
			fmt.Fprintf(w, "and %d more (-n 0 lists all)\n", rest)
		}
		return nil
	})
}
