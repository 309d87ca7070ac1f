package contexttree

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Predictors and texts of a [n2g.Comparison].
const (
	ContextGraph   = "context graph"
	PublishedGraph = "published graph"
	TokenTable     = "token table"
	BigramTable    = "bigram table"
	TestDocuments  = "test documents"
	HardNegatives  = "hard negatives"
	TopExamples    = "top examples"
)

// Compare scores a graph on the test documents beside predictors that learned from the same build documents: a table of
// the mean response to each token, one of each pair of tokens that backs off to it, and the published graph's trie if
// there is one. Each predictor's firing threshold is chosen on validation and build documents, these predicted by what
// the predictor learned from others: tables from those of other folds, the published graph's trie from the windows left
// out. Where some firing tokens are not posted it is chosen on validation documents alone.
//
// Top examples are the ten windows of the test documents on which the neuron is strongest, all of their tokens. Hard
// negatives are the test documents' tokens on which the neuron has fired somewhere in the build documents: what
// tells firing tokens from others there is context alone.
//
// Windows from which the published graph was made may be left out: then its threshold is not chosen on them, and
// nothing is scored on those that are not of build documents.
func Compare(c *Corpus, a *Activations, g *n2g.ContextGraph, trie *n2g.Node, leaveOut ...int) ([]n2g.Comparison,
	error) {
	if err := a.check(c); err != nil {
		return nil, err
	}
	rows, _ := compare(c, a, g, trie, c.means(a, a.quiet(c)), leaveOut)
	return rows, nil
}

// compare also returns the chances of firing that each predictor has.
func compare(c *Corpus, a *Activations, g *n2g.ContextGraph, trie *n2g.Node, m *means,
	leaveOut []int) ([]n2g.Comparison, map[string][]n2g.FireChance) {
	test := c.truth(a, Test).only(c.others(leaveOut, Test))
	hard, top := test.only(c.hardNegatives(a)), test.only(c.topExamples(a, leaveOut))
	var predictors []func() []n2g.Comparison
	var mu sync.Mutex
	chancesOf := map[string][]n2g.FireChance{}
	rowsOf := func(predictor string, threshold float64, steps []n2g.FireChance, predictions []float64) (
		rows []n2g.Comparison) {
		mu.Lock()
		chancesOf[predictor] = steps
		mu.Unlock()
		for _, of := range []struct {
			text string
			*truth
		}{{TestDocuments, test}, {HardNegatives, hard}, {TopExamples, top}} {
			rows = append(rows, n2g.Comparison{Text: of.text, Predictor: predictor, FireThreshold: threshold,
				Scores: of.scores(predictions, threshold), LogLoss: new(of.logLoss(predictions, steps)),
				ValueError: new(of.valueError(predictions))})
		}
		return rows
	}
	add := func(predictor string, groups func() []group, predict func(Split) []float64) {
		predictors = append(predictors, func() []n2g.Comparison {
			if a.thin() {
				seen := c.truth(a, Validate).only(c.others(leaveOut, Validate)).groups(predict(Validate))
				return rowsOf(predictor, bestThreshold(seen), chances(seen), predict(Test))
			}
			seen := groups()
			return rowsOf(predictor, bestThreshold(seen), chances(seen), predict(Test))
		})
	}
	if g != nil {
		predictors = append(predictors, func() []n2g.Comparison {
			return rowsOf(ContextGraph, g.FireThreshold, g.Chances, predictionsOf(c, g, Test))
		})
	}
	if trie != nil {
		p := n2g.NewPredictor(trie)
		add(PublishedGraph, func() []group { return trieGroups(c, a, p, leaveOut) },
			func(s Split) []float64 { return triePredictions(c, p, s) })
	}
	add(TokenTable, m.tokenGroups, m.tokenPredictions)
	add(BigramTable, m.pairGroups, m.pairPredictions)
	rows := make([][]n2g.Comparison, len(predictors))
	var all sync.WaitGroup
	for i, score := range predictors {
		all.Go(func() { rows[i] = score() })
	}
	all.Wait()
	return slices.Concat(rows...), chancesOf
}

// triePredictions are those of a published graph.
func triePredictions(c *Corpus, p *n2g.Predictor, split Split) []float64 {
	words := p.Words(c.tokens)
	predictions := make([]float64, 0, c.Tokens(split))
	var window []int32
	for w, s := range c.splits {
		if s == split {
			window = c.appendWords(window[:0], w, words)
			predictions = p.AppendWordPredictions(predictions, window)
		}
	}
	return predictions
}

// trieGroups are the validation and the build tokens by what a published graph predicts for them.
func trieGroups(c *Corpus, a *Activations, p *n2g.Predictor, leaveOut []int) []group {
	words, numbers := p.Words(c.tokens), map[float64]int{}
	var groups []group
	var window []int32
	var predictions []float64
	posted := 0
	for w, s := range c.splits {
		if s == Test || slices.Contains(leaveOut, w) {
			continue
		}
		window = c.appendWords(window[:0], w, words)
		predictions = p.AppendWordPredictions(predictions[:0], window)
		for i, value := range predictions {
			number, ok := numbers[value]
			if !ok {
				number = len(groups)
				numbers[value] = number
				groups = append(groups, group{value: value})
			}
			groups[number].n++
			at := c.starts[w] + int32(i)
			for posted < len(a.Positions) && a.Positions[posted] < at {
				posted++
			}
			if posted < len(a.Positions) && a.Positions[posted] == at && float64(a.Values[posted])/a.Maximum >= firing {
				groups[number].firing++
			}
		}
	}
	return groups
}

// appendWords appends a window in the words of a predictor, which are given by symbol.
func (c *Corpus) appendWords(dst []int32, window int, words []int32) []int32 {
	for _, symbol := range c.symbols[c.starts[window]:c.starts[window+1]] {
		dst = append(dst, words[symbol])
	}
	return dst
}

// hardNegatives tells, for the test tokens in order of position, whether the neuron fires on their symbol in Build.
func (c *Corpus) hardNegatives(a *Activations) []bool {
	fires := make([]bool, len(c.tokens))
	c.eachPosted(a, func(p int32, value float64) {
		if value >= firing {
			fires[c.symbols[p]] = true
		}
	})
	hard := make([]bool, 0, c.Tokens(Test))
	c.each(Test, func(p int32) { hard = append(hard, fires[c.symbols[p]]) })
	return hard
}

// topWindows is the number of windows of the published method's test half.
const topWindows = 10

// topExamples tells, for the test tokens in order of position, whether they stand in one of the windows on which the
// neuron is strongest.
func (c *Corpus) topExamples(a *Activations, leaveOut []int) []bool {
	highest := map[int32]float32{}
	for i, p := range a.Positions {
		if w := c.window[p]; c.splits[w] == Test && !slices.Contains(leaveOut, int(w)) {
			highest[w] = max(highest[w], a.Values[i])
		}
	}
	order := slices.SortedFunc(maps.Keys(highest), func(a, b int32) int {
		return cmp.Or(cmp.Compare(highest[b], highest[a]), cmp.Compare(a, b))
	})
	top := map[int32]bool{}
	for _, w := range order[:min(len(order), topWindows)] {
		top[w] = true
	}
	in := make([]bool, 0, c.Tokens(Test))
	c.each(Test, func(p int32) { in = append(in, top[c.window[p]]) })
	return in
}

// others tells, for the tokens of a split in order of position, whether they stand in other windows than these.
func (c *Corpus) others(windows []int, split Split) []bool {
	others := make([]bool, 0, c.Tokens(split))
	c.each(split, func(p int32) { others = append(others, !slices.Contains(windows, int(c.window[p]))) })
	return others
}

// only is the truth of some tokens.
func (t *truth) only(of []bool) *truth {
	part := &truth{values: t.values, known: make([]float64, len(of)), judged: make([]float64, len(of))}
	for i, take := range of {
		if take {
			part.known[i], part.judged[i] = t.known[i], t.judged[i]
		}
	}
	return part
}
