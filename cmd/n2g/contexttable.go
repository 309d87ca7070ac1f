package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// contextMeans are mean scores of one predictor on one kind of text, over the neurons with a firing token there.
type contextMeans struct {
	text, predictor                 string
	neurons                         int
	precision, recall, f1, ap, pear float64
	measured                        int // neurons of which loss and valueError are
	loss, valueError                float64
}

// meansOf averages the comparisons of all neurons of a store that reach a maximum, in the order in which they first
// come.
func meansOf(ctx context.Context, s *store.Store, atLeast float64) ([]*contextMeans, error) {
	compared, err := s.Comparisons(ctx)
	if err != nil {
		return nil, err
	}
	var list []*contextMeans
	rows := map[[2]string]*contextMeans{}
	for _, neuron := range compared {
		for _, c := range neuron.Comparisons {
			if c.Scores.Firing.Support == 0 || neuron.MaxActivation < atLeast {
				continue
			}
			key := [2]string{c.Text, c.Predictor}
			if rows[key] == nil {
				rows[key] = &contextMeans{text: c.Text, predictor: c.Predictor}
				list = append(list, rows[key])
			}
			rows[key].add(&c)
		}
	}
	return list, nil
}

func (m *contextMeans) add(c *n2g.Comparison) {
	s := &c.Scores
	m.neurons++
	mean := func(of *float64, value float64, n int) { *of += (value - *of) / float64(n) }
	mean(&m.precision, s.Firing.Precision, m.neurons)
	mean(&m.recall, s.Firing.Recall, m.neurons)
	mean(&m.f1, s.Firing.F1, m.neurons)
	mean(&m.ap, s.AveragePrecision, m.neurons)
	mean(&m.pear, s.Pearson, m.neurons)
	if c.LogLoss != nil && c.ValueError != nil {
		m.measured++
		mean(&m.loss, *c.LogLoss, m.measured)
		mean(&m.valueError, *c.ValueError, m.measured)
	}
}

// measures are how a log-loss and an error of values are written; nil where older programs did not measure them.
func measures(loss, valueError *float64) []string {
	cells := []string{"-", "-"}
	if loss != nil {
		cells[0] = fmt.Sprintf("%.2f", *loss)
	}
	if valueError != nil {
		cells[1] = fmt.Sprintf("%.4f", *valueError)
	}
	return cells
}

func noContexts(atLeast float64) error {
	if atLeast > 0 {
		return fmt.Errorf("no neuron of this store that reaches %g has a context graph with scores", atLeast)
	}
	return errors.New("no explanation in this store has a context graph with scores: n2g run -index learns them")
}

// writeContextTable tells how well context graphs predict, beside what they are compared with, and by how much they
// lead.
func (a *app) writeContextTable(ctx context.Context, f *tableFlags, s *store.Store) error {
	means, err := meansOf(ctx, s, *f.atLeast)
	if err != nil {
		return err
	}
	if len(means) == 0 {
		return noContexts(*f.atLeast)
	}
	leads, err := leadsOf(ctx, s, *f.atLeast)
	if err != nil {
		return err
	}
	rows := [][]string{{"text", "predictor", "neurons", "precision", "recall", "F1", "avg precision", "Pearson",
		"log-loss", "value error"}}
	for _, m := range means {
		row := []string{m.text, m.predictor, fmt.Sprint(m.neurons)}
		for _, v := range []float64{m.precision, m.recall, m.f1, m.ap, m.pear} {
			row = append(row, fmt.Sprintf("%.3f", v))
		}
		loss, valueError := &m.loss, &m.valueError
		if m.measured == 0 {
			loss, valueError = nil, nil
		}
		rows = append(rows, append(row, measures(loss, valueError)...))
	}
	return a.write(ctx, *f.out, func(w io.Writer) error {
		if *f.format == "csv" { // a file of one table
			return writeRows(w, *f.format, withLeads(rows, leads))
		}
		if err := writeRows(w, *f.format, rows); err != nil {
			return err
		}
		return writeLeads(w, *f.format, leads)
	})
}

// predictors that the table of neurons has columns for.
func tablePredictors() []string {
	return []string{contexttree.ContextGraph, contexttree.PublishedGraph, contexttree.TokenTable, contexttree.BigramTable}
}

// neuronScores is a line of the table of neurons.
type neuronScores struct {
	n2g.Site
	of map[string]*n2g.Comparison // by predictor
}

// by is what a neuron is sorted by, highest first; has is false where it was not measured.
func (n *neuronScores) by(key string) (value float64, has bool) {
	own := n.of[contexttree.ContextGraph]
	if own == nil {
		return 0, false
	}
	switch key {
	case "f1":
		return own.Scores.Firing.F1, true
	case "ap":
		return own.Scores.AveragePrecision, true
	case "log-loss":
		if own.LogLoss == nil {
			return 0, false
		}
		return *own.LogLoss, true
	}
	best := 0.0
	for predictor, c := range n.of {
		if predictor != contexttree.ContextGraph {
			best, has = max(best, c.Scores.Firing.F1), true
		}
	}
	return own.Scores.Firing.F1 - best, has
}

// writeNeuronTable has a line for each neuron whose context graph was compared on test documents where it fires.
func (a *app) writeNeuronTable(ctx context.Context, f *tableFlags, s *store.Store) error {
	if !slices.Contains([]string{"neuron", "f1", "ap", "log-loss", "lead"}, *f.by) {
		return fmt.Errorf("-by is %q: it is neuron, f1, ap, log-loss or lead", *f.by)
	}
	compared, err := s.Comparisons(ctx)
	if err != nil {
		return err
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	var list []neuronScores
	for _, neuron := range compared {
		if neuron.MaxActivation < *f.atLeast {
			continue
		}
		n := neuronScores{neuron.Site, map[string]*n2g.Comparison{}}
		for i := range neuron.Comparisons {
			if c := &neuron.Comparisons[i]; c.Text == contexttree.TestDocuments && c.Scores.Firing.Support > 0 {
				n.of[c.Predictor] = c
			}
		}
		if len(n.of) > 0 {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return noContexts(*f.atLeast)
	}
	if *f.by != "neuron" {
		slices.SortStableFunc(list, func(a, b neuronScores) int {
			x, hasX := a.by(*f.by)
			y, hasY := b.by(*f.by)
			if hasX != hasY {
				return cmp.Compare(btoi(hasY), btoi(hasX))
			}
			return cmp.Compare(y, x)
		})
	}
	head := []string{"neuron", "firing"}
	for _, score := range []string{"F1", "AP"} {
		for _, predictor := range tablePredictors() {
			head = append(head, score+" "+strings.Fields(predictor)[0])
		}
	}
	rows := [][]string{append(head, "log-loss", "value error", "label")}
	for _, n := range list {
		rows = append(rows, n.row(labels[n.WithoutHook()]))
	}
	return a.write(ctx, *f.out, func(w io.Writer) error { return writeRows(w, *f.format, rows) })
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (n *neuronScores) row(label string) []string {
	firing := "-"
	for _, c := range n.of {
		firing = fmt.Sprint(c.Scores.Firing.Support)
	}
	row := []string{written(n.Site), firing}
	for _, score := range []func(*n2g.Scores) float64{
		func(s *n2g.Scores) float64 { return s.Firing.F1 },
		func(s *n2g.Scores) float64 { return s.AveragePrecision },
	} {
		for _, predictor := range tablePredictors() {
			cell := "-"
			if c := n.of[predictor]; c != nil {
				cell = fmt.Sprintf("%.3f", score(&c.Scores))
			}
			row = append(row, cell)
		}
	}
	cells := []string{"-", "-"}
	if own := n.of[contexttree.ContextGraph]; own != nil {
		cells = measures(own.LogLoss, own.ValueError)
	}
	return append(append(row, cells...), label)
}

// writeRows writes a table, whose first row is the head, in a format.
func writeRows(w io.Writer, format string, rows [][]string) error {
	switch format {
	case "csv":
		return csv.NewWriter(w).WriteAll(rows)
	case "markdown":
		for i, row := range rows {
			cells := make([]string, len(row))
			for k, cell := range row {
				cells[k] = strings.ReplaceAll(printable(cell), "|", `\|`)
			}
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) // w reports its error when it is flushed
			if i == 0 {
				fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(row)))
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, row := range rows {
		cells := make([]string, len(row))
		for k, cell := range row {
			if cells[k] = printable(cell); i == 0 {
				cells[k] = strings.ToUpper(cells[k])
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}
