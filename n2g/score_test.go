package n2g

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestScore(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	for _, c := range []struct {
		name             string
		truth, predicted []float64
		want             Scores
	}{
		{"empty", nil, nil, Scores{}},
		{
			"mixed", []float64{1, 0.5, 0, 0.25}, []float64{0.5, 0.49, 1, 0},
			// tp 1, fn 1, fp 1, tn 1; ranking 1(no) .5(yes) .49(yes) 0: AP = (1/2)(1/2) + (1/2)(2/3)
			Scores{
				Firing:           ClassScores{0.5, 0.5, 0.5, 2},
				NonFiring:        ClassScores{0.5, 0.5, 0.5, 2},
				R2:               1 - (0.25+0.0001+1+0.0625)/4/0.13671875,
				Pearson:          -0.24022293443170709,
				AveragePrecision: 0.25 + 1.0/3,
			},
		},
		{
			"nothing predicted", []float64{1, 0, 0, 0}, []float64{0, 0, 0, 0},
			Scores{Firing: ClassScores{0, 0, 0, 1}, NonFiring: ClassScores{0.75, 1, 6.0 / 7, 3}, R2: 1 - 0.25/0.1875,
				AveragePrecision: 0.25},
		},
		{
			"constant truth", []float64{0.1, 0.1, 0.1}, []float64{0, 1, 0},
			Scores{Firing: ClassScores{}, NonFiring: ClassScores{1, 2.0 / 3, 0.8, 3}},
		},
		{
			"exact", []float64{0.9, 0.5, 0}, []float64{0.9, 0.5, 0},
			Scores{Firing: ClassScores{1, 1, 1, 2}, NonFiring: ClassScores{1, 1, 1, 1}, R2: 1, Pearson: 1, AveragePrecision: 1},
		},
		{
			// Equal predictions are retrieved together, whatever their order.
			"ties", []float64{0, 1, 0, 1}, []float64{0.7, 0.7, 0.7, 0.2},
			Scores{
				Firing: ClassScores{1.0 / 3, 0.5, 0.4, 2}, NonFiring: ClassScores{0, 0, 0, 2}, R2: 1 - (0.49+0.09+0.49+0.64)/4/0.25,
				Pearson: -1 / math.Sqrt(3), AveragePrecision: 0.5/3 + 0.5*0.5,
			},
		},
	} {
		got := Score(c.truth, c.predicted, 0.5)
		ok := got.Firing.Support == c.want.Firing.Support && got.NonFiring.Support == c.want.NonFiring.Support
		for _, pair := range [][2]float64{
			{got.Firing.Precision, c.want.Firing.Precision}, {got.Firing.Recall, c.want.Firing.Recall},
			{got.Firing.F1, c.want.Firing.F1},
			{got.NonFiring.Precision, c.want.NonFiring.Precision}, {got.NonFiring.Recall, c.want.NonFiring.Recall},
			{got.NonFiring.F1, c.want.NonFiring.F1},
			{got.R2, c.want.R2}, {got.AveragePrecision, c.want.AveragePrecision},
		} {
			ok = ok && near(pair[0], pair[1])
		}
		if !ok || math.Abs(got.Pearson-c.want.Pearson) > 1e-9 {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Average precision by its definition: for each distinct threshold, count anew.
func TestAveragePrecisionAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + random.IntN(12)
		fires, predicted := make([]bool, n), make([]float64, n)
		total := 0
		for i := range n {
			fires[i] = random.IntN(3) == 0
			total += index(fires[i])
			predicted[i] = float64(random.IntN(5)) / 4
		}
		want, recall := 0.0, 0.0
		if total > 0 {
			thresholds := slices.Compact(slices.Sorted(slices.Values(predicted)))
			for _, threshold := range slices.Backward(thresholds) {
				hits, retrieved := 0, 0
				for i, p := range predicted {
					if p >= threshold {
						retrieved++
						hits += index(fires[i])
					}
				}
				r := float64(hits) / float64(total)
				want += (r - recall) * float64(hits) / float64(retrieved)
				recall = r
			}
		}
		if got := averagePrecision(fires, predicted); math.Abs(got-want) > 1e-12 {
			t.Fatalf("averagePrecision(%v, %v) = %g, want %g", fires, predicted, got, want)
		}
	}
}

func TestSummarize(t *testing.T) {
	firing := func(p, r, f float64, support int) Scores {
		return Scores{Firing: ClassScores{p, r, f, support}, NonFiring: ClassScores{1, 1, 1, 100}}
	}
	falseAlarm := Scores{NonFiring: ClassScores{1, 0.99, 0.995, 100}}
	rows := Summarize([]LayerScores{
		{1, firing(0.5, 1, 2.0/3, 4)},
		{0, firing(1, 1, 1, 3)},
		{0, firing(0.5, 0.5, 0.5, 2)},
		{0, firing(0, 0, 0, 5)}, // predicts nothing: precision 1
		{0, firing(0, 0, 0, 0)}, // neither fires nor is predicted to: not counted
		{0, falseAlarm},         // predicted only, and wrongly: precision 0
		{2, firing(0, 0, 0, 0)},
	})
	if len(rows) != 3 || rows[0].Layer != 0 || rows[1].Layer != 1 || rows[2].Layer != 2 {
		t.Fatalf("rows are %+v", rows)
	}
	zero := rows[0]
	if zero.Neurons != 5 || zero.Counted != 4 {
		t.Errorf("%d of %d neurons count, want 4 of 5", zero.Counted, zero.Neurons)
	}
	// Precisions 1, .5, 1, 0: mean .625, variance (.140625 + .015625 + .140625 + .390625)/4.
	if got, want := zero.Firing.Precision, (MeanStd{0.625, math.Sqrt(0.6875 / 4)}); math.Abs(got.Mean-want.Mean) > 1e-12 ||
		math.Abs(got.Std-want.Std) > 1e-12 {
		t.Errorf("precision %+v, want %+v", got, want)
	}
	if got := zero.Firing.Recall.Mean; got != 0.375 {
		t.Errorf("recall %g, want 0.375", got)
	}
	if got := rows[1].Firing.F1; math.Abs(got.Mean-2.0/3) > 1e-12 || got.Std != 0 {
		t.Errorf("F1 of one neuron %+v", got)
	}
	if got := rows[2]; got.Counted != 0 || got.Firing != (ClassSummary{}) {
		t.Errorf("a layer without counted neurons: %+v", got)
	}
}

// scoresOf evaluates with options as users have them.
func scoresOf(tests []Test, opts Options) Scores {
	set := opts.settings()
	return evaluate(tests, &set)
}
