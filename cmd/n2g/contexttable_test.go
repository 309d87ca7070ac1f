package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
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
				// the first has nothing that fires
				{Text: "test documents", Predictor: "context graph", Scores: score(v, i), LogLoss: new(v * 3),
					ValueError: new(v / 9)},
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
	if m := means[0]; m.measured != 3 || math.Abs(m.loss-3*want) > 1e-12 || math.Abs(m.valueError-want/9) > 1e-12 {
		t.Errorf("losses of the context graph: %+v", m)
	}
	if m := means[1]; m.measured != 0 {
		t.Errorf("losses of a table that has none: %+v", m)
	}
}

// TestNeuronTable: a line a neuron that fires on test documents, in the order that is asked, in every format.
func TestNeuronTable(t *testing.T) {
	path := t.TempDir() + "/run.db"
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, f1 := range []float64{.5, .9, .7, .8} {
		score := func(f1 float64) (c n2g.Scores) {
			c.Firing.F1, c.AveragePrecision, c.Firing.Support = f1, 1-f1, i // the first fires nowhere
			return c
		}
		e := &n2g.Explanation{Format: n2g.Format, Model: "m", Site: n2g.Site{Layer: 0, Hook: "hook_mid", Index: i},
			MaxActivation: f1, Context: &n2g.ContextGraph{Root: &n2g.ContextNode{}, Label: fmt.Sprintf("`|%d`", i)},
			Comparisons: []n2g.Comparison{
				{Text: "test documents", Predictor: "context graph", Scores: score(f1), LogLoss: new(1 / f1)},
				{Text: "test documents", Predictor: "bigram table", Scores: score(1 - f1)},
				{Text: "hard negatives", Predictor: "context graph", Scores: score(1)},
			}}
		if err := s.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	order := func(arguments ...string) (names []string) {
		t.Helper()
		status, stdout, stderr := call(t, "", append([]string{"summary", "-store", path, "-neurons"}, arguments...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		for _, line := range strings.Split(strings.TrimSpace(stdout), "\n")[1:] {
			if name := regexp.MustCompile(`0/\d`).FindString(line); name != "" {
				names = append(names, name)
			}
		}
		return names
	}
	for by, want := range map[string]string{"neuron": "0/1 0/2 0/3", "f1": "0/1 0/3 0/2", "ap": "0/2 0/3 0/1",
		"log-loss": "0/2 0/3 0/1", "lead": "0/1 0/3 0/2"} {
		for _, format := range []string{"text", "markdown", "csv"} {
			if got := strings.Join(order("-by", by, "-format", format), " "); got != want {
				t.Errorf("by %s, %s: %s, want %s", by, format, got, want)
			}
		}
	}
	status, stdout, stderr := call(t, "", "summary", "-store", path, "-context", "-format", "csv")
	records, err := csv.NewReader(strings.NewReader(stdout)).ReadAll() // all of one length
	if err != nil || status != 0 || len(records) != 4 {
		t.Fatalf("-context as CSV: %d records, %v, %s", len(records), err, stderr)
	}
	for i, want := range []string{"F1 lead", "", "0.600", ""} { // of .9, .7 and .8 over .1, .3 and .2
		if got := records[i][slices.Index(records[0], "F1 lead")]; got != want {
			t.Errorf("%v: the lead is %q, want %q", records[i][:2], got, want)
		}
	}
	status, stdout, _ = call(t, "", "summary", "-store", path, "-neurons", "-format", "csv")
	if want := "0/2,2,0.700,-,-,0.300,0.300,-,-,0.700,1.43,-,`|2`"; status != 0 || !strings.Contains(stdout, want) {
		t.Errorf("%s, want a line %s", stdout, want)
	}
	if got := order("-at-least", "0.8"); len(got) != 2 {
		t.Errorf("of those that reach 0.8: %v", got)
	}
	if status, _, stderr := call(t, "", "summary", "-store", path, "-neurons", "-at-least", "2"); status != 1 ||
		!strings.Contains(stderr, "reaches 2") {
		t.Errorf("of none: %d, %s", status, stderr)
	}
	if status, _, stderr := call(t, "", "summary", "-store", path, "-neurons", "-by", "x"); status != 1 ||
		!strings.Contains(stderr, "-by") {
		t.Errorf("-by x: %d, %s", status, stderr)
	}
}
