package contexttree

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Activations are what is known of one neuron on a corpus: its strong activations everywhere, and all of them on some
// windows.
type Activations struct {
	Maximum float64 // what activations are divided by; above 0
	Level   float64 // every token above it is posted

	// Positions of the posted tokens in ascending order, and the activations there.
	Positions []int32
	Values    []float32

	// Sampled are windows drawn at random, ascending, and SampledValues the activations on all of their tokens, one
	// window after the other.
	Sampled       []int32
	SampledValues []float32
}

// ErrDead says that a neuron is nowhere above 0.
var ErrDead = errors.New("contexttree: the neuron is nowhere above 0 on the corpus, so it has no graph")

func (a *Activations) check(c *Corpus) error {
	if !(a.Maximum > 0) || math.IsInf(a.Maximum, 0) {
		return fmt.Errorf("%w (its maximum is %g)", ErrDead, a.Maximum)
	}
	if len(a.Positions) != len(a.Values) {
		return fmt.Errorf("contexttree: %d positions but %d activations", len(a.Positions), len(a.Values))
	}
	for i, p := range a.Positions {
		if p < 0 || int(p) >= len(c.symbols) || i > 0 && p <= a.Positions[i-1] {
			return fmt.Errorf("contexttree: position %d of %d tokens does not ascend within the corpus", p, len(c.symbols))
		}
	}
	tokens := 0
	for i, w := range a.Sampled {
		if w < 0 || int(w) >= len(c.splits) || i > 0 && w <= a.Sampled[i-1] {
			return fmt.Errorf("contexttree: sampled window %d of %d does not ascend within the corpus", w, len(c.splits))
		}
		tokens += int(c.starts[w+1] - c.starts[w])
	}
	if tokens != len(a.SampledValues) {
		return fmt.Errorf("contexttree: the sampled windows have %d tokens but there are %d activations", tokens,
			len(a.SampledValues))
	}
	return nil
}

// thin says whether some firing tokens are not posted.
func (a *Activations) thin() bool { return a.Level > firing*a.Maximum }

// incomplete says whether some firing tokens are not posted and, in a part of the corpus, no sample tells how many, as
// may be of little text.
func (a *Activations) incomplete(c *Corpus) bool {
	if !a.thin() {
		return false
	}
	var sampled [splits]bool
	for _, w := range a.Sampled {
		sampled[c.splits[w]] = true
	}
	for s := range splits {
		if !sampled[s] && c.Tokens(s) > 0 {
			return true
		}
	}
	return false
}

// posted says whether a position is.
func (a *Activations) posted(position int32) bool {
	_, ok := slices.BinarySearch(a.Positions, position)
	return ok
}

// quiet are the means of the activations that are not posted, as shares of the maximum: what is assumed of a token
// that is neither posted nor sampled.
type quiet struct {
	mean float64
	n    []float64 // sampled tokens of each symbol, in all splits but Test
	sum  []float64
}

// quietWeight is how many tokens the mean over all symbols counts for beside those of one.
const quietWeight = 4

func (q *quiet) of(symbol int32) float64 {
	return (q.sum[symbol] + quietWeight*q.mean) / (q.n[symbol] + quietWeight)
}

// quiet measures what is not posted, leaving test documents alone.
func (a *Activations) quiet(c *Corpus) *quiet {
	q := &quiet{n: make([]float64, len(c.tokens)), sum: make([]float64, len(c.tokens))}
	var n float64
	a.eachSampled(c, func(p int32, value float64) {
		if c.split(p) == Test {
			return
		}
		q.n[c.symbols[p]]++
		q.sum[c.symbols[p]] += value
		q.mean += value
		n++
	})
	if n > 0 {
		q.mean /= n
	}
	return q
}

// eachSampled visits the sampled tokens that are not posted, with their share of the maximum.
func (a *Activations) eachSampled(c *Corpus, visit func(position int32, value float64)) {
	k, posted := 0, 0
	for _, w := range a.Sampled {
		for p := c.starts[w]; p < c.starts[w+1]; p++ {
			for posted < len(a.Positions) && a.Positions[posted] < p {
				posted++
			}
			if posted == len(a.Positions) || a.Positions[posted] != p {
				visit(p, float64(a.SampledValues[k])/a.Maximum)
			}
			k++
		}
	}
}
