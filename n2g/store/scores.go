package store

import (
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// scoreColumns are the columns of n2g.Scores in neurons and baselines.
const scoreColumns = "firing_precision, firing_recall, firing_f1, firing_support, " +
	"non_firing_precision, non_firing_recall, non_firing_f1, non_firing_support, r2, pearson, average_precision"

const scoreColumnCount = 11

// neuronColumns are the columns of neurons but for its id.
const neuronColumns = "layer, neuron, hook, max_activation, density, nodes, edges, components, activating_tokens, " +
	"important_tokens, repeated_tokens, " +
	scoreColumns + ", digest, checksum"

// csvHead names the columns of ExportCSV.
func csvHead() []string {
	head := strings.Split(strings.TrimSuffix(neuronColumns, ", digest, checksum"), ", ")
	for _, baseline := range [2]string{"token_lookup_", "ngram_"} {
		for column := range strings.SplitSeq(scoreColumns, ", ") {
			head = append(head, baseline+column)
		}
	}
	return append(head, "label")
}

// comparisonHead names the columns of ExportComparisons.
func comparisonHead() []string {
	columns := strings.TrimSuffix(strings.TrimPrefix(comparisonColumns, "number, "), ", checksum")
	return append([]string{"layer", "neuron", "hook", "max_activation", "label"}, strings.Split(columns, ", ")...)
}

// prefixed is ", table.column" for each of scoreColumns.
func prefixed(table string) string {
	return ", " + table + "." + strings.ReplaceAll(scoreColumns, ", ", ", "+table+".")
}

// nullableScores are columns of scores as they are read.
type nullableScores [scoreColumnCount]*float64

func (n *nullableScores) targets() []any {
	targets := make([]any, len(n))
	for i := range n {
		targets[i] = &n[i]
	}
	return targets
}

// scores is nil where a column is NULL.
func (n *nullableScores) scores() *n2g.Scores {
	var v [scoreColumnCount]float64
	for i, p := range n {
		if p == nil {
			return nil
		}
		v[i] = *p
	}
	return &n2g.Scores{
		Firing:           n2g.ClassScores{Precision: v[0], Recall: v[1], F1: v[2], Support: int(v[3])},
		NonFiring:        n2g.ClassScores{Precision: v[4], Recall: v[5], F1: v[6], Support: int(v[7])},
		R2:               v[8],
		Pearson:          v[9],
		AveragePrecision: v[10],
	}
}
