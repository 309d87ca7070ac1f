package n2g

import (
	"slices"
	"strings"
)

// ContextPredictor predicts activations by a context graph, without any model. It is safe for concurrent use.
type ContextPredictor struct {
	words map[string]int32 // tokens that the graph names
	nodes []contextNode    // [0] is the root
	tests []contextTest
	named [][]int32 // of each word the tests of a window that it answers

	// Words that hold a newline begin lines, where a test asks for lines.
	newline []bool
	lines   bool
}

type contextNode struct {
	test    int32 // -1: a leaf
	yes, no int32
	value   float64
	table   *suffixes
}

// suffixes are the values of a leaf by the current token and those before it, from the last back.
type suffixes struct {
	before map[int32]*suffixes
	value  float64
	has    bool
}

func (s *suffixes) at(word int32) *suffixes {
	next := s.before[word]
	if next == nil {
		if s.before == nil {
			s.before = map[int32]*suffixes{}
		}
		next = &suffixes{}
		s.before[word] = next
	}
	return next
}

// lookUp is the value of the longest suffix of words that has one, otherwise if none has.
func (s *suffixes) lookUp(words []int32, otherwise float64) float64 {
	for i := len(words) - 1; i >= 0; i-- {
		if s = s.before[words[i]]; s == nil {
			break
		}
		if s.has {
			otherwise = s.value
		}
	}
	return otherwise
}

type contextTest struct {
	kind     string
	distance int
	start    bool
	in       []bool // by word; nothing for words beyond it
}

// NewContextPredictor compiles a graph. A nil graph predicts 0 everywhere. The graph may change or go afterwards.
func NewContextPredictor(g *ContextGraph) *ContextPredictor {
	p := &ContextPredictor{words: map[string]int32{}}
	if g == nil || g.Root == nil {
		p.nodes = []contextNode{{test: -1}}
		return p
	}
	g.Nodes(func(n *ContextNode, _ int) {
		for _, entry := range n.Table {
			p.word(entry.Token)
		}
		for _, entry := range n.Sequences {
			for _, token := range entry.Tokens {
				p.word(token)
			}
		}
		if n.Test != nil {
			for _, token := range n.Test.Tokens {
				p.word(token)
			}
		}
	})
	p.named = make([][]int32, len(p.words))
	p.newline = make([]bool, len(p.words))
	for token, word := range p.words {
		p.newline[word] = holdsNewline(token)
	}
	p.add(g.Root)
	return p
}

func (p *ContextPredictor) word(token string) int32 {
	id, ok := p.words[token]
	if !ok {
		id = int32(len(p.words))
		p.words[token] = id
	}
	return id
}

func (p *ContextPredictor) add(n *ContextNode) int32 {
	at := int32(len(p.nodes))
	node := contextNode{test: -1, value: n.Value}
	if len(n.Table)+len(n.Sequences) > 0 {
		node.table = &suffixes{}
	}
	for _, entry := range n.Table {
		s := node.table.at(p.words[entry.Token])
		s.value, s.has = entry.Value, true
	}
	for _, entry := range n.Sequences {
		s := node.table
		for _, token := range slices.Backward(entry.Tokens) {
			s = s.at(p.words[token])
		}
		s.value, s.has = entry.Value, true
	}
	p.nodes = append(p.nodes, node)
	if n.Test == nil {
		return at
	}
	number := int32(len(p.tests))
	test := contextTest{kind: n.Test.Kind, distance: n.Test.Distance, start: n.Test.Start}
	if n.Test.Kind == TestWithin || n.Test.Kind == TestRepeated {
		test.distance = n.Test.Window
	}
	p.lines = p.lines || n.Test.Kind == TestLine
	if n.Test.Kind != TestRepeated {
		test.in = make([]bool, len(p.words))
		for _, token := range n.Test.Tokens {
			word := p.words[token]
			if n.Test.Kind == TestWithin && !test.in[word] {
				p.named[word] = append(p.named[word], number)
			}
			test.in[word] = true
		}
	}
	p.tests = append(p.tests, test)
	node.test = number
	node.yes = p.add(n.Yes)
	node.no = p.add(n.No)
	p.nodes[at] = node
	return at
}

// Predict returns the share of the maximum predicted for each of the tokens, given those before it. The text begins
// with the first: BOS is not among them.
func (p *ContextPredictor) Predict(tokens []string) []float64 {
	words := make([]int32, len(tokens))
	others := map[string]int32{}
	for i, token := range tokens {
		id, ok := p.words[token]
		if !ok {
			if id, ok = others[token]; !ok {
				id = int32(len(p.words) + len(others))
				others[token] = id
			}
		}
		words[i] = id
	}
	newline := p.newlines(len(p.words) + len(others))
	for token, id := range others {
		newline[id] = p.lines && holdsNewline(token)
	}
	return p.appendPredictions(make([]float64, 0, len(tokens)), words, newline)
}

// newlines tells of the words of the graph whether they hold a newline; it has room for others.
func (p *ContextPredictor) newlines(words int) []bool {
	newline := make([]bool, words)
	copy(newline, p.newline)
	return newline
}

func holdsNewline(token string) bool { return strings.Contains(token, "\n") }

// Vocabulary is a list of tokens as a predictor numbers them.
type Vocabulary struct {
	Words   []int32 // the number of each token
	newline []bool  // by number
}

// Vocabulary numbers tokens, no two of which are equal, for [ContextPredictor.AppendPredictions].
func (p *ContextPredictor) Vocabulary(tokens []string) *Vocabulary {
	v := &Vocabulary{Words: make([]int32, len(tokens)), newline: p.newlines(len(p.words) + len(tokens))}
	for i, token := range tokens {
		id, ok := p.words[token]
		if !ok {
			id = int32(len(p.words) + i)
			v.newline[id] = p.lines && holdsNewline(token)
		}
		v.Words[i] = id
	}
	return v
}

// AppendPredictions is Predict for tokens as numbers of a vocabulary. It appends to dst.
func (p *ContextPredictor) AppendPredictions(dst []float64, v *Vocabulary, words []int32) []float64 {
	return p.appendPredictions(dst, words, v.newline)
}

func (p *ContextPredictor) appendPredictions(dst []float64, words []int32, newline []bool) []float64 {
	const never = -1 << 30
	line := -1                        // where the current line begins
	last := make([]int, len(p.tests)) // where a test of a window was last answered
	for i := range last {
		last[i] = never
	}
	for at, word := range words {
		node := &p.nodes[0]
		for node.test >= 0 {
			t := &p.tests[node.test]
			holds := false
			switch t.kind {
			case TestToken:
				if i := at - t.distance; i >= 0 {
					holds = int(words[i]) < len(t.in) && t.in[words[i]]
				} else {
					holds = t.start
				}
			case TestLine:
				if i := line + t.distance; i >= 0 && i <= at {
					holds = int(words[i]) < len(t.in) && t.in[words[i]]
				} else {
					holds = t.start
				}
			case TestWithin:
				holds = at-last[node.test] <= t.distance
			case TestRepeated:
				for i := at - 1; i >= 0 && at-i <= t.distance && !holds; i-- {
					holds = words[i] == word
				}
			}
			if holds {
				node = &p.nodes[node.yes]
			} else {
				node = &p.nodes[node.no]
			}
		}
		value := node.value
		if node.table != nil {
			value = node.table.lookUp(words[:at+1], value)
		}
		dst = append(dst, value)
		if newline[word] {
			line = at
		}
		if int(word) < len(p.named) {
			for _, test := range p.named[word] {
				last[test] = at
			}
		}
	}
	return dst
}

// Predict returns the share of the maximum that the graph predicts for each of the tokens (token strings, without
// BOS). To predict many texts, compile a [ContextPredictor] once.
func (g *ContextGraph) Predict(tokens []string) []float64 {
	return NewContextPredictor(g).Predict(tokens)
}

// Path returns the nodes that lead from the root to the prediction for the last of the tokens.
func (g *ContextGraph) Path(tokens []string) []*ContextNode {
	if g == nil || g.Root == nil || len(tokens) == 0 {
		return nil
	}
	path := []*ContextNode{g.Root}
	for n := g.Root; n.Test != nil; path = append(path, n) {
		if len(n.Test.Answers(tokens)) > 0 {
			n = n.Yes
		} else {
			n = n.No
		}
	}
	return path
}

// Answers are the places in the tokens, the last of which is the current one, that make the test's answer yes: one, or
// for a window all that are in it; -1 for the place before the text. There are none where the answer is no.
func (t *ContextTest) Answers(tokens []string) []int {
	current := len(tokens) - 1
	in := func(i int) bool { return slices.Contains(t.Tokens, tokens[i]) }
	if i, asks := t.place(tokens); asks {
		switch {
		case i < 0 && t.Start:
			return []int{-1}
		case i >= 0 && in(i):
			return []int{i}
		}
		return nil
	}
	var found []int
	for i := current - 1; i >= 0 && current-i <= t.Window; i-- {
		if t.Kind == TestWithin && in(i) || t.Kind == TestRepeated && tokens[i] == tokens[current] {
			found = append(found, i)
		}
	}
	return found
}

// place is the one place that a test of a single token asks for, below 0 where there is none; asks is false for tests
// of a window.
func (t *ContextTest) place(tokens []string) (place int, asks bool) {
	current := len(tokens) - 1
	switch t.Kind {
	case TestToken:
		return current - t.Distance, true
	case TestLine:
		line := current - 1
		for line >= 0 && !holdsNewline(tokens[line]) {
			line--
		}
		if place = line + t.Distance; place > current {
			place = -1
		}
		return place, true
	}
	return 0, false
}
