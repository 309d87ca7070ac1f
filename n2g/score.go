package n2g

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/internal/moments"
)

// evaluate scores the predictions of the tests, their tokens pooled, BOS among them (section 7). A token fires if
// its activation is at least opts.FireThreshold, in truth and in prediction.
func evaluate(tests []Test, opts *settings) Scores {
	var truth, predicted []float64
	for _, t := range tests {
		n := min(len(t.Activations), len(t.Predictions))
		truth = append(truth, t.Activations[:n]...)
		predicted = append(predicted, t.Predictions[:n]...)
	}
	return Score(truth, predicted, opts.FireThreshold)
}

// Score compares a prediction with the truth, token by token; both have the same length. The ratios are those of
// scikit-learn's classification_report with zero_division=0 and of its average_precision_score.
func Score(truth, predicted []float64, fireThreshold float64) Scores {
	return ScoreAt(truth, predicted, fireThreshold, fireThreshold)
}

// ScoreAt is [Score] with a threshold of its own for the prediction, which need not be on the scale of the truth.
func ScoreAt(truth, predicted []float64, fireThreshold, predictedThreshold float64) Scores {
	var count [2][2]int // [fires in truth][in prediction]
	fires := make([]bool, len(truth))
	for i := range truth {
		fires[i] = truth[i] >= fireThreshold
		count[index(fires[i])][index(predicted[i] >= predictedThreshold)]++
	}
	s := Scores{
		Firing:           classScores(count[1][1], count[0][1], count[1][0]),
		NonFiring:        classScores(count[0][0], count[1][0], count[0][1]),
		AveragePrecision: averagePrecision(fires, predicted),
	}
	if len(truth) == 0 {
		return s
	}
	if _, variance := moments.MeanVariance(truth); variance > 0 && varies(truth) {
		mse := 0.0
		for i := range truth {
			mse += (truth[i] - predicted[i]) * (truth[i] - predicted[i])
		}
		s.R2 = finite(1 - mse/float64(len(truth))/variance)
		if varies(predicted) {
			s.Pearson = finite(moments.Pearson(truth, predicted))
		}
	}
	return s
}

// varies says whether the values are not all the same; a variance computed of equal ones may differ from 0.
func varies(values []float64) bool {
	return slices.Min(values) < slices.Max(values)
}

// finite makes the quotient of two numbers too small to divide 0.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// classScores are the scores of a class with so many true and false positives and false negatives.
func classScores(hits, falseAlarms, misses int) ClassScores {
	c := ClassScores{
		Precision: ratio(hits, hits+falseAlarms),
		Recall:    ratio(hits, hits+misses),
		Support:   hits + misses,
	}
	if sum := c.Precision + c.Recall; sum > 0 {
		c.F1 = 2 * c.Precision * c.Recall / sum
	}
	return c
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// averagePrecision is Σ (R_k - R_{k-1}) P_k over the distinct predictions in descending order, the tokens predicted
// at least so high being retrieved: equal predictions are retrieved together. It is 0 where no token fires.
func averagePrecision(fires []bool, predicted []float64) float64 {
	order := make([]int, len(fires))
	total := 0
	for i, f := range fires {
		order[i] = i
		total += index(f)
	}
	if total == 0 {
		return 0
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(predicted[b], predicted[a]) })
	sum, hits, before := 0.0, 0, 0
	for k, i := range order {
		hits += index(fires[i])
		if k+1 == len(order) || predicted[order[k+1]] != predicted[i] {
			sum += ratio(hits-before, total) * ratio(hits, k+1)
			before = hits
		}
	}
	return sum
}
