package n2g

import (
	"errors"
	"fmt"
	"math"
)

// TokenEffect is a token with what a neuron adds to its logit for each unit of its activation.
type TokenEffect struct {
	ID    int     `json:"id"`
	Token string  `json:"token"`
	Value float64 `json:"value"`
}

// Attribution is the direct effect of a neuron on the logits (direct logit attribution): what it writes to the residual
// stream, seen by the unembedding as if nothing stood between.
type Attribution struct {
	Promoted   []TokenEffect `json:"promoted"`   // highest first
	Suppressed []TokenEffect `json:"suppressed"` // lowest first
	// Kurtosis of the effects over the vocabulary, m4/m2²: 3 for a normal distribution, higher where the neuron points at
	// few tokens.
	Kurtosis float64 `json:"kurtosis"`
}

// Faithfulness says whether the tokens on which an explanation expects a neuron to fire are those where the neuron
// matters to what the model says. The neuron is ablated at every position of the test prompts, and the divergence of
// the next-token distribution, KL in nats, is added up: a value is the share of it that falls on the positions
// predicted to fire, less the share of positions that these are. 1 finds all that the neuron does at next to no
// position, 0 is no better than chance.
type Faithfulness struct {
	Graph   float64  `json:"graph"`             // of the published graph's predictions
	Context *float64 `json:"context,omitempty"` // of the context graph's, where there is one
	// Firing is that of the neuron's own firing: how much any explanation that finds it could reach.
	Firing    float64 `json:"firing"`
	Positions int     `json:"positions"` // of test prompts, without BOS
	Predicted int     `json:"predicted"` // of them, those that the published graph predicts to fire
	MeanKL    float64 `json:"mean_kl"`   // over all positions
}

// Effects is what a neuron does to the model's output, where the rest of an Explanation says what excites it. Package
// n2g/effects finds it.
type Effects struct {
	Attribution
	Faithfulness *Faithfulness `json:"faithfulness,omitempty"` // nil: not measured
}

func (e *Effects) check() error {
	if e == nil {
		return nil
	}
	if !(e.Kurtosis >= 0) {
		return fmt.Errorf("a kurtosis of %g is not possible", e.Kurtosis)
	}
	for _, list := range [][]TokenEffect{e.Promoted, e.Suppressed} {
		for _, t := range list {
			if t.ID < 0 {
				return errors.New("the id of a token is negative")
			}
		}
	}
	f := e.Faithfulness
	if f == nil {
		return nil
	}
	if f.Positions < 0 || f.Predicted < 0 || f.Predicted > f.Positions {
		return fmt.Errorf("of %d positions, %d cannot be predicted to fire", f.Positions, f.Predicted)
	}
	values := []float64{f.Graph, f.Firing}
	if f.Context != nil {
		values = append(values, *f.Context)
	}
	for _, v := range values {
		if math.Abs(v) > 1 {
			return fmt.Errorf("a faithfulness of %g is not possible", v)
		}
	}
	return nil
}
