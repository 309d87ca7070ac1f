package contexttree

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// predictionsOf predicts every token of a split, in order of position.
func predictionsOf(c *Corpus, g *n2g.ContextGraph, split Split) []float64 {
	p := n2g.NewContextPredictor(g)
	vocabulary := p.Vocabulary(c.tokens)
	predictions := make([]float64, 0, c.Tokens(split))
	var window []int32
	for w, s := range c.splits {
		if s != split {
			continue
		}
		window = c.appendWords(window[:0], w, vocabulary.Words)
		predictions = p.AppendPredictions(predictions, vocabulary, window)
	}
	return predictions
}

// truth is what is known of the tokens of a split, in order of position.
type truth struct {
	values []float64 // share of the maximum; that of quiet tokens where it is not known
	// known is for how many tokens one stands among those whose value is known, 0 for the others.
	known []float64
	// judged is the same among those of which it is known whether they fire: 1 for all tokens, unless the neuron is so
	// dense that some firing tokens are not posted.
	judged []float64
}

func (c *Corpus) truth(a *Activations, split Split) *truth {
	n := c.Tokens(split)
	t := &truth{values: make([]float64, n), known: make([]float64, n), judged: make([]float64, n)}
	rank := c.ranks(split)
	posted := 0
	for i, p := range a.Positions {
		if k := rank(p); k >= 0 {
			t.values[k], t.known[k] = float64(a.Values[i])/a.Maximum, 1
			posted++
		}
	}
	var sampled []int
	a.eachSampled(c, func(p int32, value float64) {
		if k := rank(p); k >= 0 {
			t.values[k] = value
			sampled = append(sampled, k)
		}
	})
	for _, k := range sampled {
		t.known[k] = float64(n-posted) / float64(len(sampled))
	}
	if len(sampled) == 0 { // nothing better is known of the quiet tokens than that they are quiet
		for k := range t.known {
			t.known[k] = 1
		}
	}
	if a.thin() {
		copy(t.judged, t.known)
		return t
	}
	for k := range t.judged {
		t.judged[k] = 1
	}
	return t
}

// ranks tells the place of a position among those of a split, -1 if it is of another.
func (c *Corpus) ranks(split Split) func(position int32) int {
	before := make([]int32, len(c.splits)) // tokens of the split before each window
	n := int32(0)
	for w, s := range c.splits {
		before[w] = n
		if s == split {
			n += c.starts[w+1] - c.starts[w]
		}
	}
	return func(p int32) int {
		w := c.window[p]
		if c.splits[w] != split {
			return -1
		}
		return int(before[w] + p - c.starts[w])
	}
}

// firing is for how many firing tokens one stands.
func (t *truth) firing(i int32) float64 {
	if t.values[i] >= firing {
		return t.judged[i]
	}
	return 0
}

// averagePrecision is the area below the curve of precision over recall, in steps; equal predictions make one step.
func (t *truth) averagePrecision(predictions []float64) float64 {
	total, lowest := 0.0, math.Inf(1) // prediction of a token that fires: below it nothing is added
	for i := range t.values {
		if n := t.firing(int32(i)); n > 0 {
			total += n
			lowest = min(lowest, predictions[i])
		}
	}
	var order []int32
	for i, w := range t.judged {
		if w > 0 && predictions[i] >= lowest {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(predictions[b], predictions[a]) })
	area, before, predicted, hits := 0.0, 0.0, 0.0, 0.0
	for k, i := range order {
		predicted += t.judged[i]
		hits += t.firing(i)
		if k+1 < len(order) && predictions[order[k+1]] == predictions[i] {
			continue
		}
		area += (hits - before) / total * hits / predicted
		before = hits
	}
	return area
}

// groups are the tokens by what is predicted for them.
func (t *truth) groups(predictions []float64) []group {
	groups := make([]group, 0, len(predictions))
	for i, w := range t.judged {
		if w > 0 {
			groups = append(groups, group{predictions[i], w, t.firing(int32(i))})
		}
	}
	return groups
}

// scores compares predictions with the truth. Tokens predicted at the threshold or above count as predicted to fire.
func (t *truth) scores(predictions []float64, threshold float64) n2g.Scores {
	var count [2][2]float64 // [fires][predicted to]
	for i, w := range t.judged {
		count[is(t.values[i] >= firing)][is(predictions[i] >= threshold)] += w
	}
	s := n2g.Scores{
		Firing:    classScores(count[1][1], count[0][1], count[1][0]),
		NonFiring: classScores(count[0][0], count[1][0], count[0][1]),
	}
	s.AveragePrecision = t.averagePrecision(predictions)
	s.Pearson, s.R2 = t.correlation(predictions)
	return s
}

func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

func classScores(hits, falseAlarms, misses float64) n2g.ClassScores {
	ratio := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	return n2g.ClassScores{
		Precision: ratio(hits, hits+falseAlarms),
		Recall:    ratio(hits, hits+misses),
		F1:        ratio(2*hits, 2*hits+falseAlarms+misses),
		Support:   int(math.Round(hits + misses)),
	}
}

// correlation is Pearson's r of truth and prediction, and 1 - error/variance, each token counting for as many as it
// stands for.
func (t *truth) correlation(predictions []float64) (r, r2 float64) {
	var n, x, y float64
	for i, w := range t.known {
		n += w
		x += w * t.values[i]
		y += w * predictions[i]
	}
	if n == 0 {
		return 0, 0
	}
	x, y = x/n, y/n
	var xx, yy, xy, e float64
	for i, w := range t.known {
		a, b := t.values[i], predictions[i]
		xx += w * (a - x) * (a - x)
		yy += w * (b - y) * (b - y)
		xy += w * (a - x) * (b - y)
		e += w * (a - b) * (a - b)
	}
	if xx == 0 {
		return 0, 0
	}
	if yy > 0 {
		r = xy / math.Sqrt(xx*yy)
	}
	return r, 1 - e/xx
}
