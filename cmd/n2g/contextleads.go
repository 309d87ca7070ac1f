package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// lead is by how much context graphs lead a predictor on a text, over the neurons with a firing token there.
type lead struct {
	text, over      string
	f1, ap, pearson differences
}

// differences are paired ones.
type differences []float64

// mean of the differences, with its standard error.
func (d differences) mean() (mean, standardError float64) {
	for _, v := range d {
		mean += v / float64(len(d))
	}
	for _, v := range d {
		standardError += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(standardError/float64(max(len(d)-1, 1))) / math.Sqrt(float64(len(d)))
}

func (d differences) String() string {
	mean, standardError := d.mean()
	return fmt.Sprintf("%+.3f ± %.3f", mean, standardError)
}

// leadsOf are the leads over the neurons of a store that reach a maximum.
func leadsOf(ctx context.Context, s *store.Store, atLeast float64) ([]*lead, error) {
	var leads []*lead
	compared, err := s.Comparisons(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range compared {
		own := map[string]*n2g.Scores{}
		for i := range e.Comparisons {
			if c := &e.Comparisons[i]; c.Predictor == contexttree.ContextGraph && c.Scores.Firing.Support > 0 {
				own[c.Text] = &c.Scores
			}
		}
		for _, c := range e.Comparisons {
			graph := own[c.Text]
			if graph == nil || c.Predictor == contexttree.ContextGraph || e.MaxActivation < atLeast {
				continue
			}
			i := slices.IndexFunc(leads, func(l *lead) bool { return l.text == c.Text && l.over == c.Predictor })
			if i < 0 {
				i = len(leads)
				leads = append(leads, &lead{text: c.Text, over: c.Predictor})
			}
			l := leads[i]
			l.f1 = append(l.f1, graph.Firing.F1-c.Scores.Firing.F1)
			l.ap = append(l.ap, graph.AveragePrecision-c.Scores.AveragePrecision)
			l.pearson = append(l.pearson, graph.Pearson-c.Scores.Pearson)
		}
	}
	return leads, nil
}

// writeLeads writes a table of leads.
func writeLeads(w io.Writer, format string, leads []*lead) error {
	rows := [][]string{{"context graphs lead on", "over", "neurons", "F1", "avg precision", "Pearson"}}
	for _, l := range leads {
		rows = append(rows, []string{l.text, l.over, fmt.Sprint(len(l.f1)), fmt.Sprint(l.f1), fmt.Sprint(l.ap),
			fmt.Sprint(l.pearson)})
	}
	fmt.Fprintln(w) // w reports its error when it is flushed
	return writeRows(w, format, rows)
}

// withLeads adds columns of the leads over each text's predictor, which rows begin with, to a table.
func withLeads(rows [][]string, leads []*lead) [][]string {
	of := map[[2]string]*lead{}
	for _, l := range leads {
		of[[2]string{l.text, l.over}] = l
	}
	table := make([][]string, len(rows))
	for i, row := range rows {
		added := []string{"F1 lead", "F1 lead error", "avg precision lead", "avg precision lead error", "Pearson lead",
			"Pearson lead error"}
		if i > 0 {
			added = make([]string, len(added))
			if l := of[[2]string{row[0], row[1]}]; l != nil {
				for k, d := range []differences{l.f1, l.ap, l.pearson} {
					mean, standardError := d.mean()
					added[2*k], added[2*k+1] = fmt.Sprintf("%.3f", mean), fmt.Sprintf("%.3f", standardError)
				}
			}
		}
		table[i] = slices.Concat(row, added)
	}
	return table
}
