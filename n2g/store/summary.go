package store

import (
	"context"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/moments"
)

// Predictor is what scores are of.
type Predictor string

// The predictors of activations that a store has scores of.
const (
	Graph       Predictor = "graph"
	TokenLookup Predictor = "token lookup"
	NGram       Predictor = "n-gram"
)

// SummaryRow is a row of the papers' table: how well one predictor does on the neurons of one layer.
type SummaryRow struct {
	Predictor Predictor
	n2g.Summary
	AveragePrecision n2g.MeanStd // over the neurons with a firing test token
}

// Summary returns the papers' table (section 7): by layer, and within it the graph beside the two baselines.
func (s *Store) Summary(ctx context.Context) ([]SummaryRow, error) {
	rows, err := s.Rows(ctx)
	if err != nil {
		return nil, err
	}
	return Summarize(rows), nil
}

// Summarize makes the papers' table of neurons; those without scores are left out.
func Summarize(rows []Row) []SummaryRow {
	var tables [3][]SummaryRow
	for p, predictor := range []struct {
		name Predictor
		of   func(Row) *n2g.Scores
	}{
		{Graph, func(r Row) *n2g.Scores { return r.Scores }},
		{TokenLookup, func(r Row) *n2g.Scores { return r.TokenLookup }},
		{NGram, func(r Row) *n2g.Scores { return r.NGram }},
	} {
		var scores []n2g.LayerScores
		precisions := map[int][]float64{}
		for _, r := range rows {
			if of := predictor.of(r); of != nil {
				scores = append(scores, n2g.LayerScores{Layer: r.Layer, Scores: *of})
				if of.Firing.Support > 0 {
					precisions[r.Layer] = append(precisions[r.Layer], of.AveragePrecision)
				}
			}
		}
		for _, summary := range n2g.Summarize(scores) {
			tables[p] = append(tables[p], SummaryRow{predictor.name, summary, meanStd(precisions[summary.Layer])})
		}
	}
	summary := []SummaryRow{}
	for len(tables[0]) > 0 { // every layer of a baseline is one of the graph's
		layer := tables[0][0].Layer
		for p := range tables {
			if len(tables[p]) > 0 && tables[p][0].Layer == layer {
				summary, tables[p] = append(summary, tables[p][0]), tables[p][1:]
			}
		}
	}
	return summary
}

func meanStd(values []float64) n2g.MeanStd {
	if len(values) == 0 {
		return n2g.MeanStd{}
	}
	mean, std := moments.MeanStd(values)
	return n2g.MeanStd{Mean: mean, Std: std}
}
