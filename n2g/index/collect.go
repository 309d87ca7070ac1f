package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// Posting is a place at which a neuron's activation is kept.
type Posting struct {
	Position uint32
	Value    float32 // of the second sign, the activation's negative
}

// Collector takes the activations of a corpus, window by window, in any order. It is safe for concurrent use.
type Collector struct {
	corpus  *Index
	options Options
	sites   []Site
	offsets []int // number of each site's first neuron
	neurons []neuron
	lists   []list // by neuron, then sign
	counts  []uint32
	earlier []uint32 // counts of parts that are written already; nil if there are none
	stripes []sync.Mutex
	sample  map[int]int // place of a sampled window's first token among the sampled tokens
	sampled int         // tokens of the sample
	values  []uint16    // their activations, by neuron; nil where there is no sample

	mu      sync.Mutex
	pending map[int]int // windows of which some sites, so many, are still to come
	covered []bool
}

// stripe is the number of neurons under one lock.
const stripe = 64

// neuron is what is counted of one.
type neuron struct {
	highest, lowest float32
	sum             fixed
	notFinite       uint32 // activations that were NaN or infinite
}

// fixed is a sum in units of 2^-64: its order does not matter.
type fixed struct {
	high int64
	low  uint64
}

func (f *fixed) add(v float64) {
	whole := math.Floor(v)
	fraction := uint64(math.Ldexp(v-whole, 53)) << 11
	f.plus(fixed{int64(whole), fraction})
}

func (f *fixed) plus(g fixed) {
	low, carry := bits.Add64(f.low, g.low, 0)
	f.low = low
	f.high += g.high + int64(carry)
}

func (f fixed) float() float64 { return float64(f.high) + math.Ldexp(float64(f.low), -64) }

// list is what is kept of one sign of a neuron.
type list struct {
	floor    float32 // what lies below it need not be kept
	postings []Posting
	top      []Posting // the best of parts that are written already, one a window
}

// NewCollector begins to index neurons of the sites on a corpus, which [CorpusBuilder.Corpus] made.
func NewCollector(corpus *Index, sites []Site, o Options) (*Collector, error) {
	meta := corpus.meta
	meta.Sites = sites
	if err := meta.check(); err != nil {
		return nil, fmt.Errorf("index: it %w", err)
	}
	if len(sites) == 0 {
		return nil, errors.New("index: no layer to index: name at least one")
	}
	o = o.resolved()
	c := &Collector{corpus: corpus, options: o, sites: slices.Clone(sites), pending: map[int]int{}, covered: make([]bool, meta.Windows)}
	n := 0
	for _, site := range sites {
		c.offsets = append(c.offsets, n)
		n += site.Neurons
	}
	c.neurons = make([]neuron, n)
	c.lists = make([]list, n*o.Signs)
	c.counts = make([]uint32, n*o.Signs*slots)
	c.stripes = make([]sync.Mutex, (n+stripe-1)/stripe)
	for i := range c.neurons {
		c.neurons[i].highest, c.neurons[i].lowest = float32(math.Inf(-1)), float32(math.Inf(1))
	}
	sample, err := corpus.Sample()
	if err != nil {
		return nil, err
	}
	c.sample = map[int]int{}
	for _, w := range sample {
		first, end, err := corpus.bounds(w)
		if err != nil {
			return nil, err
		}
		c.sample[w] = c.sampled
		c.sampled += end - first
	}
	if c.sampled > 0 {
		c.values = make([]uint16, n*c.sampled)
	}
	return c, nil
}

// Add takes a site's activations on a window: values[j*site.Neurons+n] is that of the site's n-th neuron on the window's
// j-th token, BOS in front not among them. Every site gives every window once.
func (c *Collector) Add(site, window int, values []float32) error {
	if site < 0 || site >= len(c.sites) {
		return fmt.Errorf("index: site %d of %d", site, len(c.sites))
	}
	w, err := c.corpus.Window(window)
	if err != nil {
		return err
	}
	width, tokens := c.sites[site].Neurons, w.End-w.First
	if len(values) != tokens*width {
		return fmt.Errorf("index: %d values of %d tokens and %d neurons", len(values), tokens, width)
	}
	ids, err := c.corpus.IDs(w.First, w.End)
	if err != nil {
		return err
	}
	if err := c.begin(window); err != nil {
		return err
	}
	skip := slices.Index(ids, c.corpus.meta.BOS) // the first token that does not count
	offset := c.offsets[site]
	first, last := offset/stripe, (offset+width-1)/stripe
	count := last - first + 1
	column := make([]float32, tokens)
	for k := range count {
		s := first + (k+window)%count // windows that come at once begin at different stripes
		c.stripes[s].Lock()
		for n := max(s*stripe, offset); n < min((s+1)*stripe, offset+width); n++ {
			c.addColumn(n, w, ids, skip, values[n-offset:], width, column)
		}
		c.stripes[s].Unlock()
	}
	return c.end(window)
}

// begin and end account for the sites of a window.
func (c *Collector) begin(window int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	left, begun := c.pending[window]
	if !begun {
		left = len(c.sites)
	}
	if c.covered[window] || left == 0 {
		return fmt.Errorf("index: window %d was added before", window)
	}
	c.pending[window] = left - 1
	return nil
}

func (c *Collector) end(window int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[window] == 0 {
		delete(c.pending, window)
		c.covered[window] = true
	}
	return nil
}

// addColumn takes one neuron's activations on a window: every width-th of values.
func (c *Collector) addColumn(n int, w Window, ids []int, skip int, values []float32, width int, column []float32) {
	for j, at := 0, 0; j < len(column); j, at = j+1, at+width {
		column[j] = values[at]
	}
	if at, ok := c.sample[w.Number]; ok {
		kept := c.values[n*c.sampled+at:]
		for j, v := range column {
			kept[j] = toBrain(v)
		}
	}
	places := []int(nil) // of what counts; nil: all
	if skip >= 0 {
		column, places = countedOf(column, ids, c.corpus.meta.BOS)
	}
	l := &c.lists[n*c.options.Signs]
	counts := c.counts[n*c.options.Signs*slots : (n*c.options.Signs+1)*slots]
	highest, lowest, sum, floor := float32(math.Inf(-1)), float32(math.Inf(1)), 0.0, l.floor
	before := len(l.postings)
	for j, v := range column {
		counts[slot(v)]++
		highest, lowest = max(highest, v), min(lowest, v)
		sum += float64(v)
		if v >= floor && v > 0 {
			l.postings = append(l.postings, Posting{uint32(w.First + j), v})
		}
	}
	count := &c.neurons[n]
	if sum-sum != 0 { // NaN or infinite
		for _, v := range column {
			if v-v != 0 {
				counts[slot(v)]--
				count.notFinite++
			}
		}
		l.postings = slices.DeleteFunc(l.postings, func(p Posting) bool { return p.Value-p.Value != 0 })
		highest, lowest, sum = float32(math.Inf(-1)), float32(math.Inf(1)), 0
		for _, v := range column {
			if v-v == 0 {
				highest, lowest, sum = max(highest, v), min(lowest, v), sum+float64(v)
			}
		}
	}
	for i := before; places != nil && i < len(l.postings); i++ {
		l.postings[i].Position = uint32(w.First + places[int(l.postings[i].Position)-w.First])
	}
	if len(column) > 0 {
		count.highest, count.lowest = max(count.highest, highest), min(count.lowest, lowest)
		count.sum.add(sum)
	}
	if len(l.postings) >= 512 && cap(l.postings)-len(l.postings) < len(column) {
		c.thin(n*c.options.Signs, count.highest)
	}
	if c.options.Signs == 2 {
		c.addNegative(n, w, column, places)
	}
}

// addNegative takes the second sign of a column.
func (c *Collector) addNegative(n int, w Window, column []float32, places []int) {
	l := &c.lists[2*n+1]
	counts := c.counts[(2*n+1)*slots : (2*n+2)*slots]
	for j, v := range column {
		if v-v != 0 {
			continue
		}
		v = -v
		counts[slot(v)]++
		if v >= l.floor && v > 0 {
			if places != nil {
				j = places[j]
			}
			l.postings = append(l.postings, Posting{uint32(w.First + j), v})
		}
	}
	if len(l.postings) >= 512 && cap(l.postings)-len(l.postings) < len(column) {
		c.thin(2*n+1, -c.neurons[n].lowest)
	}
}

// countedOf are the activations of a column but those on BOS, and the places of the others.
func countedOf(column []float32, ids []int, bos int) (counted []float32, places []int) {
	for j, id := range ids {
		if id != bos {
			counted, places = append(counted, column[j]), append(places, j)
		}
	}
	return counted, places
}

// toBrain is the upper half of a float32, rounded to the nearest, of equals to the even one: a bfloat16.
func toBrain(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 1<<6
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func fromBrain(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// thin raises a list's floor to what is known by now, drops what lies below, and makes room.
func (c *Collector) thin(i int, highest float32) {
	l := &c.lists[i]
	l.floor = max(l.floor, c.level(i, highest))
	l.postings = slices.DeleteFunc(l.postings, func(p Posting) bool { return p.Value < l.floor })
	if len(l.postings) > cap(l.postings)*3/4 {
		l.postings = slices.Grow(l.postings, cap(l.postings))
	}
}

// level is the keep level of a list as far as is known.
func (c *Collector) level(i int, highest float32) float32 {
	l := &c.lists[i]
	counts := c.counts[i*slots+1 : (i+1)*slots]
	if c.earlier != nil {
		counts = slices.Clone(counts)
		for bin := range counts {
			counts[bin] += c.earlier[i*slots+1+bin]
		}
	}
	sortPostings(l.postings)
	peaks := append(slices.Clone(l.top), c.corpus.peaks(l.postings)...)
	top := best(peaks, c.options.Examples)
	least := float32(0)
	if len(top) == c.options.Examples && len(top) > 0 {
		least = top[len(top)-1].Value
	} else if c.options.Examples == 0 {
		least = float32(math.Inf(1))
	}
	level, _ := c.options.keepLevel(counts, c.corpus.meta.Counted, highest, least)
	return level
}

func sortPostings(list []Posting) {
	byPosition := func(a, b Posting) int { return cmp.Compare(a.Position, b.Position) }
	if !slices.IsSortedFunc(list, byPosition) {
		slices.SortFunc(list, byPosition)
	}
}

// peaks are the highest postings of each window, the first of equals, of windows that repeat no other; postings are
// sorted by position.
func (x *Index) peaks(postings []Posting) []Posting {
	table := x.windows
	var peaks []Posting
	window, end, repeats := -1, uint32(0), false
	for _, p := range postings {
		if window < 0 || p.Position >= end {
			window = windowAt(table, window+1, x.meta.Windows, int(p.Position))
			end = binary.LittleEndian.Uint32(table[(window+1)*windowSize:])
			if repeats = binary.LittleEndian.Uint32(table[window*windowSize+4:])&repeatsBit != 0; !repeats {
				peaks = append(peaks, p)
			}
			continue
		}
		if !repeats && p.Value > peaks[len(peaks)-1].Value {
			peaks[len(peaks)-1] = p
		}
	}
	return peaks
}

// best are the n highest of peaks, the earlier of equals first.
func best(peaks []Posting, n int) []Posting {
	slices.SortFunc(peaks, func(a, b Posting) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Position, b.Position))
	})
	return peaks[:min(n, len(peaks))]
}

// Index ends collecting and gives the whole in memory.
func (c *Collector) Index() (*Index, error) {
	var file bytes.Buffer
	if err := join(&file, c.corpus, []source{collected{c}}, c.options, true); err != nil {
		return nil, err
	}
	return Read(file.Bytes())
}
