package contexttree

import (
	"fmt"
	"math"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// OtherText is the text of [n2g.Comparison] for text that is not of the corpus of which predictors have learned, of
// some name.
func OtherText(name string) string { return "other text: " + name }

// other is text on which predictors are scored that learned from another corpus. All of its documents count.
type other struct {
	text    string // of comparisons
	index   *index.Index
	corpus  *Corpus
	symbols []int32 // of each of its symbols the one that the corpus learned from has for the token, -1: none
	pairs   []int32 // of each position the pair of that corpus's build documents, -1: none
}

func newOther(name string, x *index.Index, tokenString func(id int) string, learned *Corpus) (*other, error) {
	windows, err := windowsOf(x)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", OtherText(name), err)
	}
	for i := range windows {
		windows[i].Split = Test
	}
	c, err := NewCorpus(windows, tokenString)
	if err != nil {
		return nil, err
	}
	o := &other{text: OtherText(name), index: x, corpus: c}
	o.find(learned)
	return o, nil
}

// find looks up the symbols and pairs in the corpus that predictors have learned from.
func (o *other) find(learned *Corpus) {
	c := o.corpus
	o.symbols = make([]int32, len(c.tokens))
	for symbol, token := range c.tokens {
		number, ok := learned.numbers[token]
		if !ok {
			number = -1
		}
		o.symbols[symbol] = number
	}
	const start = math.MaxInt32 // of the window, in place of the symbol before
	key := func(before, symbol int32) uint64 { return uint64(uint32(before))<<32 | uint64(uint32(symbol)) }
	b := learned.bigrams()
	numbers := make(map[uint64]int32, len(b.counts))
	learned.each(Build, func(p int32) {
		before := int32(start)
		if p > learned.starts[learned.window[p]] {
			before = learned.symbols[p-1]
		}
		numbers[key(before, learned.symbols[p])] = b.of[p]
	})
	o.pairs = make([]int32, len(c.symbols))
	for p, own := range c.symbols {
		before := int32(start)
		if int32(p) > c.starts[c.window[p]] {
			before = o.symbols[c.symbols[p-1]]
		}
		number, ok := numbers[key(before, o.symbols[own])]
		if !ok {
			number = -1
		}
		o.pairs[p] = number
	}
}

// activations are a neuron's there, as shares of its maximum where predictors have learned.
func (o *other) activations(s n2g.Site, maximum float64) (*Activations, error) {
	number, err := o.index.Meta().Number(s.Layer, s.Hook, s.Index)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.text, err)
	}
	a, err := activationsOf(o.index, number)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.text, err)
	}
	a.Maximum = maximum
	return a, nil
}

// compare scores predictors there, with the thresholds and chances that they have from the corpus they learned from.
func (o *other) compare(a *Activations, rows []n2g.Comparison, chances map[string][]n2g.FireChance,
	g *n2g.ContextGraph, trie *n2g.Node, m *means) []n2g.Comparison {
	truth := o.corpus.truth(a, Test)
	var scored []n2g.Comparison
	for _, row := range rows {
		if row.Text != TestDocuments {
			continue
		}
		var predictions []float64
		switch row.Predictor {
		case ContextGraph:
			predictions = predictionsOf(o.corpus, g, Test)
		case PublishedGraph:
			predictions = triePredictions(o.corpus, n2g.NewPredictor(trie), Test)
		case TokenTable, BigramTable:
			predictions = m.elsewhere(o, row.Predictor == BigramTable)
		}
		scored = append(scored, n2g.Comparison{Text: o.text, Predictor: row.Predictor, FireThreshold: row.FireThreshold,
			Scores:     truth.scores(predictions, row.FireThreshold),
			LogLoss:    new(truth.logLoss(predictions, chances[row.Predictor])),
			ValueError: new(truth.valueError(predictions))})
	}
	return scored
}

// elsewhere are the predictions of the tables for other text.
func (m *means) elsewhere(o *other, pairs bool) []float64 {
	predictions := make([]float64, len(o.corpus.symbols))
	for p, own := range o.corpus.symbols {
		symbol, pair := o.symbols[own], o.pairs[p]
		switch {
		case symbol < 0:
		case !pairs || pair < 0:
			predictions[p] = m.token(symbol, validation)
		default:
			predictions[p] = m.quietPair(symbol)
			if x, ok := m.pairs[pair]; ok {
				predictions[p] = m.pair(x, symbol, validation)
			}
		}
	}
	return predictions
}
