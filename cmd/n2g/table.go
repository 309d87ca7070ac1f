package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g/store"
	"github.com/neuron2graph/neuron2graph/n2g/store/chart"
)

// tableFlags are the flags of n2g summary.
type tableFlags struct {
	store, format, out, svg, png *string
	by                           *string
	failures, context, effects   *bool
	atLeast                      *float64
	neurons                      *bool
}

func (a *app) table() *command {
	c := newCommand("summary", "tell how well graphs predict the neurons of each layer, beside the baselines")
	c.long = `Makes the papers' table: precision, recall and F1 of firing and of non-firing tokens, mean and standard deviation over the neurons with a
firing test token or a firing prediction, with the average precision, for graphs, token lookup and n-grams.`
	c.examples = []string{``, `-format markdown -o table.md`, `-format csv -o -`, `-svg summary.svg -png summary.png`,
		`-context -at-least 0.5`, `-neurons -by lead`, `-effects`, `-failures`}
	f := &tableFlags{
		store:  storeFlag(c),
		format: c.flags.String("format", "text", "`NAME` of the table's format: text, markdown or csv"),
		out:    c.path(replaces, "o", standard, "`FILE` to write the table to; - is standard output"),
		svg:    c.path(replaces, "svg", "", "`FILE` to draw F1 by layer to as SVG"),
		png:    c.path(replaces, "png", "", "`FILE` to draw F1 by layer to as PNG"),
		failures: c.flags.Bool("failures", false,
			"list the neurons that could not be explained, and why, in place of the table"),
		context: c.flags.Bool("context", false,
			"tell how well context graphs predict, on each kind of text, beside published graphs and tables, and by how much "+
				"they lead (mean difference over neurons, and its standard error), in place of the table"),
		atLeast: c.flags.Float64("at-least", 0, "`ACTIVATION` with -context or -neurons: only neurons whose maximum "+
			"reaches it"),
	}
	f.neurons = c.flags.Bool("neurons", false, "list the neurons with a context graph, each with the scores of both "+
		"graphs and of the tables of tokens and of pairs on test documents, in place of the table")
	f.by = c.flags.String("by", "neuron", "`NAME` to sort -neurons by, highest first: f1, ap or log-loss of the context "+
		"graph, lead of its F1 over the best of the others; or neuron")
	f.effects = c.flags.Bool("effects", false, "tell how pointed neurons' effects are, and how faithful their graphs, by "+
		"layer, in place of the table")
	c.run = func(ctx context.Context) error {
		return withStore(*f.store, func(s *store.Store) error { return a.runTable(ctx, s, f) })
	}
	return c
}

func (a *app) runTable(ctx context.Context, s *store.Store, f *tableFlags) error {
	formats := map[string]func(io.Writer, []store.SummaryRow) error{"text": store.WriteText,
		"markdown": store.WriteMarkdown, "csv": store.WriteCSV}
	format, ok := formats[*f.format]
	if !ok {
		return fmt.Errorf("-format is %q: it is text, markdown or csv", *f.format)
	}
	failures, err := s.Failures(ctx)
	if err != nil {
		return err
	}
	if *f.atLeast != 0 && !*f.context && !*f.neurons {
		return errors.New("-at-least chooses neurons of the tables -context and -neurons")
	}
	if *f.failures {
		return a.writeFailures(ctx, *f.out, failures)
	}
	if *f.context {
		return a.writeContextTable(ctx, f, s)
	}
	if *f.neurons {
		return a.writeNeuronTable(ctx, f, s)
	}
	if *f.effects {
		return a.writeEffectsTable(ctx, *f.out, s)
	}
	rows, err := s.Summary(ctx)
	if err != nil {
		return err
	}
	drawing := func(path string, format func(*chart.Chart) ([]byte, error)) error {
		if path == "" {
			return nil
		}
		drawn, err := chart.Summary(rows)
		if err != nil {
			return err
		}
		picture, err := format(drawn)
		if err != nil {
			return err
		}
		return a.writeBytes(ctx, path, picture)
	}
	err = errors.Join(
		a.write(ctx, *f.out, func(w io.Writer) error { return format(w, rows) }),
		drawing(*f.svg, (*chart.Chart).SVG),
		drawing(*f.png, (*chart.Chart).PNG),
	)
	if len(failures) > 0 {
		fmt.Fprintf(a.stderr, "n2g: %d neurons could not be explained and are not in the table; -failures lists them\n",
			len(failures))
	}
	return err
}

func (a *app) writeFailures(ctx context.Context, path string, failures []store.Failure) error {
	return a.write(ctx, path, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NEURON\tREASON")
		for _, f := range failures {
			fmt.Fprintf(table, "%s\t%s\n", written(f.Site), printable(f.Reason))
		}
		return table.Flush()
	})
}

// writeEffectsTable tells by layer what explanations say of effects: the median kurtosis, and the mean faithfulness.
func (a *app) writeEffectsTable(ctx context.Context, path string, s *store.Store) error {
	rows, err := s.Rows(ctx)
	if err != nil {
		return err
	}
	kurtoses, faithful := map[int][]float64{}, map[int][]float64{}
	for _, r := range rows {
		if r.Kurtosis != nil {
			kurtoses[r.Layer] = append(kurtoses[r.Layer], *r.Kurtosis)
		}
		if r.Faithfulness != nil {
			faithful[r.Layer] = append(faithful[r.Layer], *r.Faithfulness)
		}
	}
	if len(kurtoses) == 0 {
		return fmt.Errorf("%s has no effects of neurons that are explained: n2g run and n2g effects -store write them",
			s.Path())
	}
	return a.write(ctx, path, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "LAYER\tNEURONS\tKURTOSIS, MEDIAN\tHIGHEST\tMEASURED\tFAITHFULNESS, MEAN\tABOVE 0.5")
		for _, layer := range slices.Sorted(maps.Keys(kurtoses)) {
			list, values := kurtoses[layer], faithful[layer]
			slices.Sort(list)
			mean, high := "-", "-"
			if len(values) > 0 {
				sum, count := 0.0, 0
				for _, v := range values {
					if sum += v; v > .5 {
						count++
					}
				}
				mean, high = fmt.Sprintf("%.3f", sum/float64(len(values))), fmt.Sprint(count)
			}
			fmt.Fprintf(table, "%d\t%d\t%.1f\t%.1f\t%d\t%s\t%s\n", layer, len(list), list[len(list)/2],
				list[len(list)-1], len(values), mean, high)
		}
		return table.Flush()
	})
}
