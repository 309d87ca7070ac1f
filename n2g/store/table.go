package store

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// summaryColumns are the scores of a row in the order of the papers' table.
func summaryColumns() []struct {
	name, key string
	of        func(SummaryRow) n2g.MeanStd
} {
	return []struct {
		name, key string
		of        func(SummaryRow) n2g.MeanStd
	}{
		{"firing precision", "firing_precision", func(r SummaryRow) n2g.MeanStd { return r.Firing.Precision }},
		{"recall", "firing_recall", func(r SummaryRow) n2g.MeanStd { return r.Firing.Recall }},
		{"F1", "firing_f1", func(r SummaryRow) n2g.MeanStd { return r.Firing.F1 }},
		{"non-firing precision", "non_firing_precision", func(r SummaryRow) n2g.MeanStd { return r.NonFiring.Precision }},
		{"recall", "non_firing_recall", func(r SummaryRow) n2g.MeanStd { return r.NonFiring.Recall }},
		{"F1", "non_firing_f1", func(r SummaryRow) n2g.MeanStd { return r.NonFiring.F1 }},
		{"average precision", "average_precision", func(r SummaryRow) n2g.MeanStd { return r.AveragePrecision }},
	}
}

// cells are a row as people read it: means with deviations, two decimals, as the papers give them.
func (r SummaryRow) cells() []string {
	cells := []string{strconv.Itoa(r.Layer), string(r.Predictor), fmt.Sprintf("%d of %d", r.Counted, r.Neurons)}
	for _, c := range summaryColumns() {
		score := c.of(r)
		cells = append(cells, fmt.Sprintf("%.2f ± %.2f", score.Mean, score.Std))
	}
	return cells
}

func summaryHead() []string {
	head := []string{"layer", "predictor", "neurons"}
	for _, c := range summaryColumns() {
		head = append(head, c.name)
	}
	return head
}

// WriteText writes the table in aligned columns. Of the neurons given, those are counted that have a firing test token
// or prediction.
func WriteText(w io.Writer, rows []SummaryRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(summaryHead(), "\t")))
	for _, r := range rows {
		fmt.Fprintln(table, strings.Join(r.cells(), "\t"))
	}
	return table.Flush()
}

// WriteMarkdown writes the table in Markdown.
func WriteMarkdown(w io.Writer, rows []SummaryRow) error {
	var b strings.Builder
	head := summaryHead()
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(), " | "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteCSV writes the table for programs: each score as a mean and a deviation, unrounded.
func WriteCSV(w io.Writer, rows []SummaryRow) error {
	table := csv.NewWriter(w)
	head := []string{"layer", "predictor", "neurons", "counted"}
	for _, c := range summaryColumns() {
		head = append(head, c.key, c.key+"_std")
	}
	if err := table.Write(head); err != nil {
		return err
	}
	for _, r := range rows {
		record := []string{strconv.Itoa(r.Layer), string(r.Predictor), strconv.Itoa(r.Neurons), strconv.Itoa(r.Counted)}
		for _, c := range summaryColumns() {
			score := c.of(r)
			record = append(record, number(score.Mean), number(score.Std))
		}
		if err := table.Write(record); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
