package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// contextMeans are mean scores of one predictor on one kind of text, over the neurons with a firing token there.
type contextMeans struct {
	text, predictor                 string
	neurons                         int
	precision, recall, f1, ap, pear float64
}

// meansOf averages the comparisons of all explanations of a store whose neuron reaches a maximum, in the order in which
// they first come.
func meansOf(ctx context.Context, s *store.Store, atLeast float64) ([]*contextMeans, error) {
	var list []*contextMeans
	rows := map[[2]string]*contextMeans{}
	for e, err := range s.Explanations(ctx) {
		if err != nil {
			return nil, err
		}
		for _, c := range e.Comparisons {
			if c.Scores.Firing.Support == 0 || e.MaxActivation < atLeast {
				continue
			}
			key := [2]string{c.Text, c.Predictor}
			if rows[key] == nil {
				rows[key] = &contextMeans{text: c.Text, predictor: c.Predictor}
				list = append(list, rows[key])
			}
			rows[key].add(c.Scores)
		}
	}
	return list, nil
}

func (m *contextMeans) add(s n2g.Scores) {
	m.neurons++
	share := 1 / float64(m.neurons)
	for _, pair := range []struct {
		mean  *float64
		value float64
	}{
		{&m.precision, s.Firing.Precision}, {&m.recall, s.Firing.Recall}, {&m.f1, s.Firing.F1}, {&m.ap, s.AveragePrecision},
		{&m.pear, s.Pearson},
	} {
		*pair.mean += share * (pair.value - *pair.mean)
	}
}

// writeContextTable tells how well context graphs predict, beside what they are compared with, and by how much they
// lead.
func (a *app) writeContextTable(ctx context.Context, out string, s *store.Store, atLeast float64) error {
	means, err := meansOf(ctx, s, atLeast)
	if err != nil {
		return err
	}
	if len(means) == 0 && atLeast > 0 {
		return fmt.Errorf("no neuron of this store that reaches %g has a context graph with scores", atLeast)
	}
	leads, err := leadsOf(ctx, s, atLeast)
	if err != nil {
		return err
	}
	if len(means) == 0 {
		return fmt.Errorf("no explanation in this store has a context graph with scores: n2g run -index learns them")
	}
	return a.write(ctx, out, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TEXT\tPREDICTOR\tNEURONS\tPRECISION\tRECALL\tF1\tAVG PRECISION\tPEARSON")
		for _, m := range means {
			fmt.Fprintf(table, "%s\t%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\n", printable(m.text), printable(m.predictor),
				m.neurons, m.precision, m.recall, m.f1, m.ap, m.pear)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		return writeLeads(w, leads)
	})
}
