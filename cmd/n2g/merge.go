package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) merge() *command {
	c := newCommand("merge", "join the stores of a run's shards, or the parts of an index")
	c.long = `Copies what the stores hold into the store -store, which is made if it is not there. A neuron that several have is taken once, from the
first, and neurons on which they differ are named. What is damaged is left out, named, and taken from the next sound copy. Says which shards, and which neurons of those there are, are missing.

-index joins parts of an index that n2g mine made, by -shard or by -layers, to the file that one run makes.`
	c.examples = []string{`-store solu.db solu-1.db solu-2.db solu-3.db`, `-store solu.db late.db`,
		`-index pile.n2g pile-1.n2g pile-2.n2g`}
	c.operands = "FILE…"
	c.operandsRead = true
	out := c.path(fills, "store", "", "`FILE` the store to merge into")
	joined := c.path(replaces, "index", "", "`FILE` the index to make of parts")
	c.renamed = map[string]string{"o": "store"}
	compress := c.flags.Bool("compress", true, compressUsage)
	c.run = func(ctx context.Context) (err error) {
		switch {
		case *out != "" && *joined != "":
			return errors.New("give one of -store and -index")
		case *joined != "":
			return a.mergeIndexes(*joined, c.flags.Args())
		case *out == "":
			return errors.New("name the store to merge into with -store FILE, or the index to make with -index FILE")
		}
		s, err := store.Open(*out, store.Options{PlainJSON: !*compress})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		progress := a.progress(c.flags.NArg())
		defer progress.end()
		var left []error
		for i, path := range c.flags.Args() {
			progress.update(i, "merging "+path)
			m, err := s.Merge(ctx, path)
			if err != nil {
				return err
			}
			a.tellMerged(path, m)
			if len(m.Damaged) > 0 {
				left = append(left, fmt.Errorf("%s: %d neurons are damaged and left out: %s", path, len(m.Damaged),
					some(m.Damaged)))
			}
			if len(m.DamagedEffects) > 0 {
				left = append(left, fmt.Errorf("%s: the effects of %d neurons are damaged and left out: %s", path,
					len(m.DamagedEffects), some(m.DamagedEffects)))
			}
		}
		return errors.Join(a.tellMissing(ctx, s), errors.Join(left...))
	}
	return c
}

// mergeIndexes joins parts of an index.
func (a *app) mergeIndexes(out string, parts []string) error {
	if err := index.Merge(out, parts); err != nil {
		return err
	}
	x, err := index.Open(out)
	if err != nil {
		return err
	}
	defer x.Close() // it is only read
	return buffered(a.text, func(w io.Writer) error { return describeIndex(w, out, x) })
}

func (a *app) tellMerged(path string, m *store.Merged) {
	fmt.Fprintf(a.text, "%s: %d neurons added", path, m.Added)
	if m.Same > 0 {
		fmt.Fprintf(a.text, ", %d were there", m.Same)
	}
	if m.Effects > 0 {
		fmt.Fprintf(a.text, ", effects of %d", m.Effects)
	}
	if m.Failures > 0 {
		fmt.Fprintf(a.text, ", %d failures", m.Failures)
	}
	fmt.Fprintln(a.text)
	if len(m.Repaired) > 0 {
		fmt.Fprintf(a.text, "  %d neurons that were damaged are mended: %s\n", len(m.Repaired), some(m.Repaired))
	}
	if len(m.Different) > 0 {
		fmt.Fprintf(a.text, "  %d neurons were there with other explanations, which stay: %s\n", len(m.Different),
			some(m.Different))
	}
}

// tellMissing says what is still to come.
func (a *app) tellMissing(ctx context.Context, s *store.Store) error {
	done, err := s.Done(ctx)
	if err != nil {
		return err
	}
	failures, err := s.Failures(ctx)
	if err != nil {
		return err
	}
	missing, err := s.Missing(ctx)
	if err != nil {
		return err
	}
	shards, err := s.MissingShards(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.text, "%s: %d neurons, %d failed\n", s.Path(), len(done), len(failures))
	if len(missing) > 0 {
		fmt.Fprintf(a.text, "  %d neurons of these shards are missing, run them again: %s\n", len(missing), some(missing))
	}
	if len(shards) > 0 {
		names := make([]string, len(shards))
		for i, shard := range shards {
			names[i] = shard.String()
		}
		fmt.Fprintf(a.text, "  shards missing: %s\n", strings.Join(names, " "))
	}
	return nil
}

// some names the first few neurons.
func some(neurons []n2g.Site) string {
	const few = 10
	var names []string
	for _, n := range neurons[:min(few, len(neurons))] {
		names = append(names, written(n))
	}
	if len(neurons) > few {
		names = append(names, "…")
	}
	return strings.Join(names, " ")
}
