package main

import (
	"math"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestContextTable: means are over the neurons with a firing token on that text, whatever others there are.
func TestContextTable(t *testing.T) {
	s, err := store.Open(t.TempDir()+"/run.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := meansOf(t.Context(), s, 0); err != nil {
		t.Fatal(err)
	}
	f1 := []float64{0.2, 0.9, 0.4, 1}
	for i, v := range f1 {
		score := func(v float64, support int) (c n2g.Scores) {
			c.Firing.F1, c.AveragePrecision, c.Firing.Support = v, v/2, support
			return c
		}
		e := &n2g.Explanation{Format: n2g.Format, Model: "m", Site: n2g.Site{Layer: 0, Hook: "hook_mid", Index: i},
			MaxActivation: v,
			Comparisons: []n2g.Comparison{
				{Text: "test documents", Predictor: "context graph", Scores: score(v, i)}, // the first has nothing that fires
				{Text: "test documents", Predictor: "token table", Scores: score(v/2, i)},
			}}
		if err := s.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	means, err := meansOf(t.Context(), s, 0)
	if err != nil || len(means) != 2 {
		t.Fatalf("%d rows, %v", len(means), err)
	}
	want := (0.9 + 0.4 + 1) / 3
	for i, scale := range []float64{1, 0.5} {
		if m := means[i]; m.neurons != 3 || math.Abs(m.f1-want*scale) > 1e-12 || math.Abs(m.ap-want*scale/2) > 1e-12 {
			t.Errorf("%+v, want F1 %g of 3 neurons", m, want*scale)
		}
	}
	leads, err := leadsOf(t.Context(), s, 0.5)
	if err != nil || len(leads) != 1 {
		t.Fatalf("%d leads, %v", len(leads), err)
	}
	l := leads[0]
	if len(l.f1) != 2 || l.over != "token table" {
		t.Errorf("%+v", l)
	}
	// differences .45 and .5: mean .475, standard deviation .05/√2, standard error .025
	if mean, standardError := l.f1.mean(); math.Abs(mean-.475) > 1e-12 || math.Abs(standardError-.025) > 1e-12 {
		t.Errorf("%g ± %g", mean, standardError)
	}
}
