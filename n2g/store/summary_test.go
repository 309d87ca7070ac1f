package store

import (
	"bytes"
	"encoding/csv"
	"math"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

func TestSummary(t *testing.T) {
	s := testStore(t)
	all := fill(t, s, 31, 52)
	rows, err := s.Summary(ctx)
	if err != nil || len(rows) != 13*3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		if r.Layer != i/3 || r.Predictor != []Predictor{Graph, TokenLookup, NGram}[i%3] {
			t.Errorf("row %d is of layer %d, %s", i, r.Layer, r.Predictor)
		}
		var scores []n2g.LayerScores
		sum, firing := 0.0, 0.0
		for _, e := range all {
			of := map[Predictor]n2g.Scores{Graph: *e.Scores, TokenLookup: e.Baselines.TokenLookup.Scores,
				NGram: e.Baselines.NGram.Scores}[r.Predictor]
			if e.Site.Layer != r.Layer {
				continue
			}
			scores = append(scores, n2g.LayerScores{Layer: r.Layer, Scores: of})
			if of.Firing.Support > 0 {
				sum += of.AveragePrecision
				firing++
			}
		}
		want := n2g.Summarize(scores)[0]
		if r.Neurons != want.Neurons || r.Counted != want.Counted || math.Abs(r.Firing.F1.Mean-want.Firing.F1.Mean) > 1e-9 ||
			math.Abs(r.NonFiring.Recall.Std-want.NonFiring.Recall.Std) > 1e-9 ||
			math.Abs(r.AveragePrecision.Mean-sum/firing) > 1e-9 {
			t.Errorf("row %d: %+v, want %+v and average precision %g", i, r, want, sum/firing)
		}
	}
}

func TestTables(t *testing.T) {
	mean := func(m float64) n2g.MeanStd { return n2g.MeanStd{Mean: m, Std: m / 10} }
	row := SummaryRow{Predictor: Graph, Summary: n2g.Summary{Layer: 2, Neurons: 50, Counted: 48},
		AveragePrecision: mean(0.7)}
	row.Firing = n2g.ClassSummary{Precision: mean(0.1), Recall: mean(0.2), F1: mean(0.3)}
	row.NonFiring = n2g.ClassSummary{Precision: mean(0.4), Recall: mean(0.5), F1: mean(0.6)}
	var text, markdown, table bytes.Buffer
	for _, err := range []error{WriteText(&text, []SummaryRow{row}), WriteMarkdown(&markdown, []SummaryRow{row}),
		WriteCSV(&table, []SummaryRow{row})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cells := []string{"2", "graph", "48 of 50", "0.10 ± 0.01", "0.20 ± 0.02", "0.30 ± 0.03", "0.40 ± 0.04", "0.50 ± 0.05",
		"0.60 ± 0.06", "0.70 ± 0.07"}
	if lines := strings.Split(markdown.String(), "\n"); lines[2] != "| "+strings.Join(cells, " | ")+" |" ||
		strings.Count(lines[0], "|") != strings.Count(lines[1], "|") {
		t.Errorf("Markdown:\n%s", &markdown)
	}
	at := 0
	for _, cell := range cells {
		i := strings.Index(text.String()[at:], cell)
		if i < 0 {
			t.Errorf("the text lacks %q:\n%s", cell, &text)
			break
		}
		at += i
	}
	records, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(records) != 2 || records[0][4] != "firing_precision" || records[1][4] != "0.1" ||
		records[1][5] != "0.01" || records[1][16] != "0.7" {
		t.Errorf("CSV: %v, %v", records, err)
	}
}
