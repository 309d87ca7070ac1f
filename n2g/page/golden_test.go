package page_test

import (
	"encoding/json"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// published is what the published program found out about a neuron, as the golden files have it.
type published struct {
	Layer   int     `json:"layer"`
	Neuron  int     `json:"neuron"`
	MaxAct  float64 `json:"max_act"`
	Prompts []string
	Train   []struct {
		Snippet string
		Results []struct {
			Pruned        string
			FinalMaxIndex int     `json:"final_max_index"`
			InitialMax    float64 `json:"initial_max"`
			TruncatedMax  float64 `json:"truncated_max"`
		}
		Augmented []struct {
			Prompt     string
			Importance []measured
			Augment    struct {
				ImportantTokens    []string `json:"important_tokens"`
				Positive, Negative []variant
			}
		}
	}
	Eval []struct {
		Tokens      []string
		Activations []float64
		Predicted   []float64
	}
	Stats     map[string]json.RawMessage
	Baselines map[string]struct{ Stats map[string]json.RawMessage }
}

type measured struct {
	Tokens []pair[string] `json:"tokens_and_activations"`
	Argmax int
	Matrix [][]float64
}

// pair is a JSON array of a key and a number.
type pair[T any] struct {
	Key   T
	Value float64
}

func (p *pair[T]) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]any{&p.Key, &p.Value}) }

type variant struct {
	Text               string
	Activation, Change float64
}

func (v *variant) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&v.Text, &v.Activation, &v.Change})
}

func readScores(t testing.TB, stats map[string]json.RawMessage) n2g.Scores {
	t.Helper()
	class := func(name string) n2g.ClassScores {
		var c map[string]float64
		if err := json.Unmarshal(stats[name], &c); err != nil {
			t.Fatal(err)
		}
		return n2g.ClassScores{Precision: c["precision"], Recall: c["recall"], F1: c["f1-score"], Support: int(c["support"])}
	}
	s := n2g.Scores{NonFiring: class("0"), Firing: class("1")}
	if err := json.Unmarshal(stats["correlation"], &s.R2); err != nil {
		t.Fatal(err)
	}
	return s
}

// explanation reads a golden neuron with everything that a page shows, but for its graph.
func explanation(t testing.TB, name string) *n2g.Explanation {
	t.Helper()
	var p published
	testfile.JSON(t, "../../testdata/golden/neurons/"+name+".json.gz", &p)
	e := &n2g.Explanation{
		Format: n2g.Format, Model: "models/solu", MaskedModel: "models/distilbert",
		Site:          n2g.Site{Layer: p.Layer, Index: p.Neuron, Hook: "hook_mid"},
		MaxActivation: p.MaxAct,
		Density:       new(0.00132),
		Options:       n2g.Options{}.Resolved(),
		Scores:        new(readScores(t, p.Stats)),
		Baselines: &n2g.Baselines{
			TokenLookup: n2g.Baseline{Scores: readScores(t, p.Baselines["TokenPredictor"].Stats)},
			NGram:       n2g.Baseline{Scores: readScores(t, p.Baselines["NGramBaseline"].Stats)},
		},
	}
	for i, tr := range p.Train {
		for k, r := range tr.Results {
			a := tr.Augmented[k]
			prune := n2g.Prune{
				PromptIndex: i, Position: r.FinalMaxIndex + 1, Text: r.Pruned,
				InitialMax: r.InitialMax, TruncatedMax: r.TruncatedMax,
				ImportantTokens: a.Augment.ImportantTokens, Measured: a.Importance[0].measured(),
			}
			for j, v := range a.Augment.Positive {
				// importance holds the pruned prompt twice, alone and as the first positive variant.
				prune.Variants = append(prune.Variants, n2g.Variant{Text: v.Text, Activation: v.Activation, Change: v.Change,
					Positive: true, Measured: a.Importance[j+1].measured()})
			}
			for _, v := range a.Augment.Negative {
				prune.Variants = append(prune.Variants, n2g.Variant{Text: v.Text, Activation: v.Activation, Change: v.Change})
			}
			e.Prunes = append(e.Prunes, prune)
		}
	}
	for i, t := range p.Eval {
		e.Tests = append(e.Tests, n2g.Test{PromptIndex: i + len(p.Train), Tokens: t.Tokens, Activations: t.Activations,
			Predictions: t.Predicted})
	}
	return e
}

func (m measured) measured() *n2g.Measured {
	out := &n2g.Measured{Peak: m.Argmax}
	for _, t := range m.Tokens {
		out.Tokens = append(out.Tokens, t.Key)
		out.Activations = append(out.Activations, t.Value)
	}
	for i := range m.Matrix {
		out.Importances = append(out.Importances, m.Matrix[i][m.Argmax])
	}
	return out
}
