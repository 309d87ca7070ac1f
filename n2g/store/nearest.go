package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Match is a neuron with how much it is like the one asked about.
type Match struct {
	n2g.Site
	Similarity float64 // weighted Jaccard, above 0 to 1
	Shared     int     // tokens in common
}

// Nearest ranks the neurons that share a token with n by the weighted Jaccard similarity of their sets of the kind, Σ
// min(a, b) / Σ max(a, b) over the tokens of either, where a and b are what the token weighs: the highest activation of
// an activating token's nodes, the highest importance of an important one's. n2g.AnyKind takes both sets, a token of
// each kind counting for itself. An empty hook of n is the store's own. Equals stand by layer and index; no more than
// limit are returned, all if it is 0.
func (t *Tokens) Nearest(n n2g.Site, kind n2g.TokenKind, limit int) ([]Match, error) {
	a, ok := slices.BinarySearchFunc(t.neurons, n,
		func(a, b n2g.Site) int { return a.WithoutHook().Compare(b.WithoutHook()) })
	if !ok || n.Hook != "" && n.Hook != t.neurons[a].Hook {
		return nil, fmt.Errorf("the store has no explanation of layer %d neuron %d", n.Layer, n.Index)
	}
	low := map[int32]float64{} // Σ min
	common := map[int32]int{}
	var totalA float64
	for _, k := range kindsOf(kind) {
		totalA += total(t.sets[k][a])
		for _, u := range t.sets[k][a] {
			for _, b := range t.users[k][u.token] {
				if int(b) != a {
					low[b] += float64(min(u.weight, t.weight(k, b, u.token)))
					common[b]++
				}
			}
		}
	}
	matches := []Match{}
	for b, sum := range low {
		var totalB float64
		for _, k := range kindsOf(kind) {
			totalB += total(t.sets[k][b])
		}
		// Σ max is what both weigh less what is counted twice.
		if sum > 0 {
			matches = append(matches, Match{t.neurons[b], sum / (totalA + totalB - sum), common[b]})
		}
	}
	slices.SortFunc(matches, func(x, y Match) int {
		return cmp.Or(cmp.Compare(y.Similarity, x.Similarity), x.Compare(y.Site))
	})
	if limit > 0 && len(matches) > limit {
		matches = matches[:limit]
	}
	return matches, nil
}

// weight is what a token weighs for a neuron that has it.
func (t *Tokens) weight(k int, neuron, token int32) float32 {
	set := t.sets[k][neuron]
	i, _ := slices.BinarySearchFunc(set, token, func(u use, token int32) int { return cmp.Compare(u.token, token) })
	return set[i].weight
}

func total(set []use) float64 {
	sum := 0.0
	for _, u := range set {
		sum += float64(u.weight)
	}
	return sum
}
