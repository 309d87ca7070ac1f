package index

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
)

// Index is an open index. It is safe for concurrent use. What a method reads is checked when it is read first; a
// damaged file is an error, never a wrong answer.
type Index struct {
	meta    Meta
	file    *container
	windows []byte // the table of windows
	sample  []int
	sampled map[int]int // place of a sampled window's first token among the sampled tokens
	tokens  int         // of the sample
	close   func() error

	countOnce  sync.Once
	counts     []uint32 // of each token in the corpus
	countError error
}

// Open maps the index at path into memory. Close it when it is no longer used; what its methods returned stays valid.
func Open(path string) (*Index, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	x, err := Read(data)
	if err != nil {
		unmap() // the other error is told
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x.close = unmap
	if !x.meta.whole() && len(x.meta.Sites) > 0 {
		x.Close() // the other error is told
		return nil, fmt.Errorf("%s: index: it is a part, of windows %v of %d: join it with the others by n2g merge", path,
			x.meta.Covered, x.meta.Windows)
	}
	return x, nil
}

// Read opens an index that is in memory, and must stay there unchanged.
func Read(data []byte) (*Index, error) {
	x, err := read(data)
	if err == nil && !x.hasCorpus() {
		return nil, errors.New("index: it is a part of an unfinished index: n2g mine makes whole ones")
	}
	return x, err
}

// read opens an index that may lack its corpus.
func read(data []byte) (*Index, error) {
	file, meta, err := openContainer(data)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := meta.check(); err != nil {
		return nil, fmt.Errorf("index: it is damaged: it %w", err)
	}
	x := &Index{meta: meta, file: file, close: func() error { return nil }}
	if err := x.checkSizes(); err != nil {
		return nil, err
	}
	if !x.hasCorpus() {
		return x, nil // a part: it is given a corpus
	}
	if x.windows, err = file.all(windowsSection); err != nil {
		return nil, err
	}
	if err := x.checkWindows(); err != nil {
		return nil, err
	}
	return x, x.readSample()
}

// Close ends the use of the index.
func (x *Index) Close() error { return x.close() }

// Meta says what the index holds.
func (x *Index) Meta() *Meta { return &x.meta }

// Digest is a SHA-256 that tells the index from others: of its checksums and of what it says about itself.
func (x *Index) Digest() string {
	sum := sha256.Sum256(x.file.footer)
	return hex.EncodeToString(sum[:])
}

// checkSizes compares the sizes of the tables with what they are about, and checks that windows follow one another.
func (x *Index) checkSizes() error {
	m := &x.meta
	lists := int64(m.Neurons() * m.Signs)
	want := map[string]int64{neuronsSection: int64(m.Neurons()) * neuronSize, listsSection: lists * listSize}
	if x.hasCorpus() {
		want[idsSection] = int64(m.Positions * idBytes(m.Vocabulary))
		want[documentsSection] = int64(m.Documents+1) * documentSize
		want[windowsSection] = int64(m.Windows+1) * windowSize
	}
	if x.file.has(suffixesSection) {
		want[suffixesSection] = 4 * int64(m.Positions)
	}
	if len(m.Sites) == 0 {
		delete(want, neuronsSection)
		delete(want, listsSection)
	}
	for name, size := range want {
		if x.file.size(name) != size {
			return fmt.Errorf("%w (section %s has %d bytes, not %d)", errDamaged, name, x.file.size(name), size)
		}
	}
	return nil
}

// checkWindows checks that windows follow one another.
func (x *Index) checkWindows() error {
	m := &x.meta
	for w, last := 0, -1; w <= m.Windows; w++ {
		first := int(binary.LittleEndian.Uint32(x.windows[w*windowSize:]))
		if first <= last || w == 0 && first != 0 || w == m.Windows && first != m.Positions {
			return fmt.Errorf("%w (window %d begins at position %d)", errDamaged, w, first)
		}
		last = first
	}
	return nil
}

func (x *Index) hasCorpus() bool { return x.file.has(windowsSection) }

// readSample reads which windows are in the sample.
func (x *Index) readSample() error {
	table, err := x.file.all(sampleSection)
	if err != nil {
		return err
	}
	for i := 0; i+4 <= len(table); i += 4 {
		w := int(binary.LittleEndian.Uint32(table[i:]))
		if w >= x.meta.Windows || len(x.sample) > 0 && w <= x.sample[len(x.sample)-1] {
			return errDamaged
		}
		x.sample = append(x.sample, w)
	}
	return x.placeSample()
}

// placeSample finds where the values of the sample's windows lie: of those that were run.
func (x *Index) placeSample() error {
	x.sampled, x.tokens = map[int]int{}, 0
	if !x.file.has(sampledSection) {
		return nil
	}
	for _, w := range x.sample {
		if covers(x.meta.Covered, w) {
			first, end := x.bounds(w)
			x.sampled[w] = x.tokens
			x.tokens += end - first
		}
	}
	if x.file.size(sampledSection) != 2*int64(x.tokens)*int64(x.meta.Neurons()) {
		return errDamaged
	}
	return nil
}

// Sample are the windows on which every neuron's values are kept, ascending: chosen by a hash, whatever they hold.
func (x *Index) Sample() []int { return slices.Sorted(maps.Keys(x.sampled)) }

// SampleValues are a neuron's activations on a window of the sample, one for each of its tokens, with a relative error
// of at most 2^-8.
func (x *Index) SampleValues(neuron, window int) ([]float32, error) {
	at, ok := x.sampled[window]
	if !ok {
		return nil, fmt.Errorf("index: window %d is not in its sample", window)
	}
	if err := x.has(neuron, 0); err != nil {
		return nil, err
	}
	first, end := x.bounds(window)
	b, err := x.file.read(sampledSection, 2*(int64(neuron)*int64(x.tokens)+int64(at)), 2*int64(end-first))
	if err != nil {
		return nil, err
	}
	values := make([]float32, end-first)
	for i := range values {
		values[i] = fromBrain(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return values, nil
}

// has refuses a neuron or sign that is not in the index.
func (x *Index) has(neuron, sign int) error {
	if neuron < 0 || neuron >= x.meta.Neurons() {
		return fmt.Errorf("index: neuron number %d of %d", neuron, x.meta.Neurons())
	}
	if sign < 0 || sign >= x.meta.Signs {
		return fmt.Errorf("index: it keeps no lowest activations: mine with both signs")
	}
	return nil
}

// Stats is what is known of one neuron over all tokens that count.
type Stats struct {
	Highest, Lowest float32 // 0 where no token counts
	Mean            float64
	// Counted is the number of tokens that count, on which its activation was a finite number.
	Counted int
	// NotFinite is the number of tokens on which its activation was NaN or infinite: these count nowhere else.
	NotFinite int
	// Firing is the number of tokens on which the neuron reaches FireShare of Highest. It is exact unless the level lies
	// above that; then it comes from the histogram, right to the share of tokens in one bin.
	Firing int
	// Level is the keep level: there is a posting for every token of this activation or more.
	Level    float32
	Postings int
	// Dense says that the neuron reaches a quarter of its maximum on more tokens than postings are kept for.
	Dense     bool
	Histogram Histogram
}

// Maximum is the highest activation, 0 if none is above 0.
func (s *Stats) Maximum() float64 { return max(0, float64(s.Highest)) }

// Density is the share of tokens on which the neuron fires.
func (s *Stats) Density() float64 {
	if s.Counted == 0 {
		return 0
	}
	return float64(s.Firing) / float64(s.Counted)
}

// Dead reports whether the activation is nowhere above 0, as far as it is a number.
func (s *Stats) Dead() bool { return !(s.Highest > 0) }

// Stats returns what is known of a neuron.
func (x *Index) Stats(neuron int) (*Stats, error) { return x.statsOf(neuron, 0) }

// statsOf returns what is known of one sign of a neuron: of sign 1, everything is about the activation's negative.
func (x *Index) statsOf(neuron, sign int) (*Stats, error) {
	r, err := x.record(neuron, sign)
	if err != nil {
		return nil, err
	}
	n, err := x.neuron(neuron)
	if err != nil {
		return nil, err
	}
	h, err := x.histogram(r)
	if err != nil {
		return nil, err
	}
	s := &Stats{
		Highest: n.highest, Lowest: n.lowest, Counted: x.meta.Counted - int(n.notFinite), NotFinite: int(n.notFinite),
		Firing: int(r.firing), Level: r.level, Postings: int(r.count), Dense: r.flags&denseBit != 0, Histogram: h,
	}
	if s.Counted <= 0 || s.Highest < s.Lowest {
		s.Counted, s.Highest, s.Lowest = 0, 0, 0
	} else {
		s.Mean = n.sum.float() / float64(s.Counted)
	}
	if sign == 1 {
		s.Highest, s.Lowest, s.Mean = -s.Lowest, -s.Highest, -s.Mean
	}
	return s, nil
}

// neuron reads an entry of the table of neurons.
func (x *Index) neuron(number int) (neuron, error) {
	b, err := x.file.read(neuronsSection, int64(number)*neuronSize, neuronSize)
	if err != nil {
		return neuron{}, err
	}
	return neuron{
		highest: float32At(b, 0), lowest: float32At(b, 4),
		sum:       fixed{int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint64(b[16:])},
		notFinite: binary.LittleEndian.Uint32(b[24:]),
	}, nil
}

// record reads an entry of the table of lists.
func (x *Index) record(neuron, sign int) (record, error) {
	if err := x.has(neuron, sign); err != nil {
		return record{}, err
	}
	return x.listRecord(neuron*x.meta.Signs + sign)
}

func (x *Index) listRecord(list int) (record, error) {
	b, err := x.file.read(listsSection, int64(list)*listSize, listSize)
	if err != nil {
		return record{}, err
	}
	r := record{
		level: float32At(b, 0), firing: binary.LittleEndian.Uint32(b[4:]),
		postings: binary.LittleEndian.Uint64(b[8:]), count: binary.LittleEndian.Uint32(b[16:]),
		flags: binary.LittleEndian.Uint32(b[20:]), histogram: binary.LittleEndian.Uint64(b[24:]),
		firstBin: binary.LittleEndian.Uint16(b[32:]), bins: binary.LittleEndian.Uint16(b[34:]),
		histogramBytes: binary.LittleEndian.Uint32(b[36:]),
	}
	n, err := x.neuron(list / x.meta.Signs)
	if r.highest = n.highest; list%x.meta.Signs == 1 {
		r.highest = -n.lowest
	}
	return r, err
}

// histogram reads the histogram of a list.
func (x *Index) histogram(r record) (Histogram, error) {
	if int(r.firstBin)+int(r.bins) > HistogramBins || r.histogram > math.MaxInt64 {
		return Histogram{}, errDamaged
	}
	b, err := x.file.read(histogramsSection, int64(r.histogram), int64(r.histogramBytes))
	if err != nil {
		return Histogram{}, err
	}
	if r.bins == 0 {
		return Histogram{}, nil
	}
	h := Histogram{First: int(r.firstBin), Counts: make([]uint32, r.bins)}
	for i := range h.Counts {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > math.MaxUint32 {
			return Histogram{}, errDamaged
		}
		h.Counts[i], b = uint32(n), b[size:]
	}
	return h, nil
}

// lists is where a list's parts lie.
type lists struct {
	spans, values, positions, exact []byte
	count                           int
	short                           bool
	grid                            grid
}

// open checks a list's place and reads it.
func (x *Index) open(r record) (lists, error) {
	if r.count == 0 {
		return lists{}, nil
	}
	spans, count, exact := x.spans(), int(r.count), int(r.flags>>exactAt)
	l := lists{count: count, short: r.flags&shortBit != 0}
	if r.postings > math.MaxInt64 || count > x.meta.Positions || l.short && !(r.highest > 0 && r.level >= 0) {
		return lists{}, errDamaged
	}
	if !l.short {
		exact = 0
	}
	b, err := x.file.read(postingsSection, int64(r.postings), int64(listBytes(count, spans, l.short, exact)))
	if err != nil {
		return lists{}, err
	}
	l.spans = b[:4*(spans+1)]
	l.exact = b[len(b)-8*exact:]
	l.positions = b[len(b)-8*exact-(2*count+3)&^3:][:2*count]
	l.values = b[len(l.spans):]
	l.grid = grid{highest: int32(math.Float32bits(r.highest)), level: r.level, shift: r.flags >> shiftAt & 31}
	if binary.LittleEndian.Uint32(l.spans[4*spans:]) != r.count {
		return lists{}, errDamaged
	}
	return l, nil
}

// value is that of a posting.
func (l *lists) value(at int) float32 {
	if !l.short {
		return float32At(l.values, 4*at)
	}
	for e := 0; e < len(l.exact); e += 8 {
		if int(binary.LittleEndian.Uint32(l.exact[e:])) == at {
			return float32At(l.exact, e+4)
		}
	}
	return l.grid.value(binary.LittleEndian.Uint16(l.values[2*at:]))
}

// spans is the number of stretches of 65,536 positions.
func (x *Index) spans() int { return (x.meta.Positions + 1<<16 - 1) >> 16 }

// all decodes a list.
func (l lists) all() ([]Posting, error) {
	if l.count == 0 {
		return nil, nil
	}
	postings := make([]Posting, l.count)
	next := 0
	for span := 0; span+1 < len(l.spans)/4; span++ {
		end := int(binary.LittleEndian.Uint32(l.spans[4*span+4:]))
		if end < next || end > l.count {
			return nil, errDamaged
		}
		high := uint32(span) << 16
		for ; next < end; next++ {
			p := Posting{Position: high | uint32(binary.LittleEndian.Uint16(l.positions[2*next:]))}
			if l.short {
				p.Value = l.grid.value(binary.LittleEndian.Uint16(l.values[2*next:]))
			} else {
				p.Value = float32At(l.values, 4*next)
			}
			postings[next] = p
		}
	}
	for e := 0; e < len(l.exact); e += 8 {
		at := binary.LittleEndian.Uint32(l.exact[e:])
		if int(at) >= l.count {
			return nil, errDamaged
		}
		postings[at].Value = float32At(l.exact, e+4)
	}
	for i := 1; i < len(postings); i++ {
		if postings[i].Position <= postings[i-1].Position {
			return nil, errDamaged
		}
	}
	return postings, nil
}

// at is the value at a position, 0 where there is no posting.
func (l *lists) at(position int) float32 {
	if l.count == 0 {
		return 0
	}
	span := position >> 16
	low, high := int(binary.LittleEndian.Uint32(l.spans[4*span:])), int(binary.LittleEndian.Uint32(l.spans[4*span+4:]))
	if high > l.count {
		return 0
	}
	want := uint16(position)
	for low < high {
		middle := int(uint(low+high) / 2)
		switch p := binary.LittleEndian.Uint16(l.positions[2*middle:]); {
		case p == want:
			return l.value(middle)
		case p < want:
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0
}

// Postings are the places of a neuron's activations of at least its level, by position.
func (x *Index) Postings(neuron int) ([]Posting, error) { return x.postingsOf(neuron, 0) }

// postingsOf are the postings of one sign of a neuron.
func (x *Index) postingsOf(neuron, sign int) ([]Posting, error) {
	r, err := x.record(neuron, sign)
	if err != nil {
		return nil, err
	}
	l, err := x.open(r)
	if err != nil {
		return nil, err
	}
	postings, err := l.all()
	if err == nil && len(postings) > 0 && int(postings[len(postings)-1].Position) >= x.meta.Positions {
		return nil, errDamaged
	}
	return postings, err
}
