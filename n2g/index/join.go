package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// source is what one part of the windows showed: a Collector's, or a file's. Lists are numbered by neuron, then sign.
type source interface {
	sitesOf() []Site
	coveredBy() [][2]int // ascending ranges [first, end) of windows
	neuron(n int) (neuron, error)
	histogram(list int) (Histogram, error)
	list(list int) ([]Posting, error) // by position
	// sampledOf are a neuron's values on a window of the sample that it covers.
	sampledOf(n, window int) ([]uint16, error)
	// firingOf is the number of firing tokens, where it was settled before.
	firingOf(list int) (firing uint32, settled bool, err error)
}

// collected is a Collector as a source, of some of its windows: all that no other source has.
type collected struct {
	*Collector
	of [][2]int
}

// ranges are those of the places that are set.
func ranges(set []bool) [][2]int {
	var list [][2]int
	for i, on := range set {
		switch {
		case !on:
		case len(list) > 0 && list[len(list)-1][1] == i:
			list[len(list)-1][1]++
		default:
			list = append(list, [2]int{i, i + 1})
		}
	}
	return list
}

// filed is an Index as a source.
type filed struct{ *Index }

func (f filed) sitesOf() []Site     { return f.meta.Sites }
func (f filed) coveredBy() [][2]int { return f.meta.Covered }

func (f filed) histogram(list int) (Histogram, error) {
	r, err := f.listRecord(list)
	if err != nil {
		return Histogram{}, err
	}
	return f.Index.histogram(r)
}

func (f filed) list(list int) ([]Posting, error) {
	return f.postingsOf(list/f.meta.Signs, list%f.meta.Signs)
}

func (f filed) firingOf(list int) (uint32, bool, error) {
	r, err := f.listRecord(list)
	return r.firing, f.meta.whole(), err
}

func (f filed) sampledOf(n, window int) ([]uint16, error) {
	values, err := f.SampleValues(n, window)
	words := make([]uint16, len(values))
	for i, v := range values {
		words[i] = toBrain(v)
	}
	return words, err
}

func covers(ranges [][2]int, window int) bool {
	return slices.ContainsFunc(ranges, func(r [2]int) bool { return r[0] <= window && window < r[1] })
}

func (c collected) sitesOf() []Site              { return c.sites }
func (c collected) coveredBy() [][2]int          { return c.of }
func (c collected) neuron(n int) (neuron, error) { return c.neurons[n], nil }
func (c collected) histogram(list int) (Histogram, error) {
	c.settle(list)
	return newHistogram(c.counts[list*slots+1 : (list+1)*slots]), nil
}
func (c collected) list(list int) ([]Posting, error) {
	sortPostings(c.lists[list].postings)
	return c.lists[list].postings, nil
}
func (c collected) firingOf(int) (uint32, bool, error) { return 0, false, nil }
func (c collected) sampledOf(n, window int) ([]uint16, error) {
	i, _ := slices.BinarySearch(c.corpus.sample, window)
	s := c.sample[i]
	tokens := s.end - s.first
	return s.values[n*tokens : (n+1)*tokens], nil
}

const (
	neuronSize = 32 // highest f32, lowest f32, sum i64 and u64, not finite u32, reserved u32
	// level f32, firing u32, postings u64, count u32, flags u32, histogram u64, first bin u16, bins u16, bytes u32
	listSize = 40
	denseBit = 1
	shortBit = 2 // values take 16 bits
	shiftAt  = 8 // in flags: 5 bits, of a short list
	exactAt  = 16
)

// form is what a file of an index is for.
type form int

const (
	whole form = iota
	shard      // of some windows, to be joined with others
	part       // as a shard, without the corpus
)

// join writes an index of what sources saw of a corpus. Every site that any of them has must have been seen on the same
// windows: on all, for a whole one.
func join(to io.Writer, corpus *Index, sources []source, o Options, as form) error {
	o = o.resolved()
	meta := corpus.meta
	meta.Sites, meta.Keep, meta.Dense, meta.Examples, meta.Signs, meta.NoSuffixes = nil, o.Keep, o.Dense, o.Examples,
		o.Signs, o.NoSuffixes
	if o.SampleEvery < 0 {
		meta.SampleEvery = -1
	}
	seen := map[string][]bool{}
	for _, s := range sources {
		for _, site := range s.sitesOf() {
			name := site.name()
			if seen[name] == nil {
				seen[name] = make([]bool, meta.Windows)
				meta.Sites = append(meta.Sites, site)
			}
			same := func(there Site) bool { return there.name() == name }
			if there := meta.Sites[slices.IndexFunc(meta.Sites, same)]; there.Beside != site.Beside {
				return fmt.Errorf("index: %s was run with %s, and with %s: their numbers are not the same features", name,
					cmp.Or(there.Beside, "one that is not known"), cmp.Or(site.Beside, "one that is not known"))
			}
			for _, r := range s.coveredBy() {
				for w := r[0]; w < r[1]; w++ {
					if seen[name][w] {
						return fmt.Errorf("index: two parts hold window %d of %s", w, name)
					}
					seen[name][w] = true
				}
			}
		}
	}
	if len(meta.Sites) == 0 {
		return errors.New("index: nothing to join")
	}
	slices.SortFunc(meta.Sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Hook, b.Hook), cmp.Compare(a.First, b.First))
	})
	first := meta.Sites[0].name()
	meta.Covered = ranges(seen[first])
	for _, site := range meta.Sites[1:] {
		if !slices.Equal(ranges(seen[site.name()]), meta.Covered) {
			return fmt.Errorf("index: %s was run on windows %v, and %s on %v: join the parts of all", first, meta.Covered,
				site.name(), ranges(seen[site.name()]))
		}
	}
	if as == whole && !meta.whole() {
		return fmt.Errorf("index: these parts hold windows %v of %d: those of the others are missing",
			meta.Covered, meta.Windows)
	}
	w := newWriter(to)
	if as != part {
		if err := copyCorpus(w, corpus, o, as); err != nil {
			return err
		}
	}
	if err := writeNeurons(w, corpus, sources, o, &meta, as); err != nil {
		return err
	}
	return w.close(meta)
}

// name tells sites apart.
func (s Site) name() string {
	return fmt.Sprintf("layer %d at %s, neurons from %d", s.Layer, s.Hook, s.First)
}

// of is a source with the number of its first neuron of a site.
type of struct {
	source
	first int
}

// having are the sources that have a site.
func having(sources []source, site Site) []of {
	var list []of
	for _, s := range sources {
		first := 0
		for _, one := range s.sitesOf() {
			if one.name() == site.name() {
				list = append(list, of{s, first})
			}
			first += one.Neurons
		}
	}
	return list
}

// copyCorpus writes the sections of the corpus, and the suffix order if it is wanted.
func copyCorpus(w *writer, corpus *Index, o Options, as form) error {
	for _, name := range []string{idsSection, documentsSection, originsSection, windowsSection, textsSection,
		sampleSection} {
		if !corpus.file.has(name) || name == sampleSection && o.SampleEvery < 0 {
			continue
		}
		content, err := corpus.file.all(name)
		if err != nil {
			return err
		}
		w.section(name)
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	if o.NoSuffixes || as != whole {
		return nil
	}
	order, err := corpus.suffixOrder()
	if err != nil {
		return err
	}
	w.section(suffixesSection)
	buffer := make([]byte, 0, 1<<16)
	for i, p := range order {
		if buffer = binary.LittleEndian.AppendUint32(buffer, p); len(buffer) == cap(buffer) || i == len(order)-1 {
			if _, err := w.Write(buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
	}
	return nil
}

func writeNeurons(w *writer, corpus *Index, sources []source, o Options, meta *Meta, as form) error {
	var neurons, lists, histograms []byte
	spans := (meta.Positions + 1<<16 - 1) >> 16
	w.section(postingsSection)
	start := w.offset
	for _, site := range meta.Sites {
		sources := having(sources, site)
		for n := range site.Neurons {
			all := noNeuron
			for _, s := range sources {
				one, err := s.neuron(s.first + n)
				if err != nil {
					return err
				}
				all.merge(one)
			}
			neurons = all.append(neurons)
			for sign := range o.Signs {
				highest := all.highest
				if sign == 1 {
					highest = -all.lowest
				}
				record, content, bins, err := joinList(corpus, sources, o, n, sign, highest, spans, as)
				if err != nil {
					return err
				}
				record.postings, record.histogram = uint64(w.offset-start), uint64(len(histograms))
				if _, err := w.Write(content); err != nil {
					return err
				}
				histograms = append(histograms, bins...)
				lists = record.append(lists)
			}
		}
	}
	w.section(neuronsSection)
	w.Write(neurons) // kept in w.err
	w.section(listsSection)
	w.Write(lists) // kept in w.err
	w.section(histogramsSection)
	w.Write(histograms) // kept in w.err
	if o.SampleEvery < 0 || corpus.file.size(sampleSection) == 0 {
		return w.err
	}
	w.section(sampledSection)
	for _, site := range meta.Sites {
		sources := having(sources, site)
		holders := make([]source, 0, len(corpus.sample))
		first := make([]int, 0, len(corpus.sample))
		windows := make([]int, 0, len(corpus.sample))
		for _, window := range corpus.sample {
			if at := slices.IndexFunc(sources, func(s of) bool { return covers(s.coveredBy(), window) }); at >= 0 {
				holders, first, windows = append(holders, sources[at].source), append(first, sources[at].first),
					append(windows, window)
			}
		}
		for n := range site.Neurons {
			var content []byte
			for i, window := range windows {
				values, err := holders[i].sampledOf(first[i]+n, window)
				if err != nil {
					return err
				}
				for _, v := range values {
					content = binary.LittleEndian.AppendUint16(content, v)
				}
			}
			if _, err := w.Write(content); err != nil {
				return err
			}
		}
	}
	return w.err
}

func (n neuron) append(b []byte) []byte {
	b = appendFloat32(appendFloat32(b, n.highest), n.lowest)
	b = binary.LittleEndian.AppendUint64(b, uint64(n.sum.high))
	b = binary.LittleEndian.AppendUint64(b, n.sum.low)
	b = binary.LittleEndian.AppendUint32(b, n.notFinite)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// record is an entry of the table of lists.
type record struct {
	level               float32
	firing              uint32
	postings, histogram uint64 // offsets in their sections
	count               uint32
	flags               uint32
	firstBin, bins      uint16
	histogramBytes      uint32

	highest float32 // of the list; it stands in the neuron's record
}

func (r record) append(b []byte) []byte {
	b = appendFloat32(b, r.level)
	b = binary.LittleEndian.AppendUint32(b, r.firing)
	b = binary.LittleEndian.AppendUint64(b, r.postings)
	b = binary.LittleEndian.AppendUint32(b, r.count)
	b = binary.LittleEndian.AppendUint32(b, r.flags)
	b = binary.LittleEndian.AppendUint64(b, r.histogram)
	b = binary.LittleEndian.AppendUint16(b, r.firstBin)
	b = binary.LittleEndian.AppendUint16(b, r.bins)
	return binary.LittleEndian.AppendUint32(b, r.histogramBytes)
}

// joinList makes a list of those of all sources.
func joinList(corpus *Index, sources []of, o Options, n, sign int, highest float32, spans int, as form) (r record,
	content, bins []byte, err error) {
	var counts [HistogramBins]uint32
	var postings []Posting
	settled := false
	for _, s := range sources {
		i := (s.first+n)*o.Signs + sign
		h, err := s.histogram(i)
		if err != nil {
			return r, nil, nil, err
		}
		for bin, n := range h.Counts {
			counts[h.First+bin] += n
		}
		more, err := s.list(i)
		if err != nil {
			return r, nil, nil, err
		}
		if len(sources) == 1 {
			postings = more
			if r.firing, settled, err = s.firingOf(i); err != nil {
				return r, nil, nil, err
			}
		} else {
			postings = append(postings, more...)
		}
	}
	sortPostings(postings)
	var dense bool
	h := newHistogram(counts[:])
	if highest > 0 {
		r.level, dense = o.keepLevel(counts[:], corpus.meta.Counted, highest)
		r.level = min(r.level, corpus.leastTop(postings, nil, o.Examples, r.level))
	}
	if dense {
		r.flags |= denseBit
	}
	if !settled {
		r.firing = firing(postings, h, highest, r.level)
	}
	kept := make([]Posting, 0, len(postings))
	for _, p := range postings {
		if p.Value >= r.level {
			kept = append(kept, p)
		}
	}
	r.count = uint32(len(kept))
	r.firstBin, r.bins = uint16(h.First), uint16(len(h.Counts))
	for _, n := range h.Counts {
		bins = binary.AppendUvarint(bins, uint64(n))
	}
	r.histogramBytes = uint32(len(bins))
	if as != whole {
		return r, encodeList(kept, spans, nil), bins, nil
	}
	g := newGrid(kept, highest, r.level)
	var exact []Posting
	for _, p := range corpus.topPeaks(kept, o.Examples) {
		if g.value(g.number(p.Value)) != p.Value && len(exact) < 1<<16-1 {
			exact = append(exact, p)
		}
	}
	sortPostings(exact)
	r.flags |= shortBit | g.shift<<shiftAt | uint32(len(exact))<<exactAt
	g.exact = exact
	return r, encodeList(kept, spans, &g), bins, nil
}

// firing counts tokens of at least half of the maximum: exactly where postings reach down to that, else from the
// histogram, in which the bin that the half lies in is divided in proportion.
func firing(postings []Posting, h Histogram, highest, level float32) uint32 {
	if !(highest > 0) {
		return 0
	}
	half := FireShare * highest
	if level <= half {
		n := uint32(0)
		for _, p := range postings {
			if p.Value >= half {
				n++
			}
		}
		return n
	}
	return max(1, uint32(math.Round(h.Above(float64(half)))))
}

// grid is how values take 16 bits: the bits of a float32 grow with its value, and a value is kept as the number of
// steps of 2^shift that its bits lie below those of the maximum, rounded down. So a half, a quarter of the maximum and
// so on are on the grid: what reaches them does so after rounding.
type grid struct {
	highest int32 // bits
	level   float32
	shift   uint32
	exact   []Posting // by position, that are not on the grid and must be exact
}

// coarsest is the largest shift: a relative error of 2^-11, that of half precision. What lies more than 2^32 times
// below the maximum counts as that.
const coarsest = 12

// newGrid is the finest grid from the least of postings to a maximum.
func newGrid(postings []Posting, highest, level float32) grid {
	g := grid{highest: int32(math.Float32bits(highest)), level: level}
	least := g.highest
	for _, p := range postings {
		least = min(least, int32(math.Float32bits(p.Value)))
	}
	for (g.highest-least)>>g.shift >= 1<<16-1 && g.shift < coarsest {
		g.shift++
	}
	return g
}

// number is the place of a value on the grid.
func (g grid) number(v float32) uint16 {
	return uint16(min((g.highest-int32(math.Float32bits(v))+(1<<g.shift-1))>>g.shift, 1<<16-1))
}

// value is what stands at a place of the grid; no value lies below the level.
func (g grid) value(number uint16) float32 {
	bits := int64(g.highest) - int64(number)<<g.shift
	return max(g.level, math.Float32frombits(uint32(max(bits, 0))))
}

// encodeList lays postings out: for each 65,536 positions the number of postings before them, and that of all; the
// values; the lower 16 bits of the positions, each of these up to a multiple of 4 bytes; the exact values of some.
// Nothing where there are no postings. Without a grid, values take 32 bits.
func encodeList(postings []Posting, spans int, g *grid) []byte {
	if len(postings) == 0 {
		return nil
	}
	exact := 0
	if g != nil {
		exact = len(g.exact)
	}
	content := make([]byte, 0, listBytes(len(postings), spans, g != nil, exact))
	next := 0
	for span := range spans + 1 {
		for next < len(postings) && int(postings[next].Position>>16) < span {
			next++
		}
		content = binary.LittleEndian.AppendUint32(content, uint32(next))
	}
	for _, p := range postings {
		if g != nil {
			content = binary.LittleEndian.AppendUint16(content, g.number(p.Value))
		} else {
			content = appendFloat32(content, p.Value)
		}
	}
	content = append(content, make([]byte, -len(content)&3)...)
	for _, p := range postings {
		content = binary.LittleEndian.AppendUint16(content, uint16(p.Position))
	}
	content = append(content, make([]byte, -len(content)&3)...)
	if g != nil {
		at := 0
		for _, p := range g.exact {
			for postings[at].Position != p.Position {
				at++
			}
			content = appendFloat32(binary.LittleEndian.AppendUint32(content, uint32(at)), p.Value)
		}
	}
	return content
}

// listBytes is the size of a list in a file.
func listBytes(count, spans int, short bool, exact int) int {
	if count == 0 {
		return 0
	}
	size := 4 * count
	if short {
		size = (2*count + 3) &^ 3
	}
	return 4*(spans+1) + size + (2*count+3)&^3 + 8*exact
}
