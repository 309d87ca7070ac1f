package index

import (
	"cmp"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"
)

// Fire is how often a neuron fires at some places, and how special that is to them.
type Fire struct {
	Neuron int // its number
	Fired  int // places, of those asked, on a token of which it fires
	// Share is the mean, over the places, of its activation there as a share of its maximum; what no posting tells counts
	// as 0.
	Share float64
	// Chance is the share of places of so many tokens at which it would fire if it fired anywhere with equal chance.
	Chance float64
	// Score is the logarithm of how much better Fired is explained by a share of its own than by Chance: the
	// log-likelihood ratio of Dunning (1993), 0 where the neuron fires no more than by chance.
	Score float64
}

// Fires ranks the neurons that fire at places, ranges [first, end) of positions, by how special that is to them:
// highest score first. Neurons that fire on none are left out. A dense neuron, whose keep level lies above half of its
// maximum, counts as firing where it has a posting.
func (x *Index) Fires(places [][2]int) ([]Fire, error) {
	for _, p := range places {
		if p[0] < 0 || p[1] <= p[0] || p[1] > x.meta.Positions {
			return nil, errDamaged
		}
	}
	places = slices.Clone(places)
	slices.SortFunc(places, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	workers := max(1, min(runtime.GOMAXPROCS(0), x.meta.Neurons()/64))
	found, failures := make([][]Fire, workers), make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			first, end := w*x.meta.Neurons()/workers, (w+1)*x.meta.Neurons()/workers
			for n := first; n < end; n++ {
				fire, err := x.firesAt(n, places)
				if err != nil {
					failures[w] = err
					return
				}
				if fire.Fired > 0 {
					found[w] = append(found[w], fire)
				}
			}
		})
	}
	wait.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	list := slices.Concat(found...)
	slices.SortFunc(list, func(a, b Fire) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Share, a.Share), cmp.Compare(a.Neuron, b.Neuron))
	})
	return list, nil
}

// firesAt is what one neuron does at places, which are sorted.
func (x *Index) firesAt(n int, places [][2]int) (Fire, error) {
	fire := Fire{Neuron: n}
	r, err := x.record(n, 0)
	if err != nil || r.count == 0 {
		return fire, err
	}
	one, err := x.neuron(n)
	if err != nil || one.notFinite > 0 {
		return fire, err
	}
	kept, err := x.open(r)
	if err != nil {
		return fire, err
	}
	half := FireShare * one.highest
	if half < r.level {
		half = r.level
	}
	tokens := 0
	at := cursor{lists: kept, span: -1}
	for _, p := range places {
		highest := at.highest(p[0], p[1])
		if fire.Share += float64(highest / one.highest); highest >= half {
			fire.Fired++
		}
		tokens += p[1] - p[0]
	}
	count := float64(len(places))
	fire.Share /= count
	density := float64(r.firing) / float64(max(1, x.meta.Counted))
	fire.Chance = 1 - math.Pow(1-density, float64(tokens)/count)
	if share := float64(fire.Fired) / count; share > fire.Chance {
		fire.Score = 2 * count * (logTerm(share, fire.Chance) + logTerm(1-share, 1-fire.Chance))
	}
	return fire, nil
}

// logTerm is p·ln(p/q), 0 where p is.
func logTerm(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p/q)
}

// cursor walks a list forward.
type cursor struct {
	lists
	span, low, high int // postings [low, high) of the span are ahead
}

// highest is the highest value at positions [first, end), 0 where there is no posting. No later call may ask about what
// lies before first.
func (c *cursor) highest(first, end int) float32 {
	best := float32(0)
	for first < end {
		if span := first >> 16; span != c.span {
			c.span = span
			c.low, c.high = int(binary.LittleEndian.Uint32(c.spans[4*span:])),
				int(binary.LittleEndian.Uint32(c.spans[4*span+4:]))
			if c.high > c.count || c.low > c.high {
				c.low, c.high = 0, 0
			}
		}
		c.skip(uint16(first))
		behind := min(end, (c.span+1)<<16) // of this span
		for at := c.low; at < c.high && c.span<<16+int(c.position(at)) < behind; at++ {
			best = max(best, c.value(at))
		}
		first = behind
	}
	return best
}

func (c *cursor) position(at int) uint16 { return binary.LittleEndian.Uint16(c.positions[2*at:]) }

// skip passes postings of the span before a position: by steps that double, then by halves.
func (c *cursor) skip(position uint16) {
	step := 1
	for c.low+step <= c.high && c.position(c.low+step-1) < position {
		c.low += step
		step *= 2
	}
	low, high := c.low, min(c.low+step, c.high)
	for low < high {
		if middle := int(uint(low+high) / 2); c.position(middle) < position {
			low = middle + 1
		} else {
			high = middle
		}
	}
	c.low = low
}

// FiringPlaces are positions at which a neuron fires, at most limit, evenly spread over the corpus.
func (x *Index) FiringPlaces(neuron, limit int) ([][2]int, error) {
	one, err := x.neuron(neuron)
	if err != nil {
		return nil, err
	}
	postings, err := x.Postings(neuron)
	if err != nil {
		return nil, err
	}
	postings = slices.DeleteFunc(postings, func(p Posting) bool { return p.Value < FireShare*one.highest })
	count := min(limit, len(postings))
	places := make([][2]int, count)
	for i := range places {
		p := int(postings[i*len(postings)/count].Position)
		places[i] = [2]int{p, p + 1}
	}
	return places, nil
}

// CoFiring ranks the neurons that fire where a neuron does, by how special that is to them; it looks at 512 places at
// most.
func (x *Index) CoFiring(neuron, limit int) ([]Fire, error) {
	if err := x.has(neuron, 0); err != nil {
		return nil, err
	}
	places, err := x.FiringPlaces(neuron, 512)
	if err != nil || len(places) == 0 {
		return nil, err
	}
	list, err := x.Fires(places)
	list = slices.DeleteFunc(list, func(f Fire) bool { return f.Neuron == neuron || f.Score == 0 })
	return list[:min(limit, len(list))], err
}
