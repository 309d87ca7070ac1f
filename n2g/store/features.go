package store

import (
	"maps"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// weightedToken is a token of a kind with what it weighs in the weighted Jaccard similarity.
type weightedToken struct {
	token, kind string
	weight      float64
}

// Names of token kinds in the database.
const (
	activating = "activating"
	important  = "important"
)

// weightedTokens are the tokens of n2g.NewTokenSets, an activating one weighted by the highest activation and an
// important one by the highest importance of its nodes, within [0, 1]; sorted.
func weightedTokens(root *n2g.Node) []weightedToken {
	weights := [2]map[string]float64{{}, {}}
	if root != nil {
		for node := range root.Nodes() {
			switch {
			case node.Ignore:
			case node.Activator:
				weights[0][node.Token] = max(weights[0][node.Token], min(node.Activation, 1))
			case node.Important:
				weights[1][node.Token] = max(weights[1][node.Token], min(node.Importance, 1))
			}
		}
	}
	var tokens []weightedToken
	for k, kind := range [2]string{activating, important} {
		for _, token := range slices.Sorted(maps.Keys(weights[k])) {
			tokens = append(tokens, weightedToken{token, kind, weights[k][token]})
		}
	}
	return tokens
}

// repeated counts the activating tokens that recur in their own context: those of the trie's first nodes with the same
// token somewhere below, where all that is not ignored is important context.
func repeated(root *n2g.Node) int {
	count := 0
	if root == nil {
		return 0
	}
	for _, first := range root.Children {
		for node := range first.Nodes() {
			if !node.Ignore && node.Token == first.Token {
				count++
				break
			}
		}
	}
	return count
}
