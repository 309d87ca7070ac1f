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
	"sort"
	"sync"
	"sync/atomic"
)

// Posting is a place at which a neuron's activation is kept.
type Posting struct {
	Position uint32
	// Value is the activation, of the second sign its negative: exact at the peaks of top examples, elsewhere rounded down
	// by a share of 2^-11 at most, so that what reaches half of the maximum, or a quarter, does so after rounding.
	Value float32
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
	binned  []binned // by neuron, lanes at a time
	before  []neuron // of parts that are written already
	earlier []uint32 // counts of those; nil if there are none
	stripes []sync.Mutex
	sample  []sampled // its windows

	bos   []uint64 // a bit for each position that holds BOS
	worth int      // postings of a list from which on its level can lie above what is kept
	turn  atomic.Uint32
	held  atomic.Int64 // postings in memory, or a few more, and the sample's values as so many postings as they take

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

// noNeuron is what is counted of nothing.
var noNeuron = neuron{highest: float32(math.Inf(-1)), lowest: float32(math.Inf(1))}

// merge adds what was counted elsewhere.
func (n *neuron) merge(m neuron) {
	n.highest, n.lowest = max(n.highest, m.highest), min(n.lowest, m.lowest)
	n.sum.plus(m.sum)
	n.notFinite += m.notFinite
}

// fixed is a sum of activations, each a whole number of units of 2^-34, so that its order does not matter: 128 bits,
// the lower 64 unsigned.
type fixed struct {
	high int64
	low  uint64
}

const (
	fixedUnit  = 1 << 34
	fixedWhole = 1 << 12 // units of the part that comes first where 32 bits must do
	// fixedBound keeps a sum of most activations from the ends of 32 bits, in either part.
	fixedBound = 1 << 10
	most       = 256
)

// lanes is the number of neighbouring neurons that are counted at a time: their activations fill a cache line.
const lanes = 16

// tally is what the activations of lanes neurons on some rows amount to, one neuron an element.
type tally struct {
	highest, lowest [lanes]float32
	magnitude       [lanes]int32 // bits of the largest
	sums            [lanes]int64 // in units of 1/fixedUnit
	// kept are the places of those that are kept, row · lanes + neuron, ascending.
	kept  [(most + 1) * lanes]uint16
	count int // of them
}

func (f *fixed) plus(g fixed) {
	low, carry := bits.Add64(f.low, g.low, 0)
	f.low = low
	f.high += g.high + int64(carry)
}

// add adds an activation. What is beyond 2^64 counts as that.
func (f *fixed) add(v float32) {
	units := math.Trunc(float64(v) * fixedUnit)
	units = max(min(units, 1<<100), -1<<100)
	high := math.Floor(units / (1 << 64))
	f.plus(fixed{int64(high), uint64(units - high*(1<<64))})
}

func (f fixed) float() float64 {
	return (math.Ldexp(float64(f.high), 64) + float64(f.low)) / fixedUnit
}

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
	c := &Collector{corpus: corpus, options: o, sites: slices.Clone(sites), pending: map[int]int{},
		covered: make([]bool, meta.Windows)}
	n := 0
	for _, site := range sites {
		c.offsets = append(c.offsets, n)
		n += site.Neurons
	}
	c.lists = make([]list, n*o.Signs)
	c.counts = make([]uint32, n*o.Signs*slots)
	c.binned = make([]binned, (n+lanes-1)/lanes)
	c.stripes = make([]sync.Mutex, (n+stripe-1)/stripe)
	c.neurons, c.before = slices.Repeat([]neuron{noNeuron}, n), slices.Repeat([]neuron{noNeuron}, n)
	if o.SampleEvery > 0 {
		for _, w := range corpus.sample {
			first, end := corpus.bounds(w)
			c.sample = append(c.sample, sampled{first: first, end: end})
		}
	}
	c.worth = max(512, int(o.Keep*float64(meta.Counted)))
	return c, c.findBOS()
}

// sampled is a window of the sample: its positions, and the activations of all neurons, one neuron's after the other's,
// from the first that is added until they are written.
type sampled struct {
	first, end int
	values     []uint16
}

// findBOS finds the positions that hold BOS.
func (c *Collector) findBOS() error {
	n := c.corpus.meta.Positions
	c.bos = make([]uint64, n/64+1)
	for first := 0; first < n; first += 1 << 16 {
		ids, err := c.corpus.IDs(first, min(first+1<<16, n))
		if err != nil {
			return err
		}
		for i, id := range ids {
			if id == c.corpus.meta.BOS {
				c.bos[(first+i)/64] |= 1 << ((first + i) % 64)
			}
		}
	}
	return nil
}

// Add takes a site's activations on a window: values[j*site.Neurons+n] is that of the site's n-th neuron on the
// window's j-th token, BOS in front not among them. Every site gives every window once; after the last, the window is
// done.
func (c *Collector) Add(site, window int, values []float32) error {
	w, err := c.corpus.Window(window)
	if err != nil {
		return err
	}
	c.mu.Lock()
	left, begun := c.pending[window]
	if !begun {
		left = len(c.sites)
	}
	c.pending[window] = left - 1
	c.mu.Unlock()
	positions := make([]int, w.End-w.First)
	for j := range positions {
		positions[j] = w.First + j
	}
	if err := c.Rows(site, positions, values); err != nil || left > 1 {
		return err
	}
	return c.Done(window, window+1)
}

// Rows takes a site's activations on some tokens: values[k*site.Neurons+n] is that of the site's n-th neuron at
// position positions[k], or, where that is -1, on the BOS in front of a window, which counts nowhere. Every site gives
// every position of a window once before the window is [Collector.Done].
func (c *Collector) Rows(site int, positions []int, values []float32) error {
	if site < 0 || site >= len(c.sites) {
		return fmt.Errorf("index: site %d of %d", site, len(c.sites))
	}
	width := c.sites[site].Neurons
	if len(values) != len(positions)*width {
		return fmt.Errorf("index: %d values of %d tokens and %d neurons", len(values), len(positions), width)
	}
	for len(positions) > most {
		if err := c.Rows(site, positions[:most], values[:most*width]); err != nil {
			return err
		}
		positions, values = positions[most:], values[most*width:]
	}
	r := rows{places: make([]int, 0, len(positions)), positions: make([]uint32, 0, len(positions))}
	for k, p := range positions {
		if p < -1 || p >= c.corpus.meta.Positions {
			return fmt.Errorf("index: position %d of %d", p, c.corpus.meta.Positions)
		}
		if p < 0 {
			continue
		}
		if s := c.sampleAt(p); s != nil {
			r.sampled = append(r.sampled, sampledRow{k * width, s.end - s.first, c.valuesOf(s)[p-s.first:]})
		}
		if c.bos[p/64]>>(p%64)&1 == 0 {
			r.places, r.positions = append(r.places, k*width), append(r.positions, uint32(p))
		}
	}
	offset := c.offsets[site]
	first, last := offset/stripe, (offset+width-1)/stripe
	count := last - first + 1
	var t tally
	turn := int(c.turn.Add(7)) % count
	for k := range count {
		s := first + (k+turn)%count // callers at the same time begin at different stripes
		c.stripes[s].Lock()
		added := 0
		for n, end := max(s*stripe, offset), min((s+1)*stripe, offset+width); n < end; {
			if vectors && c.options.Signs == 1 && n%lanes == 0 && n+lanes <= end {
				added += c.columns(n, &r, values[n-offset:], &t)
				n += lanes
			} else {
				added += c.column(n, &r, values[n-offset:])
				n++
			}
		}
		c.stripes[s].Unlock()
		c.held.Add(int64(added))
	}
	return nil
}

// sampleAt is the window of the sample that a position lies in, nil if it lies in none.
func (c *Collector) sampleAt(position int) *sampled {
	i := sort.Search(len(c.sample), func(i int) bool { return c.sample[i].end > position })
	if i == len(c.sample) || position < c.sample[i].first {
		return nil
	}
	return &c.sample[i]
}

// valuesOf makes room for the activations on a window of the sample when they are first added.
func (c *Collector) valuesOf(s *sampled) []uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.values == nil {
		s.values = make([]uint16, len(c.neurons)*(s.end-s.first))
		c.held.Add(int64(len(s.values)) / 4)
	}
	return s.values
}

// Done says that all sites have given all positions of windows [first, end).
func (c *Collector) Done(first, end int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := first; w < end; w++ {
		if w < 0 || w >= len(c.covered) || c.covered[w] {
			return fmt.Errorf("index: window %d was added before, or is none of %d", w, len(c.covered))
		}
		c.covered[w] = true
		delete(c.pending, w)
	}
	return nil
}

// rows are those of a call that count.
type rows struct {
	places    []int // where each begins among the values
	positions []uint32
	sampled   []sampledRow
}

// sampledRow is a row of the sample: where it begins among the values, the tokens of its window, and the window's
// values from the row's token of the first neuron on.
type sampledRow struct {
	place, tokens int
	values        []uint16
}

// binned are slots of lanes neurons that are still to be counted: slot number of the first, and so on. Each at once
// would fetch counts of all neurons, which are megabytes, from far caches for the few rows of a call.
type binned []uint16

const mostBinned = 4096 // before they are counted

// countsOf are the counts of lanes neurons.
func (c *Collector) countsOf(first int) *[lanes * slots]uint32 {
	return (*[lanes * slots]uint32)(c.counts[first*slots:])
}

// settle counts what is still to be counted of a list.
func (c *Collector) settle(list int) {
	if n := list / c.options.Signs; len(c.binned[n/lanes]) > 0 {
		c.binned[n/lanes].count(c.countsOf(n / lanes * lanes))
	}
}

func (b *binned) count(counts *[lanes * slots]uint32) {
	for _, slot := range *b {
		counts[slot]++
	}
	*b = (*b)[:0]
}

// columns is column for lanes neighbouring neurons.
func (c *Collector) columns(first int, r *rows, values []float32, t *tally) int {
	for n := range lanes {
		for _, s := range r.sampled {
			s.values[(first+n)*s.tokens] = toBrain(values[s.place+n])
		}
	}
	if len(r.places) == 0 {
		return 0
	}
	lists, neurons := c.lists[first:first+lanes], c.neurons[first:first+lanes]
	var floors [lanes]int32
	for i := range lists {
		floors[i] = int32(math.Float32bits(max(lists[i].floor, math.SmallestNonzeroFloat32)))
	}
	t.add(values, r.places, c.countsOf(first), &c.binned[first/lanes], &floors)
	for _, at := range t.kept[:t.count] {
		k, l := at/lanes, &lists[at%lanes]
		l.postings = append(l.postings, Posting{r.positions[k], values[r.places[k]+int(at%lanes)]})
	}
	bound := int32(math.Float32bits(fixedBound))
	for i := range neurons {
		n := &neurons[i]
		if t.magnitude[i] < bound {
			n.sum.plus(fixed{t.sums[i] >> 63, uint64(t.sums[i])})
			n.highest, n.lowest = max(n.highest, t.highest[i]), min(n.lowest, t.lowest[i])
		} else {
			c.wild(first+i, r, values[i:])
		}
		if l := &lists[i]; len(l.postings) >= c.worth && cap(l.postings)-len(l.postings) < len(r.places) {
			c.thin(first + i)
		}
	}
	return t.count
}

// column takes one neuron's activations on some rows; values begin with that of the first row. It returns how many it
// keeps.
func (c *Collector) column(n int, r *rows, values []float32) int {
	for _, s := range r.sampled {
		s.values[n*s.tokens] = toBrain(values[s.place])
	}
	if len(r.places) == 0 {
		return 0
	}
	l := &c.lists[n*c.options.Signs]
	before := len(l.postings)
	counts := (*[slots]uint32)(c.counts[n*c.options.Signs*slots:])
	// The bits of floats, read as whole numbers, are ordered as the floats are, those of negative ones but for their sign
	// the other way round.
	least := int32(math.Float32bits(max(l.floor, math.SmallestNonzeroFloat32)))
	highest, lowest, sum := int32(math.MinInt32), int32(math.MaxInt32), int64(0)
	positions := r.positions[:len(r.places)]
	for k, place := range r.places {
		v := values[place]
		b := int32(math.Float32bits(v))
		key := b ^ int32(uint32(b>>31)>>1)
		highest, lowest = max(highest, key), min(lowest, key)
		counts[min(max(b>>(fractionBits-histogramBits)-firstBin+1, 0), HistogramBins)]++
		sum += int64(float64(v) * fixedUnit)
		if b >= least {
			l.postings = append(l.postings, Posting{positions[k], v})
		}
	}
	count := &c.neurons[n]
	high, low := fromKey(highest), fromKey(lowest)
	if high < fixedBound && low > -fixedBound {
		count.sum.plus(fixed{sum >> 63, uint64(sum)})
		count.highest, count.lowest = max(count.highest, high), min(count.lowest, low)
	} else {
		c.wild(n, r, values)
	}
	added := len(l.postings) - before
	if len(l.postings) >= c.worth && cap(l.postings)-len(l.postings) < len(r.places) {
		c.thin(n * c.options.Signs)
	}
	if c.options.Signs == 2 {
		added += c.negative(n, r, values)
	}
	return added
}

func fromKey(key int32) float32 {
	return math.Float32frombits(uint32(key ^ int32(uint32(key>>31)>>1)))
}

// wild takes rows with activations that are very high, NaN or infinite, of which all but maximum and sum were taken.
func (c *Collector) wild(n int, r *rows, values []float32) {
	l, count := &c.lists[n*c.options.Signs], &c.neurons[n]
	for _, place := range r.places {
		v := values[place]
		if v-v != 0 {
			c.counts[n*c.options.Signs*slots+slot(v)]--
			count.notFinite++
			continue
		}
		count.sum.add(v)
		count.highest, count.lowest = max(count.highest, v), min(count.lowest, v)
	}
	l.postings = slices.DeleteFunc(l.postings, func(p Posting) bool { return p.Value-p.Value != 0 })
}

// negative takes the second sign of a column.
func (c *Collector) negative(n int, r *rows, values []float32) int {
	l := &c.lists[2*n+1]
	before := len(l.postings)
	for k, place := range r.places {
		v := -values[place]
		if v-v != 0 {
			continue
		}
		c.counts[(2*n+1)*slots+slot(v)]++
		if v >= l.floor && v > 0 {
			l.postings = append(l.postings, Posting{r.positions[k], v})
		}
	}
	if len(l.postings) >= c.worth && cap(l.postings)-len(l.postings) < len(r.places) {
		added := len(l.postings) - before
		c.thin(2*n + 1)
		return added
	}
	return len(l.postings) - before
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
func (c *Collector) thin(i int) {
	l := &c.lists[i]
	before := len(l.postings)
	c.raise(i)
	if len(l.postings) > cap(l.postings)*3/4 {
		l.postings = slices.Grow(l.postings, cap(l.postings))
	}
	c.held.Add(int64(len(l.postings) - before))
}

// raise raises a list's floor and drops what lies below it.
func (c *Collector) raise(i int) {
	l := &c.lists[i]
	l.floor = max(l.floor, c.level(i))
	floor, kept := l.floor, 0
	for _, p := range l.postings { // without a branch, which would be guessed wrong as often as not
		l.postings[kept] = p
		next := kept + 1
		if p.Value < floor {
			next = kept
		}
		kept = next
	}
	l.postings = l.postings[:kept]
}

// level is the keep level of a list as far as is known.
func (c *Collector) level(i int) float32 {
	n := i / c.options.Signs
	highest := max(c.neurons[n].highest, c.before[n].highest)
	if i%c.options.Signs == 1 {
		highest = -min(c.neurons[n].lowest, c.before[n].lowest)
	}
	l := &c.lists[i]
	c.settle(i)
	counts := c.counts[i*slots+1 : (i+1)*slots]
	if c.earlier != nil {
		counts = slices.Clone(counts)
		for bin := range counts {
			counts[bin] += c.earlier[i*slots+1+bin]
		}
	}
	level, _ := c.options.keepLevel(counts, c.corpus.meta.Counted, highest)
	return min(level, c.corpus.leastTop(l.postings, l.top, c.options.Examples, level))
}

// leastTop is the maximum of the last of n top examples, 0 where there are fewer; where it is at least enough, it may
// be given as that. More are peaks besides the postings', which are sorted if they must be.
func (x *Index) leastTop(postings, more []Posting, n int, enough float32) float32 {
	seen := make([]int, 0, 32) // windows
	at := windowCursor{table: x.windows, count: x.meta.Windows}
	for _, p := range postings {
		if p.Value < enough {
			continue
		}
		if at.move(p.Position); at.repeats || slices.Contains(seen, at.window) {
			continue
		}
		if seen = append(seen, at.window); len(seen) >= n {
			return enough
		}
	}
	sortPostings(postings)
	top := best(append(x.topPeaks(postings, n), more...), n)
	if len(top) < n {
		return 0
	}
	return top[n-1].Value
}

// sortPostings sorts by position postings that are nearly so, by insertion.
func sortPostings(list []Posting) {
	moves := 32 * len(list)
	for i := 1; i < len(list); i++ {
		p, j := list[i], i
		for ; j > 0 && list[j-1].Position > p.Position; j-- {
			list[j] = list[j-1]
		}
		list[j] = p
		if moves -= i - j; moves < 0 {
			slices.SortFunc(list, func(a, b Posting) int { return cmp.Compare(a.Position, b.Position) })
			return
		}
	}
}

// windowCursor looks windows up, by positions of which most lie soon behind the one before.
type windowCursor struct {
	table      []byte // of the windows
	count      int
	window     int
	first, end uint32 // its positions
	repeats    bool
}

// move goes to the window of a position.
func (c *windowCursor) move(position uint32) {
	if c.first <= position && position < c.end {
		return
	}
	if position < c.first {
		c.window = windowAt(c.table, 0, c.window, int(position))
	} else {
		c.window = windowFrom(c.table, c.window, c.count, int(position))
	}
	row := c.table[c.window*windowSize:]
	c.first, c.end = binary.LittleEndian.Uint32(row), binary.LittleEndian.Uint32(row[windowSize:])
	c.repeats = binary.LittleEndian.Uint32(row[4:])&repeatsBit != 0
}

// peaks are the highest postings of each window, the first of equals, of windows that repeat no other; postings are
// sorted by position.
func (x *Index) peaks(postings []Posting) []Posting {
	var peaks []Posting
	at := windowCursor{table: x.windows, count: x.meta.Windows}
	for _, p := range postings {
		if p.Position >= at.end {
			if at.move(p.Position); !at.repeats {
				peaks = append(peaks, p)
			}
			continue
		}
		if !at.repeats && p.Value > peaks[len(peaks)-1].Value {
			peaks[len(peaks)-1] = p
		}
	}
	return peaks
}

// topPeaks are the n highest of the peaks, the highest first.
func (x *Index) topPeaks(postings []Posting, n int) []Posting {
	if n > 64 {
		return best(x.peaks(postings), n)
	}
	// Few of many: only the windows are looked up of postings that are higher than the last kept so far.
	kept := make([]Posting, 0, n+1)
	var last Posting // that was kept
	at := windowCursor{table: x.windows, count: x.meta.Windows}
	for _, p := range postings {
		if len(kept) == n && (n == 0 || p.Value <= kept[n-1].Value) {
			continue
		}
		same := p.Position < at.end
		if at.move(p.Position); at.repeats || same && p.Value <= last.Value {
			continue
		}
		if same {
			i, _ := slices.BinarySearchFunc(kept, last, byValue)
			kept = slices.Delete(kept, i, i+1)
		}
		i, _ := slices.BinarySearchFunc(kept, p, byValue)
		kept = slices.Insert(kept, i, p)
		kept, last = kept[:min(len(kept), n)], p
	}
	return kept
}

// byValue orders postings from the highest, of equals from the earliest.
func byValue(a, b Posting) int {
	return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Position, b.Position))
}

// best are the n highest of peaks, the earlier of equals first.
func best(peaks []Posting, n int) []Posting {
	slices.SortFunc(peaks, byValue)
	return peaks[:min(n, len(peaks))]
}

// Index gives what was collected as an index in memory. All windows must be done.
func (c *Collector) Index() (*Index, error) {
	if at := slices.Index(c.covered, false); at >= 0 {
		return nil, fmt.Errorf("index: window %d of %d was not added", at, len(c.covered))
	}
	var file bytes.Buffer
	if err := join(&file, c.corpus, []source{collected{c, ranges(c.covered)}}, c.options, whole); err != nil {
		return nil, err
	}
	return Read(file.Bytes())
}
