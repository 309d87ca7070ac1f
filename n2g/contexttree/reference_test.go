package contexttree_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

// reference is docs/algorithm.md, sections 12 to 14 and 16, word by word: slow, on strings, with no structure shared
// with the package.
type reference struct {
	windows []contexttree.Window
	text    [][]string // of each window
	a       *contexttree.Activations
	splits  int

	value   [][]float64 // posted, as shares of the maximum; NaN elsewhere
	sampled [][]float64 // of sampled windows, all tokens; nil elsewhere
	number  map[string]int
	quiet   map[string]float64
}

type at struct{ window, token int }

func newReference(windows []contexttree.Window, a *contexttree.Activations, splits int) *reference {
	r := &reference{windows: windows, a: a, splits: splits, number: map[string]int{}, quiet: map[string]float64{}}
	var positions []at
	for w, window := range windows {
		var text []string
		for i, id := range window.IDs {
			token := referenceToken(int(id))
			text = append(text, token)
			if _, known := r.number[token]; !known {
				r.number[token] = len(r.number)
			}
			positions = append(positions, at{w, i})
		}
		r.text = append(r.text, text)
		r.value = append(r.value, slices.Repeat([]float64{math.NaN()}, len(text)))
		r.sampled = append(r.sampled, nil)
	}
	for i, p := range a.Positions {
		r.value[positions[p].window][positions[p].token] = float64(a.Values[i]) / a.Maximum
	}
	rest := a.SampledValues
	for _, w := range a.Sampled {
		for _, v := range rest[:len(r.text[w])] {
			r.sampled[w] = append(r.sampled[w], float64(v)/a.Maximum)
		}
		rest = rest[len(r.text[w]):]
	}
	sum, n := map[string]float64{}, map[string]float64{}
	all, count := 0.0, 0.0
	for w := range windows {
		if windows[w].Split == contexttree.Test || r.sampled[w] == nil {
			continue
		}
		for i, token := range r.text[w] {
			if !r.posted(at{w, i}) {
				sum[token] += r.sampled[w][i]
				n[token]++
				all += r.sampled[w][i]
				count++
			}
		}
	}
	for token := range r.number {
		r.quiet[token] = (sum[token] + 4*all/max(count, 1)) / (n[token] + 4)
	}
	return r
}

func referenceToken(id int) string {
	return []string{"a", "b", "c", "d", "e", "f", "g", "\n", "\n\t", "h", "i", "j", "a"}[id]
}

func (r *reference) posted(p at) bool { return !math.IsNaN(r.value[p.window][p.token]) }
func (r *reference) fold(p at) int    { return r.windows[p.window].Document % 4 }
func (r *reference) token(p at) string {
	return r.text[p.window][p.token]
}

// known is the value of a token that is posted, else the mean of quiet ones like it.
func (r *reference) known(p at) float64 {
	if r.posted(p) {
		return r.value[p.window][p.token]
	}
	return r.quiet[r.token(p)]
}

func (r *reference) of(split contexttree.Split) (list []at) {
	for w := range r.windows {
		if r.windows[w].Split == split {
			for i := range r.text[w] {
				list = append(list, at{w, i})
			}
		}
	}
	return list
}

// seen is an observation of section 12.
type seen struct {
	at
	weight, value float64
}

func (r *reference) observe(split contexttree.Split) (list []seen) {
	occurrences := map[string][]at{}
	for _, p := range r.of(split) {
		occurrences[r.token(p)] = append(occurrences[r.token(p)], p)
	}
	for token, places := range occurrences {
		var posted int
		for _, p := range places {
			if r.posted(p) {
				posted++
				list = append(list, seen{p, 1, r.known(p)})
			}
		}
		want := min(max(2*posted, len(places)/25, 1), len(places)-posted)
		var drawn []at
		for k := range want {
			stretch := places[k*len(places)/want : (k+1)*len(places)/want]
			// From the middle on, and then from its beginning, the first that is quiet.
			for i := range stretch {
				if p := stretch[(i+len(stretch)/2)%len(stretch)]; !r.posted(p) {
					drawn = append(drawn, p)
					break
				}
			}
		}
		for _, p := range drawn {
			list = append(list, seen{p, float64(len(places)-posted) / float64(len(drawn)), r.quiet[token]})
		}
	}
	slices.SortFunc(list, func(a, b seen) int { return cmp.Or(a.window-b.window, a.at.token-b.at.token) })
	return list
}

// start is a place before the text.
const start = "START"

// place is what stands where a test looks.
func (r *reference) place(kind string, distance int, p at) string {
	text := r.text[p.window]
	i := p.token - distance
	if kind == n2g.TestLine {
		line := p.token - 1
		for line >= 0 && !strings.Contains(text[line], "\n") {
			line--
		}
		if i = line + distance; i > p.token {
			i = -1
		}
	}
	if i < 0 {
		return start
	}
	return text[i]
}

// before are the tokens of a window before a token.
func (r *reference) before(window int, p at) []string {
	return r.text[p.window][max(0, p.token-window):p.token]
}

// question is a test with what it gains.
type question struct {
	kind             string
	distance, window int
	set              []string
	without          map[string][4]bool // whether tokens would be in the set without a fold
	gain             float64
}

func (r *reference) answers(q question, p at) bool {
	switch q.kind {
	case n2g.TestToken, n2g.TestLine:
		return slices.Contains(q.set, r.place(q.kind, q.distance, p))
	case n2g.TestRepeated:
		return slices.Contains(r.before(q.window, p), r.token(p))
	}
	return slices.ContainsFunc(r.before(q.window, p), func(token string) bool { return slices.Contains(q.set, token) })
}

// node is a leaf, or a test.
type node struct {
	build, validate []seen
	value, prior    float64
	question        *question
	yes, no         *node
}

func total(list []seen) (n, s, squares float64) {
	for _, o := range list {
		n += o.weight
		s += o.weight * o.value
		squares += o.weight * o.value * o.value
	}
	return n, s, squares
}

func firing(list []seen) (n int) {
	for _, o := range list {
		if o.value >= .5 {
			n++
		}
	}
	return n
}

func newNode(build, validate []seen, prior float64) *node {
	n, s, _ := total(build)
	return &node{build: build, validate: validate, prior: prior, value: (s + prior) / (n + 1)}
}

func (r *reference) divide(x *node, q question) (yes, no *node) {
	part := func(list []seen, answer bool) (out []seen) {
		for _, o := range list {
			if r.answers(q, o.at) == answer {
				out = append(out, o)
			}
		}
		return out
	}
	return newNode(part(x.build, true), part(x.validate, true), x.value),
		newNode(part(x.build, false), part(x.validate, false), x.value)
}

// best is the test of a leaf that nets most, of those that lower the error on validation documents.
func (r *reference) best(x *node) *question {
	n, s, squares := total(x.build)
	variance := squares/n - s/n*s/n
	if firing(x.build) == 0 || variance <= 0 {
		return nil
	}
	mean := s / n
	basic := math.Log(17) + math.Log(n+1)/2
	net := func(n1, s1, cost float64) float64 {
		n0, s0 := n-n1, s-s1
		if n1 <= 1 || n0 <= 1 {
			return 0
		}
		return s1*s1/n1 + s0*s0/n0 - s*s/n - 2*variance*cost
	}
	var found []question
	// Sets.
	for k := range 11 {
		q := question{kind: n2g.TestToken, distance: k}
		far := float64(k)
		if k > 8 {
			q.kind, q.distance, far = n2g.TestLine, k-9, 2
		}
		response := func(token string, without int) float64 {
			n, s := 0.0, 0.0
			for _, o := range x.build {
				if r.place(q.kind, q.distance, o.at) == token && r.fold(o.at) != without {
					n += o.weight
					s += o.weight * o.value
				}
			}
			class := mean
			if firing(x.build) >= 20 {
				class = (s + 2*mean) / (n + 2) // a class by itself, as there are fewer than 256 tokens
			}
			return (s + 2*class) / (n + 2)
		}
		responses := map[string][5]float64{} // without each fold, and with all
		top := math.Inf(-1)
		for _, o := range x.build {
			token := r.place(q.kind, q.distance, o.at)
			if _, known := responses[token]; !known {
				var list [5]float64
				for without := range list {
					list[without] = response(token, without)
				}
				responses[token] = list
				top = max(top, list[4])
			}
		}
		if top <= mean {
			continue
		}
		levels := make([]float64, 0, 40)
		for i := range 8 {
			levels = append(levels, mean*float64(i)/8)
		}
		for i := range 32 {
			levels = append(levels, mean+(top-mean)*math.Pow(float64(i)/32, 2))
		}
		exceeds := func(v float64, level int) bool {
			const rounding = 1e-12
			if level == 8 {
				return v > mean
			}
			return v >= levels[level]-rounding*math.Abs(levels[level])
		}
		var bestSet []string
		var bestWithout map[string][4]bool
		for level := 39; level > 0; level-- {
			var set []string
			for token, v := range responses {
				if exceeds(v[4], level) {
					set = append(set, token)
				}
			}
			if len(set) == 0 || len(set) == len(responses) {
				continue
			}
			n1, s1 := 0.0, 0.0
			for _, o := range x.build {
				if exceeds(responses[r.place(q.kind, q.distance, o.at)][r.fold(o.at)], level) {
					n1 += o.weight
					s1 += o.weight * o.value
				}
			}
			if n1 <= 1 || n-n1 <= 1 || s1/n1 <= (s-s1)/(n-n1) {
				continue
			}
			members := min(len(set), len(responses)-len(set))
			if gain := net(n1, s1, basic+float64(members)) / (1 + .2*far); gain > q.gain*(1+1e-9) {
				q.gain, bestSet, bestWithout = gain, set, map[string][4]bool{}
				for token, v := range responses {
					var in [4]bool
					for fold := range in {
						in[fold] = exceeds(v[fold], level)
					}
					bestWithout[token] = in
				}
			}
		}
		if bestSet != nil {
			slices.SortFunc(bestSet, func(a, b string) int {
				return cmp.Or(cmp.Compare(responses[b][4], responses[a][4]), cmp.Compare(r.order(a), r.order(b)))
			})
			q.set, q.without = bestSet, bestWithout
			found = append(found, q)
		}
	}
	// Windows.
	var tokens []string
	for _, o := range x.build {
		for _, token := range r.before(32, o.at) {
			if !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
			}
		}
	}
	slices.SortFunc(tokens, func(a, b string) int { return r.number[a] - r.number[b] })
	each := math.Log(float64(len(tokens)) + 1)
	yesOf := func(q question) (n, s float64) {
		for _, o := range x.build {
			if r.answers(q, o.at) {
				n += o.weight
				s += o.weight * o.value
			}
		}
		return n, s
	}
	for _, window := range []int{8, 16, 32} {
		for _, raises := range []bool{true, false} {
			q := question{kind: n2g.TestWithin, window: window}
			for _, token := range tokens {
				one := question{kind: n2g.TestWithin, window: window, set: []string{token}}
				n1, s1 := yesOf(one)
				if n1 == 0 || (s1/n1 > mean) != raises {
					continue
				}
				if one.gain = net(n1, s1, basic+each); one.gain > q.gain {
					q = one
				}
			}
			if q.set != nil {
				found = append(found, q)
			}
		}
	}
	for _, window := range []int{8, 16, 32} {
		q := question{kind: n2g.TestRepeated, window: window}
		n1, s1 := yesOf(q)
		if q.gain = net(n1, s1, basic); q.gain > 0 {
			found = append(found, q)
		}
	}
	slices.SortStableFunc(found, func(a, b question) int { return cmp.Compare(b.gain, a.gain) })
	for _, q := range found {
		if firing(x.validate) < 5 {
			return &q
		}
		yes, no := r.divide(x, q)
		err := func(list []seen, v float64) (sum float64) {
			for _, o := range list {
				sum += o.weight * (o.value - v) * (o.value - v)
			}
			return sum
		}
		if err(yes.validate, yes.value)+err(no.validate, no.value) < err(x.validate, x.value) {
			return &q
		}
	}
	return nil
}

func (r *reference) order(token string) int {
	if token == start {
		return len(r.number)
	}
	return r.number[token]
}

// grow is section 14 up to the tables.
func (r *reference) grow() *node {
	root := newNode(r.observe(contexttree.Build), r.observe(contexttree.Validate), 0)
	root.question = r.best(root)
	leaves := []*node{root}
	for range r.splits {
		at := -1
		for i, x := range leaves {
			if x.question != nil && (at < 0 || x.question.gain > leaves[at].question.gain) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		x := leaves[at]
		x.yes, x.no = r.divide(x, *x.question)
		x.yes.question, x.no.question = r.best(x.yes), r.best(x.no)
		leaves = append(slices.Delete(leaves, at, at+1), x.yes, x.no)
	}
	return root
}

func (r *reference) leaf(x *node, p at) *node { return r.leafWithout(x, p, 4) }

// leafWithout is the leaf that a token comes to where a fold has no say in the sets; 4 is none.
func (r *reference) leafWithout(x *node, p at, without int) *node {
	for x.yes != nil {
		q := *x.question
		in, known := q.without[r.place(q.kind, q.distance, p)]
		answer := r.answers(q, p)
		if known && without < 4 {
			answer = in[without]
		}
		if answer {
			x = x.yes
		} else {
			x = x.no
		}
	}
	return x
}

// entry is a suffix within a leaf.
type entry struct {
	leaf   *node
	suffix string // tokens, each behind a bar
}

// suffix is the last so many tokens up to p.
func (r *reference) suffix(p at, tokens int) (string, bool) {
	if p.token+1 < tokens {
		return "", false
	}
	var b strings.Builder
	for _, token := range r.text[p.window][p.token+1-tokens : p.token+1] {
		b.WriteString("|" + token)
	}
	return b.String(), true
}

// tables are the values of leaves (the empty suffix) and of their entries, with all folds and without each.
type tables map[entry]*[5]float64

// tables is the rest of section 14.
func (r *reference) tables(root *node, most int) (tables, bool) {
	type tally struct {
		n, s  [4]float64
		after bool // a posted token of build documents ends so
	}
	counts := map[entry]*tally{}
	shorter := func(e entry) entry {
		parts := strings.Split(e.suffix, "|")[1:]
		if len(parts) == 1 {
			return entry{e.leaf, ""}
		}
		return entry{e.leaf, "|" + strings.Join(parts[1:], "|")}
	}
	for _, p := range r.of(contexttree.Build) {
		leaf := r.leaf(root, p)
		for k := range 4 {
			suffix, ok := r.suffix(p, k)
			if !ok {
				continue
			}
			e := entry{leaf, suffix}
			if counts[e] == nil {
				counts[e] = &tally{}
			}
			counts[e].n[r.fold(p)]++
			counts[e].s[r.fold(p)] += r.known(p)
			counts[e].after = counts[e].after || r.posted(p)
		}
	}
	t := tables{}
	var order []entry
	for e := range counts {
		if e.suffix == "" {
			order = append(order, e)
			continue
		}
		parts := strings.Count(e.suffix, "|")
		if counts[e].after || parts == 1 || counts[shorter(e)].after {
			order = append(order, e)
		}
	}
	slices.SortFunc(order, func(a, b entry) int {
		return cmp.Compare(strings.Count(a.suffix, "|"), strings.Count(b.suffix, "|"))
	})
	type candidate struct {
		entry
		gain float64
	}
	var candidates []candidate
	for _, e := range order {
		prior := [5]float64{}
		if e.suffix == "" {
			prior = [5]float64{e.leaf.prior, e.leaf.prior, e.leaf.prior, e.leaf.prior, e.leaf.prior}
		} else {
			next := shorter(e)
			for t[next] == nil {
				next = shorter(next)
			}
			prior = *t[next]
		}
		var values [5]float64
		n, s := 0.0, 0.0
		for without := range 5 {
			n, s = 0, 0
			for f := range 4 {
				if f != without {
					n += counts[e].n[f]
					s += counts[e].s[f]
				}
			}
			values[without] = (s + prior[without]) / (n + 1)
		}
		if e.suffix != "" {
			if math.Abs(values[4]-prior[4]) <= .001 {
				continue
			}
			square := func(v float64) float64 { return n*v*v - 2*s*v }
			candidates = append(candidates, candidate{e, square(prior[4]) - square(values[4])})
		}
		t[e] = &values
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.gain, a.gain) })
	taken, lowest := map[bool]int{}, map[bool]float64{} // with a posted token behind them, and without
	tied := false                                       // whether chance says which of two is taken
	for _, c := range candidates {
		after, allowed := counts[c.entry].after, most
		if !after {
			allowed = most / 4
		}
		if taken[after]++; taken[after] <= allowed {
			lowest[after] = c.gain
			continue
		}
		tied = tied || allowed > 0 && c.gain >= lowest[after]*(1-1e-9)
		delete(t, c.entry)
	}
	return t, tied
}

func (r *reference) predict(root *node, t tables, p at, without int) float64 {
	leaf := r.leafWithout(root, p, without)
	for k := 3; ; k-- {
		if suffix, ok := r.suffix(p, k); ok && t[entry{leaf, suffix}] != nil {
			return math.Round(t[entry{leaf, suffix}][without]*1e5) / 1e5
		} else if k == 0 {
			return math.Round(leaf.value*1e5) / 1e5 // to which no build token comes
		}
	}
}

// judged is a prediction beside what happened.
type judged struct {
	prediction, weight float64
	fires              bool
}

// threshold is the lowest prediction that counts as firing, halfway to the next lower.
func threshold(list []judged) float64 {
	levels := map[float64]bool{}
	for _, j := range list {
		levels[j.prediction] = true
	}
	best, bestF1 := .5, 0.0
	sorted := slices.Sorted(func(yield func(float64) bool) {
		for v := range levels {
			if !yield(v) {
				return
			}
		}
	})
	for i, v := range slices.Backward(sorted) {
		next := 0.0
		if i > 0 {
			next = max(0, sorted[i-1])
		}
		if _, _, f1 := f1(list, v); f1 > bestF1*(1+1e-12) {
			best, bestF1 = (v+next)/2, f1
			if i == 0 {
				best = .5
			}
		}
	}
	return best
}

func f1(list []judged, threshold float64) (precision, recall, f1 float64) {
	hits, predicted, fire := 0.0, 0.0, 0.0
	for _, j := range list {
		if j.fires {
			fire += j.weight
		}
		if j.prediction >= threshold {
			predicted += j.weight
			if j.fires {
				hits += j.weight
			}
		}
	}
	if hits == 0 {
		return 0, 0, 0
	}
	return hits / predicted, hits / fire, 2 * hits / (predicted + fire)
}

// averagePrecision steps through all thresholds.
func averagePrecision(list []judged) float64 {
	levels := map[float64]bool{}
	for _, j := range list {
		levels[j.prediction] = true
	}
	var sorted []float64
	for v := range levels {
		sorted = append(sorted, v)
	}
	slices.Sort(sorted)
	area, before := 0.0, 0.0
	for _, v := range slices.Backward(sorted) {
		precision, recall, _ := f1(list, v)
		area += (recall - before) * precision
		before = recall
	}
	return area
}

// chances are isotonic: of all tokens with a prediction of v the share that fires, by the formula of max and min over
// intervals of predictions.
func referenceChances(list []judged) func(v float64) float64 {
	n, fire := map[float64]float64{}, map[float64]float64{}
	for _, j := range list {
		n[j.prediction] += j.weight
		if j.fires {
			fire[j.prediction] += j.weight
		}
	}
	var levels []float64
	for v := range n {
		levels = append(levels, v)
	}
	slices.Sort(levels)
	// Steps: pool neighbours until none falls.
	type step struct{ from, n, fire float64 }
	var steps []step
	for _, v := range levels {
		steps = append(steps, step{v, n[v], fire[v]})
	}
	share := func(s step) float64 { return (s.fire + .5) / (s.n + 1) }
	for again := true; again; {
		again = false
		for i := 1; i < len(steps); i++ {
			if share(steps[i]) <= share(steps[i-1]) {
				steps[i-1].n += steps[i].n
				steps[i-1].fire += steps[i].fire
				steps = slices.Delete(steps, i, i+1)
				again = true
				break
			}
		}
	}
	return func(v float64) float64 {
		chance := .5
		for i, s := range steps {
			if i == 0 || s.from <= v {
				chance = share(s)
			}
		}
		return chance
	}
}

// thin says whether firing tokens are missing from the posted ones.
func (r *reference) thin() bool { return r.a.Level > .5*r.a.Maximum }

// quietWeight is for how many quiet tokens of a split a sampled one stands; 0 where there is none.
func (r *reference) quietWeight(split contexttree.Split) float64 {
	quiet, sampled := 0.0, 0.0
	for _, p := range r.of(split) {
		if !r.posted(p) {
			quiet++
			if r.sampled[p.window] != nil {
				sampled++
			}
		}
	}
	if sampled == 0 {
		return 0
	}
	return quiet / sampled
}

// judge sets predictions beside what happened: for all tokens, or those of which it is known.
func (r *reference) judge(split contexttree.Split, in func(at) bool, predict func(at) float64) (list []judged) {
	quiet := r.quietWeight(split)
	for _, p := range r.of(split) {
		switch {
		case !in(p):
		case !r.thin() || r.posted(p):
			list = append(list, judged{predict(p), 1, r.posted(p) && r.known(p) >= .5})
		case r.sampled[p.window] != nil:
			list = append(list, judged{predict(p), quiet, r.sampled[p.window][p.token] >= .5})
		}
	}
	return list
}

// score is a row of section 16.
type score struct{ precision, recall, f1, average, pearson, logLoss, valueError float64 }

func (r *reference) score(split contexttree.Split, in func(at) bool, predict func(at) float64, threshold float64,
	chance func(float64) float64) score {
	list := r.judge(split, in, predict)
	var xs, ys, ws []float64
	loss, fire := 0.0, 0.0
	for _, j := range list {
		if j.fires {
			loss -= j.weight * math.Log(chance(j.prediction))
			fire += j.weight
		} else {
			loss -= j.weight * math.Log(1-chance(j.prediction))
		}
	}
	quiet := r.quietWeight(split)
	for _, p := range r.of(split) {
		switch {
		case !in(p):
		case r.posted(p):
			xs, ys, ws = append(xs, r.known(p)), append(ys, predict(p)), append(ws, 1)
		case r.sampled[p.window] != nil:
			xs, ys, ws = append(xs, r.sampled[p.window][p.token]), append(ys, predict(p)), append(ws, quiet)
		case quiet == 0:
			xs, ys, ws = append(xs, 0), append(ys, predict(p)), append(ws, 1)
		}
	}
	s := score{average: averagePrecision(list), pearson: pearson(xs, ys, ws)}
	s.precision, s.recall, s.f1 = f1(list, threshold)
	if fire > 0 {
		s.logLoss = loss / fire
	}
	sum, n := 0.0, 0.0
	for i := range xs {
		sum += ws[i] * (xs[i] - ys[i]) * (xs[i] - ys[i])
		n += ws[i]
	}
	if n > 0 {
		s.valueError = math.Sqrt(sum / n)
	}
	return s
}

func pearson(xs, ys, ws []float64) float64 {
	mean := func(f func(i int) float64) float64 {
		sum, n := 0.0, 0.0
		for i, w := range ws {
			sum += w * f(i)
			n += w
		}
		return sum / n
	}
	if len(xs) == 0 {
		return 0
	}
	x, y := mean(func(i int) float64 { return xs[i] }), mean(func(i int) float64 { return ys[i] })
	xy := mean(func(i int) float64 { return (xs[i] - x) * (ys[i] - y) })
	xx := mean(func(i int) float64 { return (xs[i] - x) * (xs[i] - x) })
	yy := mean(func(i int) float64 { return (ys[i] - y) * (ys[i] - y) })
	if xx == 0 || yy < 1e-30 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// tableOf is a baseline: the mean response to what key makes of a token, over build documents but one fold; missing
// where there is none.
func (r *reference) tableOf(key func(at) string) func(p at, without int) (float64, bool) {
	n, s := map[string]*[4]float64{}, map[string]*[4]float64{}
	for _, p := range r.of(contexttree.Build) {
		k := key(p)
		if n[k] == nil {
			n[k], s[k] = new([4]float64), new([4]float64)
		}
		n[k][r.fold(p)]++
		s[k][r.fold(p)] += r.known(p)
	}
	return func(p at, without int) (float64, bool) {
		k := key(p)
		if n[k] == nil {
			return 0, false
		}
		count, sum := 0.0, 0.0
		for f := range 4 {
			if f != without {
				count += n[k][f]
				sum += s[k][f]
			}
		}
		return math.Round(sum/max(count, 1)*1e5) / 1e5, count > 0
	}
}

// TestReference holds the learner and its scores to the document, on random corpora.
func TestReference(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testReference(t, seed) })
	}
}

func testReference(t *testing.T, seed uint64) {
	windows, a := randomCorpus(rand.New(rand.NewPCG(seed, 16)))
	c, err := contexttree.NewCorpus(windows, referenceToken)
	if err != nil {
		t.Fatal(err)
	}
	splits, entries := []int{1, 4, 10, 30}[seed%4], []int{1000, 7}[seed/4%2]
	g, err := contexttree.Learn(context.Background(), c, a, contexttree.Options{Splits: splits, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	r := newReference(windows, a, splits)
	root := r.grow()
	if got, want := shape(g.Root), r.shape(root); got != want {
		t.Fatalf("the tree is\n%s\nwant\n%s", got, want)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 2e-5) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	tables, tied := r.tables(root, entries)
	if tied {
		return
	}
	predict := func(p at) float64 { return r.predict(root, tables, p, 4) }
	test := r.of(contexttree.Test)
	for w, window := range windows {
		if window.Split == contexttree.Test {
			for i, got := range g.Predict(r.text[w]) {
				near(fmt.Sprintf("the prediction at %d of window %d (%q)", i, w, r.text[w][:i+1]), got, predict(at{w, i}))
			}
		}
	}
	if t.Failed() {
		return
	}
	random := rand.New(rand.NewPCG(seed, 17))
	// The published graph has been made of some windows.
	var taught []int
	for w, window := range windows {
		if random.IntN(8) == 0 && (window.Split != contexttree.Validate || !r.thin()) {
			taught = append(taught, w)
		}
	}
	anew := func(p at) bool { return !slices.Contains(taught, p.window) }
	all := func(at) bool { return true }
	heldOut := func(predict func(p at, without int) float64, in func(at) bool) []judged {
		list := r.judge(contexttree.Validate, in, func(p at) float64 { return predict(p, 4) })
		if r.thin() {
			return list
		}
		return append(list, r.judge(contexttree.Build, in, func(p at) float64 { return predict(p, r.fold(p)) })...)
	}
	token := r.tableOf(func(p at) string { return r.token(p) })
	pair := r.tableOf(func(p at) string { return r.place(n2g.TestToken, 1, p) + "|" + r.token(p) })
	fires := map[string]bool{}
	for _, p := range r.of(contexttree.Build) {
		if r.posted(p) && r.known(p) >= .5 {
			fires[r.token(p)] = true
		}
	}
	highest := map[int]float64{}
	var ranked []int
	for _, p := range test {
		if r.posted(p) && anew(p) {
			if _, known := highest[p.window]; !known {
				ranked = append(ranked, p.window)
			}
			highest[p.window] = max(highest[p.window], r.known(p))
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int { return cmp.Compare(highest[b], highest[a]) })
	ranked = ranked[:min(10, len(ranked))]
	trie := randomTrie(random)
	published := n2g.NewPredictor(trie)
	rows, err := contexttree.Compare(c, a, g, trie, taught...)
	if err != nil {
		t.Fatal(err)
	}
	predictors := map[string]func(p at, without int) float64{
		contexttree.ContextGraph: func(p at, without int) float64 { return r.predict(root, tables, p, without) },
		contexttree.PublishedGraph: func(p at, _ int) float64 {
			return published.PredictLast(r.text[p.window][:p.token+1])
		},
		contexttree.TokenTable: func(p at, without int) float64 {
			v, _ := token(p, without)
			return v
		},
		contexttree.BigramTable: func(p at, without int) float64 {
			v, known := pair(p, without)
			if !known {
				v, _ = token(p, without)
			}
			return v
		},
	}
	texts := map[string]func(at) bool{
		contexttree.TestDocuments: anew,
		contexttree.HardNegatives: func(p at) bool { return anew(p) && fires[r.token(p)] },
		contexttree.TopExamples:   func(p at) bool { return slices.Contains(ranked, p.window) },
	}
	if len(rows) != len(predictors)*len(texts) {
		t.Errorf("%d comparisons", len(rows))
	}
	for _, row := range rows {
		predict := predictors[row.Predictor]
		in := all
		if row.Predictor == contexttree.PublishedGraph {
			in = anew
		}
		seen := heldOut(predict, in)
		level := threshold(seen)
		near(row.Predictor+"'s threshold", row.FireThreshold, level)
		want := r.score(contexttree.Test, texts[row.Text], func(p at) float64 { return predict(p, 4) }, row.FireThreshold,
			referenceChances(seen))
		name := row.Predictor + " on " + row.Text + ": "
		near(name+"precision", row.Scores.Firing.Precision, want.precision)
		near(name+"recall", row.Scores.Firing.Recall, want.recall)
		near(name+"F1", row.Scores.Firing.F1, want.f1)
		near(name+"average precision", row.Scores.AveragePrecision, want.average)
		near(name+"r", row.Scores.Pearson, want.pearson)
		near(name+"log-loss", *row.LogLoss, want.logLoss)
		near(name+"error of value", *row.ValueError, want.valueError)
	}
}

// shape is a graph's tests, as text.
func shape(n *n2g.ContextNode) string {
	if n.Test == nil {
		return "."
	}
	t := n.Test
	set := slices.Clone(t.Tokens)
	if t.Start {
		set = append(set, start)
	}
	slices.Sort(set) // of tokens with one mean response the order is free
	return fmt.Sprintf("(%s %d %d %q\n%s%s)", t.Kind, t.Distance, t.Window, set, shape(n.Yes), shape(n.No))
}

func (r *reference) shape(x *node) string {
	if x.yes == nil {
		return "."
	}
	set := slices.Sorted(slices.Values(x.question.set))
	return fmt.Sprintf("(%s %d %d %q\n%s%s)", x.question.kind, x.question.distance, x.question.window, set, r.shape(x.yes),
		r.shape(x.no))
}

// randomCorpus has a neuron that several rules excite, with noise.
func randomCorpus(random *rand.Rand) ([]contexttree.Window, *contexttree.Activations) {
	var windows []contexttree.Window
	a := &contexttree.Activations{}
	kinds := 5 + random.IntN(8)
	distance, within := random.IntN(4), 8<<random.IntN(3)
	first, second := referenceToken(random.IntN(7)), referenceToken(random.IntN(9))
	noise := []float64{.02, .2, .5}[random.IntN(3)]
	level := float64(float32([]float64{.05, .15, .3}[random.IntN(3)]))
	every := 2 + random.IntN(4)
	position := int32(0)
	document := -1
	for number := range 60 + random.IntN(80) {
		if number == 0 || random.IntN(2) == 0 {
			document++
		}
		split := contexttree.Build
		switch document % 7 {
		case 3:
			split = contexttree.Validate
		case 5:
			split = contexttree.Test
		}
		w := contexttree.Window{Document: document, Split: split}
		var text []string
		for i := range 1 + random.IntN(40) {
			w.IDs = append(w.IDs, int32(random.IntN(1+random.IntN(1+random.IntN(kinds))))) // some are rare
			text = append(text, referenceToken(int(w.IDs[i])))
			v := noise * random.Float64() * random.Float64()
			if text[i] == first && slices.Contains(text[max(0, i-within):i], second) {
				v += .6 * random.Float64()
			}
			if i >= distance && text[i-distance] == second && text[i] != first {
				v += .7
			}
			value := float32(v)
			if float64(value) > level {
				a.Positions, a.Values = append(a.Positions, position), append(a.Values, value)
			}
			if number%every == 0 {
				a.SampledValues = append(a.SampledValues, value)
			}
			a.Maximum = max(a.Maximum, float64(value))
			position++
		}
		if number%every == 0 {
			a.Sampled = append(a.Sampled, int32(number))
		}
		windows = append(windows, w)
	}
	if level > .49*a.Maximum {
		return randomCorpus(random)
	}
	a.Level = level
	if random.IntN(5) > 0 {
		return windows, a
	}
	// Firing tokens are missing: only those above a higher level are posted.
	a.Level = float64(float32(.6 * a.Maximum))
	positions, values := a.Positions, a.Values
	a.Positions, a.Values = nil, nil
	for i, v := range values {
		if float64(v) > a.Level {
			a.Positions, a.Values = append(a.Positions, positions[i]), append(a.Values, v)
		}
	}
	return windows, a
}

// randomTrie is a published graph of a few tokens.
func randomTrie(random *rand.Rand) *n2g.Node {
	var grow func(depth int) []*n2g.Node
	grow = func(depth int) (list []*n2g.Node) {
		for _, token := range random.Perm(7)[:1+random.IntN(3)] {
			n := &n2g.Node{Token: n2g.NormalizeToken(referenceToken(token)), Activator: depth == 0}
			if depth == 2 || random.IntN(2) == 0 {
				end := random.Float64()
				n.End = &end
			}
			if depth < 2 {
				n.Children = grow(depth + 1)
			}
			list = append(list, n)
		}
		return list
	}
	return &n2g.Node{Token: n2g.RootToken, Children: grow(0)}
}
