package contexttree

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// DefaultSplits is the number of tests of a graph that can be read.
const DefaultSplits = 10

// Options of learning. The zero value is the default.
type Options struct {
	Splits int `json:"splits"` // most tests of a graph; 0: DefaultSplits; 100 is as much as pays
	// Entries is the most entries of the leaves' tables with a posted token behind them, of which there may be four for
	// each of one without. 0: 1000; negative: none.
	Entries  int `json:"entries"`
	Distance int `json:"distance"` // furthest distance of a test for one place; 0: 8
}

// Resolved are the options with the defaults in place.
func (o Options) Resolved() Options {
	or := func(value *int, otherwise int) {
		if *value == 0 {
			*value = otherwise
		}
	}
	or(&o.Splits, DefaultSplits)
	or(&o.Entries, 1000)
	or(&o.Distance, 8)
	o.Entries = max(o.Entries, 0)
	return o
}

// Constants of growth.
const (
	// meanWeight is how many tokens the parent's value counts for in a branch's, entryWeight how many the branch's in
	// that of one of its symbols.
	meanWeight  = 1
	entryWeight = 1
	setWeight   = 2
	// classFiring is the number of firing build tokens of a leaf from which on the classes of its tokens have a say. Below
	// it they would tell of weak activations, which are many, and lose those that fire.
	classFiring = 20
	// farther is by how much more a test must gain for each token that it looks further back.
	farther = 0.2
	// lineFar is the distance for which the beginning of a line counts.
	lineFar = 2
	// validated is the number of firing validation tokens from which on a test must also lower the error on them.
	validated = 5
)

// windows are the widths of tests for tokens within a window.
var windows = [...]int{8, 16, farthest}

// Learner learns graphs one after the other, and keeps its memory between them. It serves one goroutine at a time.
type Learner struct{ learner }

// NewLearner makes a learner of graphs on a corpus.
func NewLearner(c *Corpus, o Options) *Learner {
	l := &Learner{learner{corpus: c, options: o.Resolved()}}
	v := len(c.tokens) + 1 // the last stands for a place before the text
	l.posted, l.drawn, l.stamps = make([]int32, v), make([]int32, v), make([]int32, v)
	l.classes = c.classes()
	l.bySymbol, l.byClass, l.members = make([]byPart, v), make([]byPart, classCount+1), make([][]int32, classCount+1)
	for symbol, class := range l.classes {
		l.members[class] = append(l.members[class], int32(symbol))
	}
	l.byWindow = make([][len(windows)]tally, v)
	l.quietOf, l.named = make([]float64, v), make([][]int32, v)
	return l
}

// Learn learns one graph.
func Learn(ctx context.Context, c *Corpus, a *Activations, o Options) (*n2g.ContextGraph, error) {
	return NewLearner(c, o).Learn(ctx, a)
}

type learner struct {
	corpus      *Corpus
	options     Options
	activations *Activations
	quiet       *quiet

	build, validate evidence
	// importances of the tokens at distance 0, 1, … before some firing positions, where the model was asked; NaN:
	// unknown.
	importances map[int32][]float64
	replies     replies // of the current token; nil where the model was not asked

	// Scratch memory, by symbol.
	observations          []observation
	posted, drawn, stamps []int32
	stamp                 int32
	bySymbol              []byPart
	byClass               []byPart // by class
	byWindow              [][len(windows)]tally
	touched               []int32
	quietOf               []float64
	named                 [][]int32
	classes               []int32   // of each symbol
	members               [][]int32 // of each class

	// Of the leaves' tables.
	cells  []cell
	at     []int32 // of each position its leaf
	single []int32
	longer hashes
	moved  []move
}

// tally is a weight of observations and the sum of their weighted values.
type tally struct{ n, sum float64 }

func (t *tally) add(weight, value float64) {
	t.n += weight
	t.sum += weight * value
}

func (t tally) less(o tally) tally { return tally{t.n - o.n, t.sum - o.sum} }
func (t tally) mean() float64      { return t.sum / t.n }

// explained is the part of the squared values that the mean of the tally accounts for.
func (t tally) explained() float64 { return t.sum * t.sum / t.n }

// shrunk is the mean with a prior that counts for so many tokens.
func (t tally) shrunk(prior, weight float64) float64 { return (t.sum + weight*prior) / (t.n + weight) }

// byPart are the tallies of each fold of build documents, and behind them that of all, which is what validation
// documents are predicted by.
type byPart [parts]tally

func (t *byPart) add(fold uint8, weight, value float64) {
	t[fold].add(weight, value)
	t[validation].add(weight, value)
}

// without is the tally that a part is predicted by.
func (t *byPart) without(part int) tally {
	if part == validation {
		return t[validation]
	}
	return t[validation].less(t[part])
}

// leaf is a node while the graph grows.
type leaf struct {
	node            *n2g.ContextNode
	build, validate []int32 // observations
	total           tally
	variance        float64
	prior           float64 // the parent's value
	validFiring     int
	yes, no         *leaf // once it is divided
	number          int32 // among the leaves

	test *question // the best, nil if none pays
	gain float64
}

// Learn learns a graph of one neuron.
func (l *Learner) Learn(ctx context.Context, a *Activations) (*n2g.ContextGraph, error) {
	if err := a.check(l.corpus); err != nil {
		return nil, err
	}
	l.importances, l.replies = nil, nil
	return l.learn(ctx, a)
}

func (l *learner) learn(ctx context.Context, a *Activations) (*n2g.ContextGraph, error) {
	root, leaves, err := l.grow(ctx, a)
	if err != nil {
		return nil, err
	}
	seen := l.tables(root, leaves)
	root.sumUp()
	g := &n2g.ContextGraph{Root: root.node, Support: n2g.Support{BuildTokens: l.corpus.Tokens(Build),
		ValidateFiring: root.validFiring}}
	for _, o := range l.build.observations {
		if o.value >= firing {
			g.Support.BuildFiring++
		}
	}
	g.Nodes(func(n *n2g.ContextNode, _ int) { n.Value = round(n.Value) })
	if seen == nil {
		seen = l.corpus.truth(a, Validate).groups(predictionsOf(l.corpus, g, Validate))
	}
	g.FireThreshold, g.Chances = bestThreshold(seen), chances(seen)
	g.Label = Label(g)
	return g, nil
}

// grow divides the build tokens by tests; leaves are those of the tree below root.
func (l *learner) grow(ctx context.Context, a *Activations) (root *leaf, leaves []*leaf, err error) {
	l.activations, l.quiet = a, a.quiet(l.corpus)
	for symbol := range l.corpus.tokens {
		l.quietOf[symbol] = l.quiet.of(int32(symbol))
	}
	l.gather(&l.build, l.observe(Build))
	l.gather(&l.validate, l.observe(Validate))
	root = &leaf{build: count(len(l.build.observations)), validate: count(len(l.validate.observations))}
	l.settle(root, 0)
	leaves = []*leaf{root}
	for range l.options.Splits {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		best := slices.MaxFunc(leaves, func(a, b *leaf) int { return cmp.Compare(a.gain, b.gain) })
		if best.test == nil {
			break
		}
		yes, no := l.divide(best)
		leaves = append(slices.DeleteFunc(leaves, func(x *leaf) bool { return x == best }), yes, no)
	}
	return root, leaves, nil
}

func count(n int) []int32 {
	numbers := make([]int32, n)
	for i := range numbers {
		numbers[i] = int32(i)
	}
	return numbers
}

// settle measures a leaf whose observations are known, and finds its best test.
func (l *learner) settle(x *leaf, prior float64) {
	x.node, x.prior = &n2g.ContextNode{}, prior
	squares := 0.0
	for _, i := range x.build {
		o := l.build.observations[i]
		x.total.add(o.weight, o.value)
		squares += o.weight * o.value * o.value
		if o.value >= firing {
			x.node.Firing++
		}
	}
	for _, i := range x.validate {
		if l.validate.observations[i].value >= firing {
			x.validFiring++
		}
	}
	x.node.Tokens = math.Round(x.total.n)
	x.node.Value = x.total.shrunk(prior, meanWeight)
	if x.total.n > 0 {
		x.variance = (squares - x.total.explained()) / x.total.n
	}
	if x.node.Firing > 0 && x.variance > 0 {
		l.choose(x)
	}
}

// sumUp counts in each node what its branches have.
func (x *leaf) sumUp() {
	if x.yes == nil {
		return
	}
	x.yes.sumUp()
	x.no.sumUp()
	x.node.Tokens, x.node.Firing = x.yes.node.Tokens+x.no.node.Tokens, x.yes.node.Firing+x.no.node.Firing
}

// divide splits a leaf by its test.
func (l *learner) divide(x *leaf) (yes, no *leaf) {
	yes, no = &leaf{}, &leaf{}
	yes.build, no.build = x.test.partition(&l.build, x.build)
	yes.validate, no.validate = x.test.partition(&l.validate, x.validate)
	x.build, x.validate = nil, nil
	l.settle(yes, x.node.Value)
	l.settle(no, x.node.Value)
	x.node.Test = x.test.describe(l.corpus)
	x.yes, x.no = yes, no
	x.node.Yes, x.node.No = yes.node, no.node
	return yes, no
}

// helps says whether a test lowers the error on validation documents, as far as these can tell.
func (l *learner) helps(x *leaf, q *question) bool {
	if x.validFiring < validated {
		return true
	}
	var yes tally
	for _, i := range x.build {
		if q.holds(&l.build, i) {
			yes.add(l.build.observations[i].weight, l.build.observations[i].value)
		}
	}
	prior := x.node.Value
	high, low := yes.shrunk(prior, meanWeight), x.total.less(yes).shrunk(prior, meanWeight)
	change := 0.0
	for _, i := range x.validate {
		o := l.validate.observations[i]
		v := low
		if q.holds(&l.validate, i) {
			v = high
		}
		change += o.weight * ((o.value-v)*(o.value-v) - (o.value-prior)*(o.value-prior))
	}
	return change < 0
}

// round keeps the digits that mean something.
func round(v float64) float64 { return math.Round(v*1e5) / 1e5 }
