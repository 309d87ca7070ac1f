package contexttree

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// chances tells how often tokens fire, by what is predicted for them: the closest to the groups of all functions that
// do not fall (pooling of adjacent violators, Ayer and others 1955), where each step counts half a firing token and
// half a quiet one more (Jeffreys' prior). A step begins at its lowest prediction.
func chances(groups []group) []n2g.FireChance {
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.value, b.value) })
	var steps []group
	share := func(g group) float64 { return (g.firing + .5) / (g.n + 1) }
	for i, g := range groups {
		if i > 0 && groups[i-1].value == g.value {
			continue
		}
		for _, same := range groups[i+1:] {
			if same.value != g.value {
				break
			}
			g.n += same.n
			g.firing += same.firing
		}
		steps = append(steps, g)
		for k := len(steps) - 1; k > 0 && share(steps[k]) <= share(steps[k-1]); k-- {
			steps[k-1].n += steps[k].n
			steps[k-1].firing += steps[k].firing
			steps = steps[:k]
		}
	}
	list := make([]n2g.FireChance, len(steps))
	for i, g := range steps {
		list[i] = n2g.FireChance{From: g.value, Chance: share(g)}
	}
	return list
}

// logLoss is -Σ ln p over all tokens, p being the chance of what each does, a firing one.
func (t *truth) logLoss(predictions []float64, chances []n2g.FireChance) float64 {
	sum, fires := 0.0, 0.0
	predicted, lnFire, lnQuiet := math.NaN(), 0.0, 0.0 // most tokens are predicted like the one before
	for i, w := range t.judged {
		if w == 0 {
			continue
		}
		if predictions[i] != predicted {
			predicted = predictions[i]
			p := n2g.ChanceOf(chances, predicted)
			lnFire, lnQuiet = math.Log(p), math.Log1p(-p)
		}
		if t.values[i] >= firing {
			sum -= w * lnFire
			fires += w
		} else {
			sum -= w * lnQuiet
		}
	}
	if fires == 0 {
		return 0
	}
	return sum / fires
}

// valueError is the root of the mean squared error of predictions.
func (t *truth) valueError(predictions []float64) float64 {
	sum, n := 0.0, 0.0
	for i, w := range t.known {
		sum += w * (predictions[i] - t.values[i]) * (predictions[i] - t.values[i])
		n += w
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(sum / n)
}
