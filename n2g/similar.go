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

// TokenIndex finds neurons by their tokens, and neurons that are alike (section 9). It is read-only once made, hence
// safe for concurrent use.
type TokenIndex struct {
	names []string // sorted
	// Of the activating and the important tokens: how many each neuron has, and which neurons have each, ascending.
	sizes    [2][]int
	postings [2]map[string][]int
}

// NewTokenIndex indexes the token sets of neurons by name, such as "3_1048". A token named twice in a set counts once.
func NewTokenIndex(sets map[string]TokenSets) *TokenIndex {
	x := &TokenIndex{names: notNil(slices.Sorted(maps.Keys(sets)))}
	for k := range x.postings {
		x.sizes[k] = make([]int, len(x.names))
		x.postings[k] = map[string][]int{}
	}
	for i, name := range x.names {
		for k, tokens := range [2][]string{sets[name].Activating, sets[name].Important} {
			for _, token := range tokens {
				if list := x.postings[k][token]; len(list) == 0 || list[len(list)-1] != i {
					x.postings[k][token] = append(list, i)
					x.sizes[k][i]++
				}
			}
		}
	}
	return x
}

// TokenQuery asks for a token among those of a kind.
type TokenQuery struct {
	Token string // as any spelling of it: it is normalised
	Kind  TokenKind
}

// Search returns the names, sorted, of the neurons that have all of the tokens; of every neuron if none is asked.
func (x *TokenIndex) Search(queries ...TokenQuery) []string {
	matched := make([]int, len(x.names)) // queries so far
	for number, q := range queries {
		token := NormalizeToken(q.Token)
		for k := range x.postings {
			if q.Kind == AnyKind || k == int(q.Kind-ActivatingKind) {
				for _, i := range x.postings[k][token] {
					if matched[i] == number {
						matched[i]++
					}
				}
			}
		}
	}
	found := []string{}
	for i, n := range matched {
		if n == len(queries) {
			found = append(found, x.names[i])
		}
	}
	return found
}

// Similar returns the pairs of neurons whose sets A and B of the kind are alike, |A∩B| / max(|A|, |B|) being at least
// the threshold (above 0; 0.9 in the published program), and of the others those where one all but holds the other,
// |A∩B| / min(|A|, |B|) being so. AnyKind asks it of both kinds, and a neuron that lacks one of them is like none.
// Pairs are sorted; within a pair names are in order, but for the subsets of one kind the larger set stands first.
func (x *TokenIndex) Similar(kind TokenKind, threshold float64) (similar, subset [][2]string) {
	similar, subset = [][2]string{}, [][2]string{}
	kinds := []int{0, 1}
	if kind != AnyKind {
		kinds = []int{int(kind - ActivatingKind)}
	}
	tokens := x.tokens()
	var common [2][]int // tokens that neuron a shares with each other
	for k := range common {
		common[k] = make([]int, len(x.names))
	}
	for a := range x.names {
		for _, k := range kinds {
			clear(common[k])
			for _, token := range tokens[k][a] {
				for _, b := range x.postings[k][token] {
					common[k][b]++
				}
			}
		}
		for b := a + 1; b < len(x.names); b++ {
			all := func(size func(a, b int) int) bool {
				return !slices.ContainsFunc(kinds, func(k int) bool {
					return common[k][b] == 0 || ratio(common[k][b], size(x.sizes[k][a], x.sizes[k][b])) < threshold
				})
			}
			pair := [2]string{x.names[a], x.names[b]}
			switch {
			case all(larger):
				similar = append(similar, pair)
			case all(smaller):
				if kind != AnyKind && x.sizes[kinds[0]][b] > x.sizes[kinds[0]][a] {
					pair[0], pair[1] = pair[1], pair[0]
				}
				subset = append(subset, pair)
			}
		}
	}
	slices.SortFunc(subset, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return similar, subset
}

func larger(a, b int) int  { return max(a, b) }
func smaller(a, b int) int { return min(a, b) }

// tokens are the sets again, by neuron.
func (x *TokenIndex) tokens() (of [2][][]string) {
	for k := range of {
		of[k] = make([][]string, len(x.names))
		for token, list := range x.postings[k] {
			for _, i := range list {
				of[k][i] = append(of[k][i], token)
			}
		}
	}
	return of
}
