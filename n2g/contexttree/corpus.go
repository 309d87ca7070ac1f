package contexttree

import (
	"fmt"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Split says what a document may serve for.
type Split = index.Split

// Splits of a corpus, by document.
const (
	Build    = index.Build      // graphs and baselines are learned from it
	Validate = index.Validation // tests are checked and thresholds chosen on it
	Test     = index.Test       // scores are measured on it, and nothing else

	splits = Test + 1
)

// Corpus is text as the model read it: windows of tokens, each run behind BOS by itself, so that a token's context
// begins with its window. It is safe for concurrent use.
type Corpus struct {
	tokens    []string // of each symbol
	newline   []bool   // of each symbol, whether it holds one
	numbers   map[string]int32
	symbols   []int32 // of all windows, one after the other
	ids       []int32 // the same as the model's ids
	example   []int32 // an id of each symbol
	starts    []int32 // of each window in symbols, and the end of the last
	splits    []Split // of each window
	documents []int32 // of each window
	window    []int32 // of each position

	counts [splits][]int32 // occurrences of each symbol
	places [splits][]int32 // positions by symbol, ascending
	first  [splits][]int32 // of each symbol in places, and the end of the last

	bigrams func() *bigrams
	classes func() []int32 // of each symbol, and of the place before a text
}

// Window is a stretch of a document as the model read it.
type Window struct {
	Document int // number
	Split    Split
	IDs      []int32 // without BOS
}

// NewCorpus takes windows in the order in which [Activations] count their positions. tokenString is the text of one id;
// ids of equal text, such as parts of characters, count as one token.
func NewCorpus(windows []Window, tokenString func(id int) string) (*Corpus, error) {
	c := &Corpus{starts: make([]int32, 1, len(windows)+1), numbers: map[string]int32{}}
	total := 0
	for _, w := range windows {
		total += len(w.IDs)
	}
	c.symbols, c.ids, c.window = make([]int32, 0, total), make([]int32, 0, total), make([]int32, 0, total)
	c.splits, c.documents = make([]Split, 0, len(windows)), make([]int32, 0, len(windows))
	var symbols numbering
	for number, w := range windows {
		if w.Split < 0 || w.Split >= splits {
			return nil, fmt.Errorf("contexttree: window %d is of the unknown split %d", number, w.Split)
		}
		for _, id := range w.IDs {
			symbol := symbols.of(id)
			if *symbol == 0 { // 1 more than the symbol
				text := tokenString(int(id))
				known, ok := c.numbers[text]
				if !ok {
					known = int32(len(c.tokens))
					c.numbers[text] = known
					c.tokens = append(c.tokens, text)
					c.example = append(c.example, id)
					c.newline = append(c.newline, strings.Contains(text, "\n"))
				}
				*symbol = known + 1
			}
			c.symbols, c.ids = append(c.symbols, *symbol-1), append(c.ids, id)
			c.window = append(c.window, int32(number))
		}
		c.starts = append(c.starts, int32(len(c.symbols)))
		c.splits = append(c.splits, w.Split)
		c.documents = append(c.documents, int32(w.Document))
	}
	c.sort()
	c.bigrams = sync.OnceValue(c.findBigrams)
	c.classes = sync.OnceValue(func() []int32 { return c.findClasses(classCount) })
	return c, nil
}

// numbering gives ids numbers, 0 at first: those that vocabularies have by position, others by hash.
type numbering struct {
	low   []int32
	other map[int32]*int32
}

func (n *numbering) of(id int32) *int32 {
	if id >= 0 && id < 1<<20 {
		if int(id) >= len(n.low) {
			n.low = append(n.low, make([]int32, max(int(id)+1, 2*len(n.low))-len(n.low))...)
		}
		return &n.low[id]
	}
	if n.other == nil {
		n.other = map[int32]*int32{}
	}
	number, ok := n.other[id]
	if !ok {
		number = new(int32)
		n.other[id] = number
	}
	return number
}

// sort lists the positions of each symbol, by split.
func (c *Corpus) sort() {
	for s := range splits {
		c.counts[s] = make([]int32, len(c.tokens))
		c.first[s] = make([]int32, len(c.tokens)+1)
	}
	for p, symbol := range c.symbols {
		c.counts[c.split(int32(p))][symbol]++
	}
	var next [splits][]int32
	for s := range splits {
		for symbol, n := range c.counts[s] {
			c.first[s][symbol+1] = c.first[s][symbol] + n
		}
		c.places[s] = make([]int32, c.first[s][len(c.tokens)])
		next[s] = append([]int32(nil), c.first[s]...)
	}
	for p, symbol := range c.symbols {
		s := c.split(int32(p))
		c.places[s][next[s][symbol]] = int32(p)
		next[s][symbol]++
	}
}

func (c *Corpus) split(position int32) Split { return c.splits[c.window[position]] }

// folds is the number of parts into which build documents are divided, to judge what is learned from some by others.
const folds = 4

// parts are those by which tokens are counted: the folds of build documents, and the validation documents.
const (
	parts      = folds + 1
	validation = folds
)

// part is that of a position that does not stand in a test document.
func (c *Corpus) part(position int32) uint8 { return c.windowPart(c.window[position]) }

func (c *Corpus) windowPart(window int32) uint8 {
	if c.splits[window] == Build {
		return uint8(c.documents[window] % folds)
	}
	return validation
}

// Tokens is the number of tokens of a split.
func (c *Corpus) Tokens(s Split) int { return len(c.places[s]) }

// bigrams number the pairs of a token and the one before it that occur in Build.
type bigrams struct {
	of      []int32        // of each position; -1 where Build has no such pair
	symbols []int32        // of each pair, the one that it ends in
	counts  [][parts]int32 // occurrences of each pair
	// Occurrences of each symbol: where the other folds have the pair that it ends, and where they lack it.
	known, alone [][parts]int32
}

// findBigrams goes from symbol to symbol, since a symbol's places are known: the pairs it ends are then numbered by
// what stands before.
func (c *Corpus) findBigrams() *bigrams {
	b := &bigrams{of: make([]int32, len(c.symbols)), known: make([][parts]int32, len(c.tokens)),
		alone: make([][parts]int32, len(c.tokens))}
	before := func(p int32) int32 {
		if p > c.starts[c.window[p]] {
			return c.symbols[p-1]
		}
		return int32(len(c.tokens)) // the window begins
	}
	numbers := make([]int32, len(c.tokens)+1) // of the pair with each symbol before; of this symbol from first on
	for i := range numbers {
		numbers[i] = -1
	}
	for symbol := range c.tokens {
		first := int32(len(b.counts))
		for s := range splits {
			for _, p := range c.places[s][c.first[s][symbol]:c.first[s][symbol+1]] {
				number := &numbers[before(p)]
				switch {
				case *number >= first:
				case s == Build:
					*number = int32(len(b.counts))
					b.counts = append(b.counts, [parts]int32{})
					b.symbols = append(b.symbols, int32(symbol))
				default:
					b.of[p] = -1
					if s == Validate {
						b.alone[symbol][validation]++
					}
					continue
				}
				b.of[p] = *number
				if s != Test {
					b.counts[*number][c.part(p)]++
				}
			}
		}
		for _, n := range b.counts[first:] {
			pair := counts{n: n}
			for part := range parts {
				if pair.total(part).n > 0 {
					b.known[symbol][part] += n[part]
				} else {
					b.alone[symbol][part] += n[part]
				}
			}
		}
	}
	return b
}
