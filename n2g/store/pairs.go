package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Pair is two neurons that are alike.
type Pair [2]Neuron

// Pairs returns the published similar and subset pairs (section 9): neurons whose sets A and B of the kind have
// |A∩B| / max(|A|, |B|) of at least the threshold (above 0; published: 0.9), and of the others those whose
// |A∩B| / min(|A|, |B|) has. n2g.AnyKind asks it of both kinds, and then a neuron that lacks one of them is like none. Neurons of a
// pair, and pairs, stand by name as strings; in subset pairs of one kind the larger set stands first.
//
// It costs far less than comparing each with each: the smaller set of a pair shares all but a few of its tokens, hence
// one of its few rarest, so that only neurons which have one of those are looked at.
func (t *Tokens) Pairs(ctx context.Context, kind n2g.TokenKind, threshold float64) (similar, subset []Pair, err error) {
	kinds := kindsOf(kind)
	lead := t.cheapest(kinds, threshold)
	place := make([]int32, len(t.neurons)) // in the order of names
	for i, n := range t.order {
		place[n] = int32(i)
	}
	var found [2][][2]int32 // similar and subset, by place
	seen := make([]int32, len(t.neurons))
	for a := range t.neurons {
		if a%1024 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		for _, b := range t.candidates(lead, a, threshold, seen) {
			all := func(size func(a, b int) int) bool {
				return !slices.ContainsFunc(kinds, func(k int) bool {
					setA, setB := t.sets[k][a], t.sets[k][b]
					common := shared(setA, setB)
					return common == 0 || float64(common)/float64(size(len(setA), len(setB))) < threshold
				})
			}
			pair := [2]int32{min(place[a], place[b]), max(place[a], place[b])}
			switch {
			case !all(smaller):
			case all(larger):
				found[0] = append(found[0], pair)
			default:
				if first, second := t.sets[lead][t.order[pair[0]]], t.sets[lead][t.order[pair[1]]]; len(kinds) == 1 && len(second) > len(first) {
					pair[0], pair[1] = pair[1], pair[0]
				}
				found[1] = append(found[1], pair)
			}
		}
	}
	return t.named(found[0]), t.named(found[1]), nil
}

func larger(a, b int) int  { return max(a, b) }
func smaller(a, b int) int { return min(a, b) }

// required is how many of n tokens are at least the share threshold of them, 1 at least.
func required(n int, threshold float64) int {
	r := max(int(float64(n)*threshold)-1, 1)
	for r < n && float64(r)/float64(n) < threshold {
		r++
	}
	return r
}

// rarest are the tokens of which the set's partner must have one, if they share the required number.
func rarest(set []use, threshold float64) []use {
	if len(set) == 0 {
		return nil
	}
	return set[:len(set)-required(len(set), threshold)+1]
}

// candidates returns neurons whose set is not smaller than a's and that share one of a's rarest tokens, each pair of
// equal size from one side only. seen marks them with a+1.
func (t *Tokens) candidates(k, a int, threshold float64, seen []int32) []int {
	var list []int
	own := t.sets[k][a]
	for _, u := range rarest(own, threshold) {
		for _, b := range t.users[k][u.token] {
			size := len(t.sets[k][b])
			if size < len(own) || size == len(own) && int(b) <= a || seen[b] == int32(a)+1 {
				continue
			}
			seen[b] = int32(a) + 1
			list = append(list, int(b))
		}
	}
	return list
}

// cheapest is the kind by which fewest neurons have to be looked at.
func (t *Tokens) cheapest(kinds []int, threshold float64) int {
	return slices.MinFunc(kinds, func(x, y int) int { return cmp.Compare(t.cost(x, threshold), t.cost(y, threshold)) })
}

func (t *Tokens) cost(k int, threshold float64) int {
	sum := 0
	for _, set := range t.sets[k] {
		for _, u := range rarest(set, threshold) {
			sum += len(t.users[k][u.token])
		}
	}
	return sum
}

// shared counts the tokens that two sorted sets have in common.
func shared(a, b []use) int {
	count := 0
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].token < b[0].token:
			a = a[1:]
		case a[0].token > b[0].token:
			b = b[1:]
		default:
			count++
			a, b = a[1:], b[1:]
		}
	}
	return count
}

// named sorts pairs of places, and says which neurons they are.
func (t *Tokens) named(places [][2]int32) []Pair {
	slices.SortFunc(places, func(x, y [2]int32) int { return slices.Compare(x[:], y[:]) })
	pairs := make([]Pair, len(places))
	for i, p := range places {
		pairs[i] = Pair{t.neurons[t.order[p[0]]], t.neurons[t.order[p[1]]]}
	}
	return pairs
}
