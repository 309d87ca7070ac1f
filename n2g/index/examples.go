package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Example is a window with the highest activation in it, and where that stands.
type Example struct {
	Window   Window
	Position int // of the token of the highest activation, the first of equals
	Value    float32
}

// Top are a neuron's top examples, at most limit, of which Meta.Examples are certain: where more are asked, those come
// whose maximum reaches the keep level.
func (x *Index) Top(neuron, limit int) ([]Example, error) { return x.topOf(neuron, 0, limit) }

// Examples are the top examples that a neuron is explained from, Meta.Examples of them, highest first, with the places
// in the list of those whose document is not of [Build]: nothing is to be learned from them. Where they are more than
// half, the weakest of them give way to the next of build documents.
func (x *Index) Examples(neuron int) (list []Example, testOnly []int, err error) {
	wanted := x.meta.Examples
	list, err = x.Top(neuron, 4*wanted)
	if err != nil {
		return nil, nil, err
	}
	held := make([]bool, len(list))
	build := 0 // of the first wanted
	for i, example := range list {
		document, err := x.Document(example.Window.Document)
		if err != nil {
			return nil, nil, err
		}
		if held[i] = document.Split() != Build; !held[i] && i < wanted {
			build++
		}
	}
	taken := make([]bool, len(list))
	for i := range taken {
		taken[i] = i < wanted
	}
	last := wanted
	for next := wanted; next < len(list) && build < wanted/2; next++ {
		if held[next] {
			continue
		}
		for last--; !held[last]; last-- {
		}
		taken[last], taken[next] = false, true
		build++
	}
	kept := list[:0]
	for i, example := range list {
		if !taken[i] {
			continue
		}
		if held[i] {
			testOnly = append(testOnly, len(kept))
		}
		kept = append(kept, example)
	}
	return kept, testOnly, nil
}

// topOf are the top examples of one sign of a neuron.
func (x *Index) topOf(neuron, sign, limit int) ([]Example, error) {
	postings, err := x.postingsOf(neuron, sign)
	if err != nil {
		return nil, err
	}
	return x.examples(x.topPeaks(postings, limit))
}

// examples are windows with these peaks.
func (x *Index) examples(peaks []Posting) ([]Example, error) {
	list := make([]Example, len(peaks))
	for i, p := range peaks {
		number, err := x.WindowAt(int(p.Position))
		if err != nil {
			return nil, err
		}
		window, err := x.Window(number)
		if err != nil {
			return nil, err
		}
		list[i] = Example{Window: window, Position: int(p.Position), Value: p.Value}
	}
	return list, nil
}

// Band is a tenth, or another part, of the way from 0 to a neuron's maximum.
type Band struct {
	Low, High float64 // of the windows' maxima: Low < maximum <= High
	// Windows is the number of windows, none of them repeating another, whose maximum lies in the band; -1 where that lies
	// below the keep level and is not known.
	Windows  int
	Examples []Example // some of them, chosen at random
}

// Bands are examples of a neuron by the size of their maximum: count bands, the highest first, with at most limit
// examples each. Below the keep level they are those of the sample alone.
func (x *Index) Bands(neuron, count, limit int, seed uint64) ([]Band, error) {
	stats, err := x.Stats(neuron)
	if err != nil || stats.Dead() {
		return nil, err
	}
	postings, err := x.Postings(neuron)
	if err != nil {
		return nil, err
	}
	bands := make([]Band, count)
	members := make([][]Posting, count)
	for b := range bands {
		bands[b].Low, bands[b].High = stats.Maximum()*float64(count-1-b)/float64(count),
			stats.Maximum()*float64(count-b)/float64(count)
		if bands[b].Low < float64(stats.Level) {
			bands[b].Windows = -1
		}
	}
	place := func(p Posting) {
		for b := range bands {
			if float64(p.Value) > bands[b].Low {
				members[b] = append(members[b], p)
				return
			}
		}
	}
	peaks := x.peaks(postings)
	for _, p := range peaks {
		place(p)
	}
	quiet, err := x.quietSample(neuron, stats.Level)
	if err != nil {
		return nil, err
	}
	for _, p := range quiet {
		place(p)
	}
	for b := range bands {
		if bands[b].Windows == 0 {
			bands[b].Windows = len(members[b])
		}
		random := rand.New(rand.NewPCG(seed, uint64(b)))
		random.Shuffle(len(members[b]), func(i, j int) { members[b][i], members[b][j] = members[b][j], members[b][i] })
		if bands[b].Examples, err = x.examples(members[b][:min(limit, len(members[b]))]); err != nil {
			return nil, err
		}
	}
	return bands, nil
}

// quietSample are the peaks of windows of the sample whose maximum lies below a level.
func (x *Index) quietSample(neuron int, level float32) ([]Posting, error) {
	if !x.file.has(sampledSection) {
		return nil, nil
	}
	var peaks []Posting
	for _, w := range x.Sample() {
		window, err := x.Window(w)
		if err != nil {
			return nil, err
		}
		values, err := x.SampleValues(neuron, w)
		if err != nil {
			return nil, err
		}
		at := 0
		for j, v := range values {
			if v > values[at] {
				at = j
			}
		}
		if values[at] < level && !window.Repeats {
			peaks = append(peaks, Posting{uint32(window.First + at), values[at]})
		}
	}
	return peaks, nil
}

// Random are windows of the corpus drawn with a seed, none twice, none that repeats another.
func (x *Index) Random(limit int, seed uint64) ([]Window, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	var list []Window
	drawn := map[int]bool{}
	for len(drawn) < x.meta.Windows && len(list) < limit {
		n := random.IntN(x.meta.Windows)
		if drawn[n] {
			continue
		}
		drawn[n] = true
		window, err := x.Window(n)
		if err != nil {
			return nil, err
		}
		if !window.Repeats {
			list = append(list, window)
		}
	}
	return list, nil
}

// TokenCount is what a neuron does on one token of the vocabulary.
type TokenCount struct {
	Token   int
	Count   int // in the corpus
	Firing  int // of those, tokens on which the neuron fires; where it is dense, those it keeps
	Highest float32
}

// Tokens are the tokens that a neuron has postings of: most firing first, of equals the higher activation, then the
// lower id.
func (x *Index) Tokens(neuron int) ([]TokenCount, error) {
	stats, err := x.Stats(neuron)
	if err != nil {
		return nil, err
	}
	postings, err := x.Postings(neuron)
	if err != nil {
		return nil, err
	}
	counts, err := x.tokenCounts()
	if err != nil {
		return nil, err
	}
	byToken := map[int]*TokenCount{}
	for _, p := range postings {
		token, err := x.id(int(p.Position))
		if err != nil {
			return nil, err
		}
		t := byToken[token]
		if t == nil {
			t = &TokenCount{Token: token, Count: int(counts[token])}
			byToken[token] = t
		}
		if t.Highest = max(t.Highest, p.Value); p.Value >= FireShare*stats.Highest {
			t.Firing++
		}
	}
	list := make([]TokenCount, 0, len(byToken))
	for _, t := range byToken {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b TokenCount) int {
		return cmp.Or(cmp.Compare(b.Firing, a.Firing), cmp.Compare(b.Highest, a.Highest), cmp.Compare(a.Token, b.Token))
	})
	return list, nil
}

// id is the token at a position.
func (x *Index) id(position int) (int, error) {
	ids, err := x.IDs(position, position+1)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// tokenCounts is how often each token stands in the corpus, up to the highest that does.
func (x *Index) tokenCounts() ([]uint32, error) {
	x.countOnce.Do(func() {
		var counts []uint32 // up to the highest id there is, whatever the vocabulary is said to be
		for first := 0; first < x.meta.Positions; first += 1 << 16 {
			ids, err := x.IDs(first, min(first+1<<16, x.meta.Positions))
			if err != nil {
				x.countError = err
				return
			}
			for _, id := range ids {
				if id >= len(counts) {
					counts = append(counts, make([]uint32, id+1-len(counts))...)
				}
				counts[id]++
			}
		}
		x.counts = counts
	})
	return x.counts, x.countError
}

// HardNegatives are places where a token stands on which the neuron fires elsewhere, in a context where it is quiet:
// below its keep level, or below half of its maximum where that is lower. At most limit, of the tokens it fires on most
// in turn, none in one window twice.
func (x *Index) HardNegatives(neuron, limit int, seed uint64) ([]Example, error) {
	stats, err := x.Stats(neuron)
	if err != nil || stats.Dead() {
		return nil, err
	}
	tokens, err := x.Tokens(neuron)
	if err != nil {
		return nil, err
	}
	r, err := x.record(neuron, 0)
	if err != nil {
		return nil, err
	}
	kept, err := x.open(r)
	if err != nil {
		return nil, err
	}
	tokens = slices.DeleteFunc(tokens, func(t TokenCount) bool { return t.Firing == 0 || t.Firing == t.Count })
	random := rand.New(rand.NewPCG(seed, 1))
	places := make([][]int, len(tokens))
	for i, t := range tokens[:min(len(tokens), limit)] {
		_, positions, err := x.Occurrences([]int{t.Token}, 4*limit+t.Firing)
		if err != nil {
			return nil, err
		}
		random.Shuffle(len(positions), func(i, j int) { positions[i], positions[j] = positions[j], positions[i] })
		places[i] = positions
	}
	var peaks []Posting
	used := map[int]bool{}
	for again := true; again && len(peaks) < limit; {
		again = false
		for i := range places {
			for len(places[i]) > 0 && len(peaks) < limit {
				p := places[i][0]
				places[i] = places[i][1:]
				again = true
				window, err := x.WindowAt(p)
				if err != nil {
					return nil, err
				}
				if value := kept.at(p); !used[window] && value < FireShare*stats.Highest &&
					(value == 0 || value <= stats.Highest/4) {
					used[window] = true
					peaks = append(peaks, Posting{uint32(p), value})
					break
				}
			}
		}
	}
	return x.examples(peaks)
}

// Dead are the neurons whose activation is nowhere above 0, nor NaN or infinite anywhere.
func (x *Index) Dead() ([]int, error) {
	return x.where(func(n neuron, _ record) bool { return !(n.highest > 0) && n.notFinite == 0 })
}

// Dense are the neurons that reach a quarter of their maximum on more tokens than postings are kept for.
func (x *Index) Dense() ([]int, error) {
	return x.where(func(_ neuron, r record) bool { return r.flags&denseBit != 0 })
}

// NotFinite are the neurons that had an activation that is NaN or infinite.
func (x *Index) NotFinite() ([]int, error) {
	return x.where(func(n neuron, _ record) bool { return n.notFinite > 0 })
}

func (x *Index) where(is func(neuron, record) bool) ([]int, error) {
	var list []int
	for n := range x.meta.Neurons() {
		one, err := x.neuron(n)
		if err != nil {
			return nil, err
		}
		r, err := x.record(n, 0)
		if err != nil {
			return nil, err
		}
		if is(one, r) {
			list = append(list, n)
		}
	}
	return list, nil
}

// WindowValues are a neuron's activations on the tokens of a window: those of its postings; elsewhere those of the
// sample, if the window is in it, else 0.
func (x *Index) WindowValues(neuron int, window Window) ([]float32, error) {
	if window.First < 0 || window.End > x.meta.Positions || window.First >= window.End {
		return nil, fmt.Errorf("index: positions %d to %d of %d", window.First, window.End, x.meta.Positions)
	}
	values := make([]float32, window.End-window.First)
	if _, ok := x.sampled[window.Number]; ok {
		sampled, err := x.SampleValues(neuron, window.Number)
		if err != nil {
			return nil, err
		}
		copy(values, sampled)
	}
	r, err := x.record(neuron, 0)
	if err != nil {
		return nil, err
	}
	kept, err := x.open(r)
	if err != nil {
		return nil, err
	}
	for j := range values {
		if v := kept.at(window.First + j); v > 0 {
			values[j] = v
		}
	}
	return values, nil
}
