package contexttree

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Constants of the expected gain.
const (
	strength    = 2   // tokens that what is expected of a symbol's chance counts for
	alikeChance = 0.1 // part of a firing symbol's share that its neighbours are expected to have
	alikeTo     = 32  // symbols that fire most often, whose neighbours are looked at
	toCome      = 0.5 // tokens of a symbol in text to come, beyond those in as much text as there was
)

// gains are, by symbol, what it is expected to gain in log-loss of firing, in nats on text like the build documents, if
// it became known how often the neuron fires on the symbol. What is known of that chance is
// Beta(strength·prior + firing tokens, strength·(1-prior) + quiet ones); the prior is the share of all tokens that
// fire, and for a neighbour of a symbol that fires alikeChance of its share of the rest more. There are none for
// symbols of test documents alone.
func (q *asking) gains() []float64 {
	c := q.corpus
	fires := make([]float64, len(c.tokens))
	total := 0.0
	c.eachPosted(q.activations, func(p int32, value float64) {
		if value >= firing {
			fires[c.symbols[p]]++
			total++
		}
	})
	share := (total + .5) / float64(c.Tokens(Build)+1)
	alike := q.alikeShares(fires)
	gains := make([]float64, len(c.tokens))
	for symbol, n := range c.counts[Build] {
		if n+c.counts[Validate][symbol] > 0 {
			prior := share + (1-share)*alikeChance*alike[symbol]
			gains[symbol] = (float64(n) + toCome) *
				gainOfKnowing(strength*prior+fires[symbol], strength*(1-prior)+float64(n)-fires[symbol])
		}
	}
	return gains
}

// alikeShares are, by symbol, on what share of its tokens the most often firing of its neighbours fires.
func (q *asking) alikeShares(fires []float64) []float64 {
	c := q.corpus
	var known []int32
	for symbol, n := range fires {
		if n > 0 {
			known = append(known, int32(symbol))
		}
	}
	slices.SortStableFunc(known, func(a, b int32) int { return cmp.Compare(fires[b], fires[a]) })
	shares := make([]float64, len(fires))
	for _, symbol := range known[:min(len(known), alikeTo)] {
		share := fires[symbol] / float64(c.counts[Build][symbol])
		for _, id := range q.alike(int(c.example[symbol])) {
			if other, ok := c.numbers[q.Model.TokenString(id)]; ok {
				shares[other] = max(shares[other], share)
			}
		}
	}
	return shares
}

// gainOfKnowing is by how much the log-loss of a token is expected to fall, in nats, where the chance that it fires
// becomes known, of which so far is known Beta(a, b): the mutual information of the two.
func gainOfKnowing(a, b float64) float64 {
	p := a / (a + b)
	now := -p*math.Log(p) - (1-p)*math.Log1p(-p)
	known := p*(mathext.Digamma(a+b+1)-mathext.Digamma(a+1)) + (1-p)*(mathext.Digamma(a+b+1)-mathext.Digamma(b+1))
	return max(0, now-known)
}
