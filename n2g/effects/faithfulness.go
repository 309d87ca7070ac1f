package effects

import (
	"context"
	"fmt"
	"strconv"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Faithfulness compares where an explanation says that a neuron fires with where the neuron matters: among the
// positions of texts, the share of all KL by ablation that falls on the positions predicted to fire, less the share of
// positions that these are. 1 is a prediction that finds all that the neuron does at next to no position, 0 one that is
// no better than chance; it is 0 where the ablation changes nothing. Both lists go over the same positions.
func Faithfulness(kl []float64, predicted []bool) float64 {
	var inside, total float64
	count := 0
	for i, v := range kl {
		v = max(v, 0) // rounding leaves it a little below
		total += v
		if predicted[i] {
			inside += v
			count++
		}
	}
	if total == 0 || len(kl) == 0 {
		return 0
	}
	return inside/total - float64(count)/float64(len(kl))
}

// Faithful measures how faithful an explanation is (n2g.Faithfulness) on its test prompts, ids[i] being those of
// Tests[i], and writes the KL at each of their tokens into them, to three digits. run ablates the neuron at every
// position but that of BOS.
func Faithful(ctx context.Context, run Runner, e *n2g.Explanation, ids [][]int) (*n2g.Faithfulness, error) {
	if len(ids) != len(e.Tests) || len(ids) == 0 {
		return nil, fmt.Errorf("effects: the explanation of layer %d neuron %d has %d test prompts, and %d were given",
			e.Site.Layer, e.Site.Index, len(e.Tests), len(ids))
	}
	changes, err := Measure(ctx, run, ids, 0, Vocabulary{})
	if err != nil {
		return nil, err
	}
	threshold := *e.Options.Resolved().FireThreshold
	var context *n2g.ContextPredictor
	if e.Context != nil {
		context = n2g.NewContextPredictor(e.Context)
	}
	var kl []float64
	var predicted, fires, inContext []bool
	for i, t := range e.Tests {
		// Tests begin with BOS, or an empty place where the model has none.
		own := changes[i].KL
		if n := len(t.Tokens) - 1; n >= 0 && len(own) > n {
			own = own[len(own)-n:]
		} else if len(own) != n {
			return nil, fmt.Errorf("effects: test prompt %d of layer %d neuron %d has %d tokens, and %d were given", i+1,
				e.Site.Layer, e.Site.Index, n, len(own))
		}
		kl = append(kl, own...)
		e.Tests[i].KL = make([]float64, len(t.Tokens))
		for p, v := range own {
			e.Tests[i].KL[p+1] = threeDigits(v)
			predicted = append(predicted, t.Predictions[p+1] >= threshold)
			fires = append(fires, t.Activations[p+1] >= threshold)
		}
		if context != nil {
			for _, v := range context.Predict(t.Tokens[1:]) {
				inContext = append(inContext, v >= e.Context.FireThreshold)
			}
		}
	}
	f := &n2g.Faithfulness{Graph: Faithfulness(kl, predicted), Firing: Faithfulness(kl, fires), Positions: len(kl)}
	if context != nil {
		value := Faithfulness(kl, inContext)
		f.Context = &value
	}
	for i, v := range kl {
		f.MeanKL += v / float64(len(kl))
		if predicted[i] {
			f.Predicted++
		}
	}
	return f, nil
}

// threeDigits rounds: a KL is looked at, not computed with.
func threeDigits(v float64) float64 {
	if v < 1e-9 {
		return 0
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}
