package n2g

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// linesFrom makes lines of what is drawn: a few tokens so that lines share their beginnings, every third element
// or so ignored, the activating and the last one never.
func linesFrom(draw func(n int) int) []Line {
	lines := make([]Line, 1+draw(8))
	for k := range lines {
		elements := make([]Element, 1+draw(5))
		for i := range elements {
			e := Element{
				Token:      string(rune('a' + draw(3))),
				Activation: float64(draw(4)) / 4,
				Importance: float64(draw(4)) / 4,
				Important:  i > 0 || draw(2) == 1,
				Activator:  i == 0 || draw(2) == 1,
				LineEnd:    i == len(elements)-1,
			}
			if i > 0 && !e.LineEnd && draw(3) == 0 {
				e.Token, e.Ignore, e.Important = IgnoreToken, true, false
			}
			elements[i] = e
		}
		lines[k] = Line{Elements: elements, End: float64(1+draw(4)) / 4}
	}
	return lines
}

func randomLines(random *rand.Rand) []Line { return linesFrom(random.IntN) }

// text is a text on which the line fires, the activating token last, ignored elements filled with some token.
func (l Line) text(filler string) []string {
	var tokens []string
	for _, e := range slices.Backward(l.Elements) {
		if e.Ignore {
			tokens = append(tokens, filler)
		} else {
			tokens = append(tokens, e.Token)
		}
	}
	return tokens
}

// paths spells the trie: a path of tokens a line, with marks and values, in no order.
func paths(root *Node, values bool) []string {
	var all []string
	var walk func(n *Node, prefix string)
	walk = func(n *Node, prefix string) {
		for _, c := range n.Children {
			p := fmt.Sprintf("%s/%s", prefix, c.Token)
			if values {
				p += fmt.Sprintf("(%g %g %v %v %v)", c.Activation, c.Importance, c.Important, c.Activator, c.LineEnd)
			}
			if c.End != nil {
				p += "."
				if values {
					p += fmt.Sprint(*c.End)
				}
			}
			all = append(all, p)
			walk(c, p)
		}
	}
	walk(root, "")
	slices.Sort(all)
	return all
}

func TestTrieRepeatedLines(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		lines := randomLines(random)
		want := paths(BuildTrie(lines), true)
		repeated := slices.Concat(lines, lines, lines[:1+random.IntN(len(lines))])
		random.Shuffle(len(repeated)-len(lines), func(i, j int) {
			repeated[len(lines)+i], repeated[len(lines)+j] = repeated[len(lines)+j], repeated[len(lines)+i]
		})
		if got := paths(BuildTrie(repeated), true); !slices.Equal(got, want) {
			t.Fatalf("repeated lines change the trie:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		want = paths(BuildTrie(lines), false)
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if got := paths(BuildTrie(lines), false); !slices.Equal(got, want) {
			t.Fatalf("the order of lines changes the trie's shape:\n%s\nwant\n%s", strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
	}
}

// No line is lost in the merge: its own text still predicts something, at most the highest end.
func TestMergeKeepsLines(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		lines := randomLines(random)
		trie := BuildTrie(lines)
		trie.MergeIgnores()
		highest := 0.0
		for _, l := range lines {
			highest = max(highest, l.End)
		}
		predictor := NewPredictor(trie)
		for _, l := range lines {
			for _, filler := range []string{"a", "b", "zzz"} {
				if got := predictor.PredictLast(l.text(filler)); got <= 0 || got > highest {
					t.Fatalf("line %+v predicts %g on %q", l, got, l.text(filler))
				}
			}
		}
	}
}

// Lines over one token, ignored at ever other places, would double the trie at each level.
func TestMergeIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	lines := make([]Line, 300)
	for k := range lines {
		lines[k] = line(1, slices.Repeat([]string{"0"}, 1+random.IntN(40))...)
		for i := range lines[k].Elements {
			if i > 0 && i < len(lines[k].Elements)-1 && random.IntN(10) == 0 {
				lines[k].Elements[i] = Element{Token: IgnoreToken, Ignore: true}
			}
		}
	}
	trie := BuildTrie(lines)
	if trie.MergeIgnores() {
		t.Error("the trie was merged completely")
	}
	nodes := 0
	for range trie.Nodes() {
		nodes++
	}
	if nodes > 4*maxGrafted {
		t.Errorf("the merged trie has %d nodes", nodes)
	}
	p := NewPredictor(trie)
	for _, l := range lines {
		if got := p.PredictLast(l.text("0")); got != 1 {
			t.Fatalf("line %+v predicts %g", l, got)
		}
	}
}

func TestIgnoreIsNoText(t *testing.T) {
	line := Line{Elements: []Element{{Token: "x", Activator: true}, {Token: IgnoreToken, Important: true}}, End: 1}
	trie := BuildTrie([]Line{line})
	trie.MergeIgnores()
	p := NewPredictor(trie)
	if got := p.PredictLast([]string{"y", "x"}); got != 0 {
		t.Errorf("a token spelled %s was taken for any token: %g", IgnoreToken, got)
	}
	if got := p.PredictLast([]string{IgnoreToken, "x"}); got != 1 {
		t.Errorf("a token spelled %s predicts %g, want 1", IgnoreToken, got)
	}
}

// naiveTrie follows section 5.3 and 5.4 to the letter: ENDs are children, and lines move one path at a time.
type naiveTrie struct {
	e        Element
	end      float64 // of an END
	children []*naiveTrie
}

const naiveEnd = "\x00END"

func (n *naiveTrie) insert(path []naiveTrie) {
	node := n
	for _, p := range path {
		i := slices.IndexFunc(node.children, func(c *naiveTrie) bool { return c.e.Token == p.e.Token })
		if i < 0 {
			i = len(node.children)
			node.children = append(node.children, &naiveTrie{e: p.e, end: p.end})
		}
		node = node.children[i]
	}
}

func (n *naiveTrie) paths() [][]naiveTrie {
	own := naiveTrie{e: n.e, end: n.end}
	if len(n.children) == 0 {
		return [][]naiveTrie{{own}}
	}
	var all [][]naiveTrie
	for _, c := range n.children {
		for _, p := range c.paths() {
			all = append(all, append([]naiveTrie{own}, p...))
		}
	}
	return all
}

func (n *naiveTrie) merge() {
	queue := []*naiveTrie{n}
	for len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		i := slices.IndexFunc(node.children, func(c *naiveTrie) bool { return c.e.Ignore })
		if i >= 0 {
			ignore := node.children[i]
			kept := []*naiveTrie{}
			for _, c := range node.children {
				if c == ignore || c.e.Token == naiveEnd {
					kept = append(kept, c)
					continue
				}
				for _, path := range c.paths() {
					if len(path) > 1 && !(len(path) == 2 && path[1].e.Token == naiveEnd) {
						ignore.insert(path[1:])
					}
				}
				if slices.ContainsFunc(c.children, func(c *naiveTrie) bool { return c.e.Token == naiveEnd }) {
					kept = append(kept, c)
				}
			}
			node.children = kept
		}
		queue = append(queue, node.children...)
	}
}

func (n *naiveTrie) node() *Node {
	out := &Node{
		Token: n.e.Token, Activation: n.e.Activation, Importance: n.e.Importance, Important: n.e.Important,
		Activator: n.e.Activator, Ignore: n.e.Ignore, LineEnd: n.e.LineEnd, Children: []*Node{},
	}
	for _, c := range n.children {
		if c.e.Token == naiveEnd {
			out.End = &c.end
		} else {
			out.Children = append(out.Children, c.node())
		}
	}
	return out
}

// predict is section 6 to the letter.
func (n *naiveTrie) predict(tokens []string) float64 {
	child := func(node *naiveTrie, match func(*naiveTrie) bool) *naiveTrie {
		if i := slices.IndexFunc(node.children, match); i >= 0 {
			return node.children[i]
		}
		return nil
	}
	node, result := n, 0.0
	for _, token := range slices.Backward(tokens) {
		normal := NormalizeToken(token)
		next := child(node, func(c *naiveTrie) bool { return c.e.Token == normal && !c.e.Ignore })
		if next == nil {
			next = child(node, func(c *naiveTrie) bool { return c.e.Ignore })
		}
		if next == nil || node == n && !next.e.Activator {
			break
		}
		node = next
		if end := child(node, func(c *naiveTrie) bool { return c.e.Token == naiveEnd }); end != nil {
			result = end.end
		}
	}
	return result
}

// checkAgainstNaive builds, merges and predicts both ways.
func checkAgainstNaive(t *testing.T, lines []Line, tokens []string) {
	t.Helper()
	naive := &naiveTrie{e: Element{Token: RootToken, Ignore: true}}
	for _, l := range lines {
		var path []naiveTrie
		for _, e := range l.Elements {
			path = append(path, naiveTrie{e: e})
		}
		naive.insert(append(path, naiveTrie{e: Element{Token: naiveEnd}, end: l.End}))
	}
	trie := BuildTrie(lines)
	for _, lineEnds := range []bool{true, false} {
		if err := sameTrie(trie, naive.node(), 0, lineEnds); err != nil {
			t.Fatalf("%+v\nbefore merge: %v", lines, err)
		}
	}
	naive.merge()
	if !trie.MergeIgnores() {
		t.Fatalf("%+v\nare not merged completely", lines)
	}
	if err := sameTrie(trie, naive.node(), 0, false); err != nil {
		t.Fatalf("%+v\nmerged: %v", lines, err)
	}
	for i, got := range NewPredictor(trie).Predict(tokens) {
		if want := naive.predict(tokens[:i+1]); got != want {
			t.Fatalf("%+v\n%q predicts %g, want %g", lines, tokens[:i+1], got, want)
		}
	}
}

func TestTrieAgainstNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		tokens := make([]string, 12)
		for i := range tokens {
			tokens[i] = []string{"a", " A", "b", "c", "c ", "d"}[random.IntN(6)]
		}
		checkAgainstNaive(t, randomLines(random), tokens)
	}
}

func FuzzTrieAgainstNaive(f *testing.F) {
	f.Add([]byte{5, 2, 0, 1, 1, 0, 2, 0, 1, 3, 3, 3, 1, 0, 0, 0, 7}, "b c a")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		i := -1
		lines := linesFrom(func(n int) int {
			if i++; i < len(data) {
				return int(data[i]) % n
			}
			return 0
		})
		checkAgainstNaive(t, lines, strings.SplitAfter(text, " "))
	})
}

func BenchmarkBuildTrie(b *testing.B) {
	lines := benchmarkLines()
	for b.Loop() {
		trie := BuildTrie(lines)
		trie.MergeIgnores()
	}
	b.ReportMetric(float64(len(lines))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// benchmarkLines are as many lines as a neuron with long prompts and all its variants has, of 300 different tokens.
func benchmarkLines() []Line {
	random := rand.New(rand.NewPCG(9, 10))
	lines := make([]Line, 2000)
	for k := range lines {
		elements := make([]Element, 1+random.IntN(12))
		for i := range elements {
			token := fmt.Sprintf("t%d", random.IntN(20))
			if i == 0 {
				token = fmt.Sprintf("t%d", random.IntN(300))
			}
			elements[i] = Element{Token: token, Activator: i == 0, Important: true}
			if i > 0 && i < len(elements)-1 && random.IntN(2) == 0 {
				elements[i] = Element{Token: IgnoreToken, Ignore: true}
			}
		}
		lines[k] = Line{Elements: elements, End: random.Float64()}
	}
	return lines
}
