package contexttree

import "slices"

// observation is a token of the corpus that stands for weight tokens of its kind.
type observation struct {
	position int32
	weight   float64
	value    float64 // share of the maximum
	fold     uint8
}

// firing is the share of the maximum from which a token fires.
const firing = 0.5

// Quiet tokens are drawn of each symbol: hardNegatives for each posted token of it, which are the contexts in which a
// token that can excite the neuron does not, and in any case one of quietEvery, and one.
const (
	hardNegatives = 2
	quietEvery    = 25
)

// evidence is what is known of a neuron in the documents of one split, ready to be asked about contexts.
type evidence struct {
	observations []observation
	places       int
	back         []int32  // of each observation the symbols at distance 0, 1, … and at those of its line
	near         []uint32 // of all observations, the distinct symbols before each: symbol<<nearBits | distance
	nearEnd      []int32
	repeated     []int32 // distance to the same symbol before, 0 if there is none near
}

// near tokens are those up to the widest window.
const (
	nearBits = 6
	farthest = 32
)

// observe draws the observations of a split: every posted token, and quiet tokens of every symbol, from all over the
// corpus, with the activation that quiet tokens of the symbol have on average. Weights make each symbol as frequent as
// it is. Sampled windows serve for that average only: their tokens stand together, so that they are poor witnesses of
// context.
func (l *learner) observe(split Split) []observation {
	c, a := l.corpus, l.activations
	observations := l.observations[:0]
	posted, drawn := l.posted, l.drawn
	clear(posted)
	clear(drawn)
	for i, p := range a.Positions {
		if c.split(p) != split {
			continue
		}
		posted[c.symbols[p]]++
		observations = append(observations, observation{position: p, weight: 1, value: float64(a.Values[i]) / a.Maximum})
	}
	strong := len(observations)
	for symbol := range c.tokens {
		places := c.places[split][c.first[split][symbol]:c.first[split][symbol+1]]
		want := min(max(hardNegatives*posted[symbol], int32(len(places))/quietEvery, 1), int32(len(places))-posted[symbol])
		value := l.quiet.of(int32(symbol))
		// One of each of want equal stretches of the corpus, from its middle on.
		for k := range want {
			from, to := int(k)*len(places)/int(want), int(k+1)*len(places)/int(want)
			for i := range to - from {
				p := places[from+(i+(to-from)/2)%(to-from)]
				if !a.posted(p) {
					observations = append(observations, observation{position: p, value: value})
					drawn[symbol]++
					break
				}
			}
		}
	}
	for i := strong; i < len(observations); i++ {
		symbol := c.symbols[observations[i].position]
		observations[i].weight = float64(c.counts[split][symbol]-posted[symbol]) / float64(drawn[symbol])
	}
	clear(posted) // which tests of a window count in
	for i := range observations {
		observations[i].fold = c.part(observations[i].position)
	}
	l.observations = observations
	return observations
}

// gather looks up the contexts of observations.
func (l *learner) gather(e *evidence, observations []observation) {
	c := l.corpus
	d := l.options.Distance
	e.places = l.places()
	e.observations = append(e.observations[:0], observations...)
	e.back = slices.Grow(e.back[:0], len(observations)*e.places)
	e.near, e.nearEnd, e.repeated = e.near[:0], e.nearEnd[:0], e.repeated[:0]
	start := int32(len(c.tokens))
	for _, o := range observations {
		text := c.symbols[c.starts[c.window[o.position]] : o.position+1]
		last := len(text) - 1
		symbol := text[last]
		for k := range d + 1 {
			if last-k >= 0 {
				e.back = append(e.back, text[last-k])
			} else {
				e.back = append(e.back, start)
			}
		}
		line := last - 1
		for line >= 0 && !c.newline[text[line]] {
			line--
		}
		for k := line; k < line+linePlaces; k++ {
			if k >= 0 && k <= last {
				e.back = append(e.back, text[k])
			} else {
				e.back = append(e.back, start)
			}
		}
		repeated := int32(0)
		l.stamp++
		for k := 1; k <= farthest && last-k >= 0; k++ {
			t := text[last-k]
			if l.stamps[t] == l.stamp {
				continue
			}
			l.stamps[t] = l.stamp
			e.near = append(e.near, uint32(t)<<nearBits|uint32(k-1))
			if t == symbol {
				repeated = int32(k)
			}
		}
		e.nearEnd = append(e.nearEnd, int32(len(e.near)))
		e.repeated = append(e.repeated, repeated)
	}
}

// nearOf are the symbols before an observation, nearest first.
func (e *evidence) nearOf(i int32) []uint32 {
	if i == 0 {
		return e.near[:e.nearEnd[0]]
	}
	return e.near[e.nearEnd[i-1]:e.nearEnd[i]]
}

// backOf is the symbol at a place: 0 … distance tokens back, then from the line's start.
func (e *evidence) backOf(i int32, place int) int32 { return e.back[int(i)*e.places+place] }

// linePlaces is the number of tokens of a line's beginning that tests ask for.
const linePlaces = 2

// places is the number of places that tests of a single token ask for.
func (l *learner) places() int { return l.options.Distance + 1 + linePlaces }
