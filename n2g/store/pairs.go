package store

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Pair is two neurons that are alike.
type Pair struct {
	A, B   n2g.Site
	Subset bool // one all but holds the other; else both are similar
}

// Pairs yields the published similar and subset pairs (section 9): neurons whose sets A and B of the kind have |A∩B| /
// max(|A|, |B|) of at least the threshold (above 0; published: 0.9), and of the others those whose |A∩B| / min(|A|,
// |B|) has. n2g.AnyKind asks it of both kinds, and then a neuron that lacks one of them is like none. A and B, and the
// pairs, stand by name as strings; but in subset pairs of one kind A has the larger set. It ends with an error if ctx
// does.
//
// It costs far less than comparing each with each: the smaller set of a pair shares all but a few of its tokens, hence
// one of its few rarest, so that only neurons which have one of those are looked at. There may be very many pairs,
// where many neurons have one token each; they are not kept.
func (t *Tokens) Pairs(ctx context.Context, kind n2g.TokenKind, threshold float64) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		m := t.newMatcher(kindsOf(kind), threshold)
		for done, a := range t.order {
			if done%256 == 0 && ctx.Err() != nil {
				yield(Pair{}, ctx.Err())
				return
			}
			for _, b := range m.candidates(a) {
				similar, subset := m.compare(a, b)
				if !similar && !subset {
					continue
				}
				first, second := a, b
				if subset && len(m.kinds) == 1 && len(t.sets[m.lead][b]) > len(t.sets[m.lead][a]) {
					first, second = b, a
				}
				if !yield(Pair{t.neurons[first], t.neurons[second], subset}, nil) {
					return
				}
			}
		}
	}
}

// matcher finds a neuron's partners.
type matcher struct {
	*Tokens
	kinds     []int
	threshold float64
	lead      int       // the kind by which partners are looked for
	place     []int32   // of a neuron in the order of names
	rare      [][]int32 // by token: the neurons that have it among their rarest
	seen      []int32   // a+1 for the candidates of neuron a
	list      []int32   // of candidates, used again
}

func (t *Tokens) newMatcher(kinds []int, threshold float64) *matcher {
	m := &matcher{Tokens: t, kinds: kinds, threshold: threshold, place: make([]int32, len(t.neurons)),
		seen: make([]int32, len(t.neurons))}
	for i, n := range t.order {
		m.place[n] = int32(i)
	}
	m.lead = slices.MinFunc(kinds, func(x, y int) int { return cmp.Compare(m.cost(x), m.cost(y)) })
	m.rare = make([][]int32, len(t.users[m.lead]))
	for n, set := range t.sets[m.lead] {
		for _, u := range rarest(set, threshold) {
			m.rare[u.token] = append(m.rare[u.token], int32(n))
		}
	}
	return m
}

// cost is about how many candidates there are by a kind.
func (m *matcher) cost(k int) int {
	sum := 0
	for _, set := range m.sets[k] {
		for _, u := range rarest(set, m.threshold) {
			sum += len(m.users[k][u.token])
		}
	}
	return sum
}

// required is how many of n tokens are at least the share threshold of them, 1 at least.
func required(n int, threshold float64) int {
	r := max(int(float64(n)*threshold)-1, 1)
	for r < n && float64(r)/float64(n) < threshold {
		r++
	}
	return r
}

// rarest are the tokens of a set of which a partner that is not smaller must have one, if they share the required
// number.
func rarest(set []use, threshold float64) []use {
	if len(set) == 0 {
		return nil
	}
	return set[:len(set)-required(len(set), threshold)+1]
}

// candidates returns, in the order of names, the neurons with later names than a that share one of the rarest tokens of
// the smaller set. The list is good until the next call.
func (m *matcher) candidates(a int32) []int32 {
	m.list = m.list[:0]
	sets := m.sets[m.lead]
	take := func(b int32) {
		if m.place[b] > m.place[a] && m.seen[b] != a+1 {
			m.seen[b] = a + 1
			m.list = append(m.list, b)
		}
	}
	for _, u := range rarest(sets[a], m.threshold) {
		for _, b := range m.users[m.lead][u.token] {
			if len(sets[b]) >= len(sets[a]) {
				take(b)
			}
		}
	}
	for _, u := range sets[a] {
		for _, b := range m.rare[u.token] {
			if len(sets[b]) < len(sets[a]) {
				take(b)
			}
		}
	}
	slices.SortFunc(m.list, func(x, y int32) int { return cmp.Compare(m.place[x], m.place[y]) })
	return m.list
}

// compare says whether two neurons are similar, or else whether one is a subset of the other.
func (m *matcher) compare(a, b int32) (similar, subset bool) {
	similar = true
	for _, k := range m.kinds {
		x, y := m.sets[k][a], m.sets[k][b]
		common := shared(x, y)
		if common == 0 || float64(common)/float64(min(len(x), len(y))) < m.threshold {
			return false, false
		}
		similar = similar && float64(common)/float64(max(len(x), len(y))) >= m.threshold
	}
	return similar, !similar
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
