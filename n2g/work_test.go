package n2g_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// strict is a model that fails the test where it is asked more than needed.
type strict struct {
	*n2gtest.Model
	t              *testing.T
	asked          map[string]bool // beginnings of prompts whose last token was asked
	calls, prompts int
	tokens         int // that it was sent
}

func (m *strict) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	m.calls++
	m.prompts += len(prompts)
	for i, ids := range prompts {
		m.tokens += len(ids)
		if len(positions[i]) == 0 || positions[i][len(positions[i])-1] != len(ids)-1 {
			m.t.Errorf("%d tokens sent for positions %v", len(ids), positions[i])
		}
		for _, p := range positions[i] {
			beginning := fmt.Sprint(ids[:p+1])
			if m.asked[beginning] || ids[p] == m.BOS() {
				m.t.Errorf("asked again, or of BOS: %q", m.Decode(ids[:p+1]))
			}
			m.asked[beginning] = true
		}
	}
	return m.Model.Activations(ctx, layer, hook, index, prompts, positions)
}

// halving is a strict model that says it computes half of what it is sent.
type halving struct{ *strict }

func (m halving) Rows(prompts, positions [][]int) int {
	tokens := 0
	for _, ids := range prompts {
		tokens += len(ids)
	}
	return tokens / 2
}

// The model is asked nothing twice in an explanation, nothing about BOS, and no token behind the last position asked;
// and what it was asked is counted.
func TestWork(t *testing.T) {
	for name, opts := range map[string]n2g.Options{
		"published": {}, "every length": {SkipInterval: new(1), StrongThreshold: new(0.2)}, "stages": {Stages: true},
		"walkthrough": n2g.Walkthrough(),
	} {
		t.Run(name, func(t *testing.T) {
			model := &strict{Model: bank(), t: t, asked: map[string]bool{}}
			e, err := n2g.Explain(ctx, model, n2gtest.NewMasked("lake", "money", "##s"), bankExamples(), opts)
			if err != nil {
				t.Fatal(err)
			}
			w := *e.Work
			if w.Calls != model.calls || w.Prompts != model.prompts || w.Rows != model.tokens {
				t.Errorf("%v, but the model saw %d calls, %d prompts and %d tokens", w, model.calls, model.prompts, model.tokens)
			}
			if w.PlainRows <= w.Rows || w.Share() <= 0 || w.Share() >= 1 {
				t.Errorf("%d rows, %d plain ones, share %g", w.Rows, w.PlainRows, w.Share())
			}
			if w.MaskedCalls != 1 || w.MaskedTexts < 1 {
				t.Errorf("%d masked-model calls with %d texts", w.MaskedCalls, w.MaskedTexts)
			}
			var names []string
			sum := n2g.StageWork{}
			for _, s := range w.Stages {
				names = append(names, s.Stage)
				sum.Calls += s.Calls
				sum.Rows += s.Rows
				sum.Time += s.Time
			}
			if want := "activations prune importance augment variants graph"; strings.Join(names, " ") != want {
				t.Errorf("stages %q, want %q", names, want)
			}
			if sum.Calls != w.Calls+w.MaskedCalls || sum.Rows != w.Rows || sum.Time != w.Time() || sum.Time <= 0 {
				t.Errorf("the stages add up to %+v, the whole is %v in %s", sum, w, w.Time())
			}

			half := halving{&strict{Model: bank(), t: t, asked: map[string]bool{}}}
			shared, err := n2g.Explain(ctx, half, n2gtest.NewMasked("lake", "money", "##s"), bankExamples(), opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := shared.Work; got.Rows > w.Rows/2 || got.Rows < w.Rows/2-got.Calls || got.PlainRows != w.PlainRows {
				t.Errorf("with a model that counts its rows %v, without %v", got, w)
			}
		})
	}
}

// One prompt by hand: "a river bank" of four tokens with BOS is asked whole. Its one prune candidate is all of it,
// which is known. Masking each of its tokens but BOS sends the prompt up to the maximum three times.
func TestWorkByHand(t *testing.T) {
	e, err := n2g.Explain(ctx, bank(), nil, n2g.Examples{Prompts: []string{"a river bank"}},
		n2g.Options{TrainProportion: new(1.0)})
	if err != nil {
		t.Fatal(err)
	}
	got := *e.Work
	got.Stages = nil
	want := n2g.Work{Calls: 2, Prompts: 4, Rows: 4 + 3*4, PlainRows: 3*4 + 3*4}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if e.Prunes[0].Measured.Importances[0] != 0 {
		t.Errorf("BOS was masked: %v", e.Prunes[0].Measured.Importances)
	}
}

func TestWorkJSON(t *testing.T) {
	e, err := n2g.Explain(ctx, bank(), nil, bankExamples(), n2g.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Work map[string]float64 `json:"work"`
	}
	if err := json.Unmarshal(first, &fields); err != nil {
		t.Fatal(err)
	}
	w := e.Work
	want := map[string]float64{
		"calls": float64(w.Calls), "prompts": float64(w.Prompts), "rows": float64(w.Rows), "plain_rows": float64(w.PlainRows),
		"masked_calls": 0, "masked_texts": 0,
	}
	if !reflect.DeepEqual(fields.Work, want) {
		t.Errorf("work is %v, want %v", fields.Work, want)
	}

	e.Work.Stages[0].Time += time.Hour
	if second, err := json.Marshal(e); err != nil || string(second) != string(first) {
		t.Errorf("times change the JSON, or: %v", err)
	}
	// A file of an older program.
	var old n2g.Explanation
	e.Work = nil
	data, err := json.Marshal(e)
	if err != nil || strings.Contains(string(data), `"work"`) {
		t.Fatalf("work is not left out, or: %v", err)
	}
	if err := json.Unmarshal(data, &old); err != nil || old.Work != nil {
		t.Errorf("without work: %+v, %v", old.Work, err)
	}
}

func TestWorkAdd(t *testing.T) {
	one := n2g.Work{Calls: 1, Prompts: 2, Rows: 3, PlainRows: 12, MaskedCalls: 5, MaskedTexts: 6,
		Stages: []n2g.StageWork{{Stage: "prune", Calls: 1, Rows: 3, Time: time.Second}}}
	var sum n2g.Work
	sum.Add(nil)
	sum.Add(&one)
	before := sum
	sum.Add(&n2g.Work{Rows: 1, Stages: []n2g.StageWork{{Stage: "graph", Time: time.Second},
		{Stage: "prune", Calls: 1, Rows: 1, Time: time.Minute}}})
	want := n2g.Work{Calls: 1, Prompts: 2, Rows: 4, PlainRows: 12, MaskedCalls: 5, MaskedTexts: 6,
		Stages: []n2g.StageWork{{Stage: "prune", Calls: 2, Rows: 4, Time: time.Minute + time.Second},
			{Stage: "graph", Time: time.Second}}}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("sum is %+v, want %+v", sum, want)
	}
	if !reflect.DeepEqual(before, one) {
		t.Errorf("adding changed an earlier sum: %+v", before)
	}
	if got := sum.String(); got != "1 model calls with 2 prompts, 4 rows (33 % of 12 plain ones), 5 masked-model calls "+
		"with 6 texts" {
		t.Error(got)
	}
	if got := sum.Times(); got != "prune 1m1s, graph 1s" {
		t.Error(got)
	}
	if (n2g.Work{}).Share() != 0 {
		t.Error("the share of nothing is not 0")
	}
}
