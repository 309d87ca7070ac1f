package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// similarFlags are the flags of n2g similar.
type similarFlags struct {
	list      listFlags
	kind      *string
	context   *bool
	all       *bool
	threshold *float64
}

func (a *app) similar() *command {
	c := newCommand("similar", "find neurons that are alike")
	c.long = `LAYER/NEURON, or a site such as 'blocks.2.hook_resid_post[sae:117]', ranks the others by how alike their tokens are: weighted Jaccard similarity, where an activating token weighs its
activation and a context token its importance.

-context compares context graphs instead: the tokens on which they predict firing, and those of the context that their tests ask
for, each of which weighs 1.

-all lists the published pairs: similar, where the tokens in common are at least -threshold of the larger set, and subset, where
they are of the smaller; with -kind any, of both kinds of tokens at once.`
	c.examples = []string{`2/117`, `2/117 -kind activating -n 5`, `2/117 -context`,
		`-store sae.db 'blocks.2.hook_resid_post[sae:117]'`, `-all`, `-all -kind activating -threshold 0.8 -json`}
	c.operands = "[LAYER/NEURON | SITE]"
	f := &similarFlags{
		list: listFlagsOf(c), kind: kindFlag(c),
		context:   c.flags.Bool("context", false, "compare context graphs, in place of published ones"),
		all:       c.flags.Bool("all", false, "compare all neurons with each other"),
		threshold: c.flags.Float64("threshold", 0.9, "`SHARE` of tokens in common that makes a pair, with -all"),
	}
	c.run = func(ctx context.Context) error {
		kind, err := parseKind(*f.kind)
		if err != nil {
			return err
		}
		switch {
		case *f.all == (c.flags.NArg() > 0) || c.flags.NArg() > 1:
			return errors.New("name one neuron like 2/117, or ask for -all")
		case !(*f.threshold > 0 && *f.threshold <= 1):
			return fmt.Errorf("-threshold is %g: it lies above 0, up to 1", *f.threshold)
		}
		return withStore(*f.list.store, func(s *store.Store) error {
			read := s.Tokens
			if *f.context {
				read = s.ContextTokens
			}
			tokens, err := read(ctx)
			if err != nil {
				return err
			}
			if *f.all {
				return a.writePairs(ctx, tokens, kind, f)
			}
			return a.writeNearest(tokens, c.flags.Arg(0), kind, f)
		})
	}
	return c
}

func (a *app) writeNearest(tokens *store.Tokens, name string, kind n2g.TokenKind, f *similarFlags) error {
	n, err := parseNeuron(name)
	if err != nil {
		return err
	}
	matches, err := tokens.Nearest(n, kind, *f.list.limit)
	if err != nil {
		return fmt.Errorf("%s: %w", *f.list.store, err)
	}
	return a.print(func(w io.Writer) error {
		if *f.list.json {
			for _, m := range matches {
				if err := encodeJSON(w, map[string]any{"layer": m.Layer, "neuron": m.Index, "similarity": m.Similarity,
					"shared": m.Shared}); err != nil {
					return err
				}
			}
			return nil
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NEURON\tSIMILARITY\tTOKENS IN COMMON")
		for _, m := range matches {
			fmt.Fprintf(table, "%s\t%.3f\t%d\n", written(m.Site), m.Similarity, m.Shared)
		}
		return table.Flush()
	})
}

func (a *app) writePairs(ctx context.Context, tokens *store.Tokens, kind n2g.TokenKind, f *similarFlags) error {
	counts := map[string]int{}
	return a.print(func(w io.Writer) error {
		for p, err := range tokens.Pairs(ctx, kind, *f.threshold) {
			if err != nil {
				return err
			}
			relation := "similar"
			if p.Subset {
				relation = "subset"
			}
			counts[relation]++
			switch limit := *f.list.limit; {
			case *f.list.json:
				if err := encodeJSON(w, map[string]any{"relation": relation, "a": jsonOf(p.A), "b": jsonOf(p.B)}); err != nil {
					return err
				}
			case limit <= 0 || counts[relation] <= limit:
				fmt.Fprintf(w, "%-8s %s %s\n", relation, written(p.A), written(p.B))
			}
		}
		if !*f.list.json {
			fmt.Fprintf(w, "%d similar and %d subset pairs", counts["similar"], counts["subset"])
			if limit := *f.list.limit; limit > 0 && max(counts["similar"], counts["subset"]) > limit {
				fmt.Fprintf(w, "; the first %d of each are listed, -n 0 lists all", limit)
			}
			fmt.Fprintln(w)
		}
		return nil
	})
}
