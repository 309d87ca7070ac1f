package contexttree

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// question is a test while the graph grows.
type question struct {
	kind     string
	place    int     // as evidence.backOf counts; or window
	distance int     // as n2g.ContextTest counts; or window
	set      []int32 // highest mean first
	in       []uint8 // by symbol, the last standing for a place before the text: for which parts it is in the set
	gain     float64
	number   int // among the tests of windows of a tree
}

// allParts is where a symbol is in a set whichever fold of build documents is left out. Where the set would have it, or
// lack it, without one fold, it is in the set for that fold accordingly; validation stands for the set of the graph.
const allParts = 1<<parts - 1

func (q *question) has(symbol int32, part uint8) bool { return q.in[symbol]>>part&1 == 1 }

func (q *question) holds(e *evidence, i int32) bool {
	switch q.kind {
	case n2g.TestToken, n2g.TestLine:
		return q.has(e.backOf(i, q.place), validation)
	case n2g.TestRepeated:
		return e.repeated[i] > 0 && int(e.repeated[i]) <= q.distance
	default:
		for _, near := range e.nearOf(i) {
			if int(near&(1<<nearBits-1)) >= q.distance {
				return false
			}
			if q.has(int32(near>>nearBits), validation) {
				return true
			}
		}
		return false
	}
}

func (q *question) partition(e *evidence, of []int32) (yes, no []int32) {
	for _, i := range of {
		if q.holds(e, i) {
			yes = append(yes, i)
		} else {
			no = append(no, i)
		}
	}
	return yes, no
}

func (q *question) describe(c *Corpus) *n2g.ContextTest {
	t := &n2g.ContextTest{Kind: q.kind, Distance: q.distance}
	if q.kind == n2g.TestWithin || q.kind == n2g.TestRepeated {
		t.Distance, t.Window = 0, q.distance
	}
	for _, symbol := range q.set {
		if int(symbol) == len(c.tokens) {
			t.Start = true
		} else {
			t.Tokens = append(t.Tokens, c.tokens[symbol])
		}
	}
	return t
}

// choose finds the test of a leaf that gains most after its cost, and that helps.
func (l *learner) choose(x *leaf) {
	var found []*question
	for place := range l.places() {
		if q := l.bestSet(x, place); q != nil {
			found = append(found, q)
		}
	}
	found = append(found, l.bestWithin(x)...)
	found = append(found, l.bestRepeated(x)...)
	for _, q := range found {
		if q.kind == n2g.TestWithin {
			q.in = make([]uint8, len(l.corpus.tokens)+1)
			for _, symbol := range q.set {
				q.in[symbol] = allParts
			}
		}
		q.gain *= l.causal(x, q)
	}
	slices.SortStableFunc(found, func(a, b *question) int { return cmp.Compare(b.gain, a.gain) })
	for _, q := range found {
		if l.helps(x, q) {
			x.test, x.gain = q, q.gain
			return
		}
	}
}

// company is what is left of the gain of a test whose tokens the neuron does not look at.
var company = 0.25

// causal is what the gain of a test counts for, by how much the tokens that answer it matter to the firing tokens of
// the leaf: company for tokens that only go with firing, 1 for tokens without which nothing is left, and for tests of
// which nothing is known the same as half of that.
func (l *learner) causal(x *leaf, q *question) float64 {
	if l.importances == nil {
		return 1
	}
	sum, n := 0.0, 0
	for _, i := range x.build {
		o := &l.build.observations[i]
		list := l.importances[o.position]
		if o.value < firing || list == nil || !q.holds(&l.build, i) {
			continue
		}
		if v, known := q.importance(l.corpus, o.position, list); known {
			sum += v
			n++
		}
	}
	if n == 0 {
		return (1 + company) / 2
	}
	return company + (1-company)*sum/float64(n)
}

// importance is the highest of the tokens that answer the test before a position.
func (q *question) importance(c *Corpus, position int32, list []float64) (highest float64, known bool) {
	from, to := q.distance, q.distance
	switch q.kind {
	case n2g.TestLine:
		d := q.lineDistance(c, position)
		from, to = d, d
	case n2g.TestWithin, n2g.TestRepeated:
		from = 1
	}
	symbol := c.symbols[position]
	for d := max(from, 0); d <= to && d < len(list); d++ {
		before := c.symbols[position-int32(d)]
		answers := q.kind == n2g.TestToken || q.kind == n2g.TestLine || q.kind == n2g.TestRepeated && before == symbol ||
			q.kind == n2g.TestWithin && q.has(before, validation)
		if answers && !math.IsNaN(list[d]) {
			highest, known = max(highest, list[d]), true
		}
	}
	return highest, known
}

// lineDistance is how far back from a position the token lies that a test of the line's beginning asks for; -1 where
// there is none.
func (q *question) lineDistance(c *Corpus, position int32) int {
	start := c.starts[c.window[position]]
	line := position - 1
	for line >= start && !c.newline[c.symbols[line]] {
		line--
	}
	if place := line + int32(q.distance); place >= start && place <= position {
		return int(position - place)
	}
	return -1
}

// basicCost is what any test costs in nats: which of the kinds of tests it is, and a value for a further leaf.
func (l *learner) basicCost(x *leaf) float64 {
	kinds := l.places() + len(windows) + len(windows)
	return math.Log(float64(kinds)) + math.Log(x.total.n+1)/2
}

// net is what dividing a leaf so gains: the fall of the squared error, less the description length of the test, which
// in a normal model of the leaf's variance is worth twice the variance a nat.
func (l *learner) net(x *leaf, yes tally, cost float64) float64 {
	no := x.total.less(yes)
	if yes.n <= 1 || no.n <= 1 {
		return 0
	}
	return yes.explained() + no.explained() - x.total.explained() - 2*x.variance*cost
}

// Sets are cut at one of so many levels of the mean response, levelsBelow of them below the leaf's own mean.
const (
	setLevels   = 40
	levelsBelow = 8
)

// bestSet finds the best set of symbols at a distance: those whose mean response exceeds a level (Breiman and others
// 1984: for squared error the best of all sets is one of these). Means of rare symbols lean on those of their class,
// and of the current token on what its reply adds, where there is one. An observation counts as in the set if its
// symbol would be without the documents of its own fold, so that the gain is one on documents that did not choose the
// set.
func (l *learner) bestSet(x *leaf, place int) *question {
	symbols := l.tallySymbols(x, place)
	defer func() {
		for _, symbol := range symbols {
			l.bySymbol[symbol], l.byClass[l.classes[symbol]] = byPart{}, byPart{}
		}
	}()
	mean, top := x.total.mean(), 0.0
	var asked replies
	if place == 0 {
		asked = l.replies
	}
	calibrations := l.calibrate(symbols, asked, mean)
	expected := func(symbol int32, part int) float64 {
		prior := l.byClass[l.classes[symbol]].without(part).shrunk(mean, setWeight)
		if reply, ok := asked[symbol]; ok {
			prior = calibrations[part].expect(reply.mean(), l.othersMean(symbol, part, mean))
		}
		return l.bySymbol[symbol].without(part).shrunk(prior, setWeight)
	}
	for _, symbol := range symbols {
		top = max(top, expected(symbol, validation))
	}
	if len(symbols) < 2 || top <= mean {
		return nil
	}
	level := func(m float64) int {
		switch {
		case m > mean:
			return min(setLevels-1, levelsBelow+int(math.Sqrt((m-mean)/(top-mean))*(setLevels-levelsBelow)))
		case mean > 0:
			return max(0, min(levelsBelow-1, int(m/mean*levelsBelow)))
		}
		return 0
	}
	var at [setLevels]tally
	var sizes [setLevels]int
	for _, symbol := range symbols {
		sizes[level(expected(symbol, validation))]++
		for f, fold := range l.bySymbol[symbol][:folds] {
			if fold.n > 0 {
				k := level(expected(symbol, f))
				at[k].n += fold.n
				at[k].sum += fold.sum
			}
		}
	}
	basic := l.basicCost(x)
	q := &question{kind: n2g.TestToken, place: place, distance: place}
	far := float64(place)
	if place > l.options.Distance {
		q.kind, q.distance, far = n2g.TestLine, place-l.options.Distance-1, lineFar
	}
	var yes tally
	best, size := -1, 0
	for k := setLevels - 1; k > 0; k-- {
		yes.n += at[k].n
		yes.sum += at[k].sum
		size += sizes[k]
		no := x.total.less(yes)
		if size == 0 || size == len(symbols) || yes.n <= 1 || no.n <= 1 || yes.mean() <= no.mean() {
			continue
		}
		cost := basic + float64(min(size, len(symbols)-size))
		if gain := l.net(x, yes, cost) / (1 + farther*far); gain > q.gain {
			best, q.gain = k, gain
		}
	}
	if best < 0 {
		return nil
	}
	q.in = make([]uint8, len(l.classes))
	means := map[int32]float64{}
	add := func(symbol int32, m float64) {
		q.set, means[symbol], q.in[symbol] = append(q.set, symbol), m, allParts
	}
	for _, symbol := range symbols {
		if m := expected(symbol, validation); level(m) >= best {
			add(symbol, m)
		}
		for f, fold := range l.bySymbol[symbol][:folds] {
			switch {
			case fold.n == 0:
			case level(expected(symbol, f)) >= best:
				q.in[symbol] |= 1 << f
			default:
				q.in[symbol] &^= 1 << f
			}
		}
	}
	unseen := func(symbol int32) bool { return l.bySymbol[symbol][validation].n == 0 }
	for class, t := range l.byClass {
		if m := t[validation].shrunk(mean, setWeight); t[validation].n > 0 && m > mean && level(m) >= best {
			for _, symbol := range l.members[class] {
				if _, ok := asked[symbol]; unseen(symbol) && !ok {
					add(symbol, m)
				}
			}
		}
	}
	for symbol := range asked {
		if m := expected(symbol, validation); unseen(symbol) && m > mean && level(m) >= best {
			add(symbol, m)
		}
	}
	slices.SortFunc(q.set, func(a, b int32) int {
		return cmp.Or(is(unseen(a))-is(unseen(b)), cmp.Compare(means[b], means[a]), cmp.Compare(a, b))
	})
	return q
}

// tallySymbols tallies the values of a leaf's build observations by the symbol at a place, and by its class where
// enough tokens fire; it returns the symbols in order of appearance. The caller clears what it has read.
func (l *learner) tallySymbols(x *leaf, place int) []int32 {
	symbols := l.touched[:0]
	for _, i := range x.build {
		o := &l.build.observations[i]
		symbol := l.build.backOf(i, place)
		if l.bySymbol[symbol][validation].n == 0 {
			symbols = append(symbols, symbol)
		}
		l.bySymbol[symbol].add(o.fold, o.weight, o.value)
		if x.node.Firing >= classFiring {
			l.byClass[l.classes[symbol]].add(o.fold, o.weight, o.value)
		}
	}
	l.touched = symbols
	return symbols
}

// bestWithin finds the best token to look for within each window, both one that raises the response and one that lowers
// it. Of several tokens together the best few are too well chosen for the documents that chose them.
func (l *learner) bestWithin(x *leaf) []*question {
	symbols := l.touched[:0]
	for _, i := range x.build {
		o := &l.build.observations[i]
		for _, near := range l.build.nearOf(i) {
			t := &l.byWindow[near>>nearBits]
			if t[len(windows)-1].n == 0 {
				symbols = append(symbols, int32(near>>nearBits))
			}
			back := int(near & (1<<nearBits - 1))
			for k := len(windows) - 1; k >= 0 && back < windows[k]; k-- {
				t[k].add(o.weight, o.value)
			}
		}
	}
	l.touched = symbols
	cost := l.basicCost(x) + math.Log(float64(len(symbols)+1))
	var found []*question
	for k, window := range windows {
		raises := &question{kind: n2g.TestWithin, distance: window}
		lowers := &question{kind: n2g.TestWithin, distance: window}
		for _, symbol := range symbols {
			t := l.byWindow[symbol][k]
			if t.n == 0 {
				continue
			}
			q := lowers
			if t.mean() > x.total.mean() {
				q = raises
			}
			gain := l.net(x, t, cost)
			if gain > q.gain || gain > 0 && gain == q.gain && symbol < q.set[0] {
				q.set, q.gain = []int32{symbol}, gain
			}
		}
		for _, q := range []*question{raises, lowers} {
			if q.set != nil {
				found = append(found, q)
			}
		}
	}
	for _, symbol := range symbols {
		l.byWindow[symbol] = [len(windows)]tally{}
	}
	return found
}

// bestRepeated asks within which window the current token stood before.
func (l *learner) bestRepeated(x *leaf) []*question {
	var at [len(windows)]tally
	for _, i := range x.build {
		if r := int(l.build.repeated[i]); r > 0 {
			o := &l.build.observations[i]
			for k := len(windows) - 1; k >= 0 && r <= windows[k]; k-- {
				at[k].add(o.weight, o.value)
			}
		}
	}
	var found []*question
	for k, window := range windows {
		if gain := l.net(x, at[k], l.basicCost(x)); gain > 0 {
			found = append(found, &question{kind: n2g.TestRepeated, distance: window, gain: gain})
		}
	}
	return found
}
