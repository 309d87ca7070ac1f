package n2g

import (
	"cmp"
	"maps"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/internal/moments"
)

// Summary is one row of the papers' tables: the scores of a layer's neurons.
type Summary struct {
	Layer     int          `json:"layer"`
	Neurons   int          `json:"neurons"` // given
	Counted   int          `json:"counted"` // of them, those with a firing test token or a firing prediction
	Firing    ClassSummary `json:"firing"`
	NonFiring ClassSummary `json:"non_firing"`
}

// ClassSummary holds the mean scores of one class over neurons, with their spread.
type ClassSummary struct {
	Precision MeanStd `json:"precision"`
	Recall    MeanStd `json:"recall"`
	F1        MeanStd `json:"f1"`
}

// MeanStd is a mean with the population's standard deviation; both 0 over nothing.
type MeanStd struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// LayerScores are the scores of one neuron of a layer.
type LayerScores struct {
	Layer  int
	Scores Scores
}

// Summarize makes the papers' table of neurons' scores, a row a layer in ascending order (section 7). Neurons without
// any firing test token or firing prediction do not count; one that predicts no firing at all has, here only, the
// precision 1 for firing.
func Summarize(scores []LayerScores) []Summary {
	byLayer := map[int]*Summary{}
	counted := map[int][]Scores{}
	for _, s := range scores {
		row := byLayer[s.Layer]
		if row == nil {
			row = &Summary{Layer: s.Layer}
			byLayer[s.Layer] = row
		}
		row.Neurons++
		predicts := predictsFiring(s.Scores)
		if s.Scores.Firing.Support == 0 && !predicts {
			continue
		}
		if !predicts {
			s.Scores.Firing.Precision = 1
		}
		counted[s.Layer] = append(counted[s.Layer], s.Scores)
	}
	rows := make([]Summary, 0, len(byLayer))
	for row := range maps.Values(byLayer) {
		of := counted[row.Layer]
		row.Counted = len(of)
		row.Firing = summarizeClass(of, func(s Scores) ClassScores { return s.Firing })
		row.NonFiring = summarizeClass(of, func(s Scores) ClassScores { return s.NonFiring })
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b Summary) int { return cmp.Compare(a.Layer, b.Layer) })
	return rows
}

// predictsFiring says whether any token was predicted to fire: one rightly, or a non-firing one wrongly.
func predictsFiring(s Scores) bool {
	return s.Firing.Recall > 0 || s.NonFiring.Support > 0 && s.NonFiring.Recall < 1
}

func summarizeClass(scores []Scores, class func(Scores) ClassScores) ClassSummary {
	over := func(value func(ClassScores) float64) MeanStd {
		if len(scores) == 0 {
			return MeanStd{}
		}
		values := make([]float64, len(scores))
		for i, s := range scores {
			values[i] = value(class(s))
		}
		mean, std := moments.MeanStd(values)
		return MeanStd{Mean: mean, Std: std}
	}
	return ClassSummary{
		Precision: over(func(c ClassScores) float64 { return c.Precision }),
		Recall:    over(func(c ClassScores) float64 { return c.Recall }),
		F1:        over(func(c ClassScores) float64 { return c.F1 }),
	}
}
