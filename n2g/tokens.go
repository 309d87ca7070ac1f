package n2g

import (
	"maps"
	"slices"
)

// TokenKind tells which of a neuron's TokenSets is meant.
type TokenKind int

const (
	// AnyKind is either set when searching, and both at once when comparing.
	AnyKind TokenKind = iota
	// ActivatingKind is the set of activating tokens.
	ActivatingKind
	// ImportantKind is the set of important context tokens.
	ImportantKind
)

// TokenSets are the tokens a neuron is about, each sorted and once, for search and comparison (section 9). A token
// may be in both.
type TokenSets struct {
	Activating []string `json:"activating"` // tokens on which the neuron fires
	Important  []string `json:"important"`  // tokens of the context that matter to it
}

// NewTokenSets collects the token sets of a merged trie: every node's token at any depth, activating if the node is
// an activator, else important if it is important. A nil trie has none.
func NewTokenSets(root *Node) TokenSets {
	activating, important := map[string]bool{}, map[string]bool{}
	if root != nil {
		for node := range root.Nodes() {
			switch {
			case node.Ignore:
			case node.Activator:
				activating[node.Token] = true
			case node.Important:
				important[node.Token] = true
			}
		}
	}
	return TokenSets{
		Activating: notNil(slices.Sorted(maps.Keys(activating))),
		Important:  notNil(slices.Sorted(maps.Keys(important))),
	}
}
