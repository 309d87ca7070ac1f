package contexttree

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// sentences are documents of "the" or "a", one of 40 nouns, and one of 40 verbs, some of them rare. The neuron fires on
// verbs 0 to 4 behind a noun, and on nothing else: other sentences begin with a verb.
func sentences(t *testing.T) (*Corpus, *Activations) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, 4))
	const nouns, verbs = 10, 50 // the, a, and others before; then nouns, then verbs
	rare := func() int32 { return int32(40 * random.Float64() * random.Float64() * random.Float64()) }
	var windows []Window
	a := &Activations{Maximum: 1, Level: .5}
	position := int32(0)
	for d := range 300 {
		var ids []int32
		for range 4 {
			verb := verbs + rare()
			if random.IntN(2) == 0 {
				ids = append(ids, int32(random.IntN(2)), nouns+rare(), verb)
				if verb < verbs+5 {
					a.Positions = append(a.Positions, position+int32(len(ids))-1)
					a.Values = append(a.Values, 1)
				}
			} else {
				ids = append(ids, 2, verb, 3)
			}
		}
		position += int32(len(ids))
		windows = append(windows, Window{Document: d, Split: []Split{Build, Build, Validate, Test}[d%4], IDs: ids})
	}
	c, err := NewCorpus(windows, func(id int) string { return fmt.Sprintf("%c%d", 'a'+id/10, id) })
	if err != nil {
		t.Fatal(err)
	}
	return c, a
}

// Nouns and verbs, each spelt in four ways, come to classes of their own.
func TestClasses(t *testing.T) {
	c, _ := sentences(t)
	class := c.findClasses(6)
	var of [2]map[int32]int
	for kind := range of {
		of[kind] = map[int32]int{}
	}
	for symbol, id := range c.example {
		if n := c.learnable(int32(symbol)); n > 1 && id >= 10 {
			of[(id-10)/40][class[symbol]]++
		}
	}
	for k := range of[0] {
		if of[1][k] > 1 && of[0][k] > 1 {
			t.Errorf("class %d has %d nouns and %d verbs", k, of[0][k], of[1][k])
		}
	}
	if last := class[len(c.tokens)]; slices.Contains(class[:len(c.tokens)], last) {
		t.Error("the place before a text shares its class")
	}
	if again := c.findClasses(6); !slices.Equal(class, again) {
		t.Error("not repeatable")
	}
}

// Classes are those of a plain implementation that keeps the sums of all features and classes, to the bit.
func TestClassesPlain(t *testing.T) {
	small, _ := sentences(t)
	world := newWorld(t, 100, 20, func([]string) float64 { return 0 }).corpus
	corpora := []*Corpus{small, world}
	for _, ids := range [][]int32{nil, {7}} { // no neighbours, no spelling that is shared
		c, err := NewCorpus([]Window{{IDs: ids}}, func(int) string { return "x" })
		if err != nil {
			t.Fatal(err)
		}
		corpora = append(corpora, c)
	}
	for _, c := range corpora {
		for _, most := range []int{1, 6, 20, classCount} {
			if got, want := c.findClasses(most), plainClasses(c, most); !slices.Equal(got, want) {
				t.Errorf("%d classes of %d symbols: %v, want %v", most, len(c.tokens), got, want)
			}
		}
	}
}

// plainClasses is findClasses for at most so many symbols as can be told apart as neighbours.
func plainClasses(c *Corpus, most int) []int32 {
	v := int32(len(c.tokens))
	frequent := count(int(v))
	slices.SortStableFunc(frequent, func(a, b int32) int { return int(c.learnable(b) - c.learnable(a)) })
	type feature struct {
		side, of int32 // a neighbour's symbol on side 0 or 1; the first symbol spelt so on side 2 or 3
	}
	spellings := []func(string) string{func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }, form}
	vectors := make([][]feature, v) // in order of appearance
	values := make([]map[feature]float32, v)
	total := float64(c.Tokens(Build) + c.Tokens(Validate))
	for symbol := range vectors {
		times := map[feature]float64{}
		see := func(f feature) {
			if times[f]++; times[f] == 1 {
				vectors[symbol] = append(vectors[symbol], f)
			}
		}
		for _, split := range []Split{Build, Validate} {
			for p, s := range c.symbols {
				if w := c.window[p]; s == int32(symbol) && c.splits[w] == split {
					if int32(p) > c.starts[w] {
						see(feature{0, c.symbols[p-1]})
					}
					if int32(p)+1 < c.starts[w+1] {
						see(feature{1, c.symbols[p+1]})
					}
				}
			}
		}
		values[symbol] = map[feature]float32{}
		squares := 1.0
		for _, f := range vectors[symbol] {
			x := math.Log1p(times[f]) * max(.1, math.Log(total/float64(1+c.learnable(f.of))))
			squares += x * x
			values[symbol][f] = float32(x)
		}
		for _, f := range vectors[symbol] {
			values[symbol][f] /= float32(math.Sqrt(squares))
		}
		for kind, spell := range spellings {
			var alike []int32
			for other, token := range c.tokens {
				if spell(token) == spell(c.tokens[symbol]) {
					alike = append(alike, int32(other))
				}
			}
			if f := (feature{int32(2 + kind), alike[0]}); len(alike) > 1 {
				vectors[symbol], values[symbol][f] = append(vectors[symbol], f), spelling
			}
		}
	}
	class := slices.Repeat([]int32{-1}, int(v)+1)
	k := min(most, int(v))
	for i, symbol := range frequent[:k] {
		class[symbol] = int32(i)
	}
	for range classRounds {
		sums := map[feature][]float32{}
		for symbol, vector := range vectors {
			for _, f := range vector {
				if sums[f] == nil {
					sums[f] = make([]float32, k)
				}
				if class[symbol] >= 0 {
					sums[f][class[symbol]] += float32(math.Sqrt(float64(c.learnable(int32(symbol))))) * values[symbol][f]
				}
			}
		}
		scale := make([]float32, k)
		rank := func(f feature) int {
			if f.side > 1 {
				return int(f.of)
			}
			return slices.Index(frequent, f.of)
		}
		for _, f := range slices.SortedFunc(maps.Keys(sums),
			func(a, b feature) int { return cmp.Or(cmp.Compare(a.side, b.side), rank(a)-rank(b)) }) {
			for i, x := range sums[f] {
				scale[i] += x * x
			}
		}
		for symbol, vector := range vectors {
			scores := make([]float32, k)
			for _, f := range vector {
				for i, x := range sums[f] {
					scores[i] += values[symbol][f] * x
				}
			}
			for i, x := range scale {
				scores[i] *= 1 / float32(math.Sqrt(float64(x)+1e-9))
			}
			class[symbol] = int32(slices.Index(scores, slices.Max(scores)))
		}
	}
	class[v] = int32(k)
	return class
}

// What test documents hold does not change the classes.
func TestClassesIgnoreTestDocuments(t *testing.T) {
	w := newWorld(t, 100, 20, func([]string) float64 { return 0 })
	before := w.corpus.findClasses(5)
	for number, split := range w.corpus.splits {
		if split == Test {
			text := w.corpus.symbols[w.corpus.starts[number]:w.corpus.starts[number+1]]
			for i := range text {
				text[i] = int32(i % 3)
			}
		}
	}
	w.corpus.sort()
	if after := w.corpus.findClasses(5); !slices.Equal(before, after) {
		t.Error("they changed")
	}
}

// A rare noun that build documents never have before the verb is in the set all the same, behind those that they have.
func TestSetsHoldTheClass(t *testing.T) {
	c, a := sentences(t)
	c.classes = func() []int32 { return c.findClasses(6) }
	g, err := Learn(t.Context(), c, a, Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]bool{} // a firing build token
	for _, p := range a.Positions {
		if c.split(p) == Build {
			before[c.tokens[c.symbols[p-1]]] = true
		}
	}
	unseen := 0
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test == nil || n.Test.Kind != n2g.TestToken || n.Test.Distance != 1 {
			return
		}
		for i, token := range n.Test.Tokens {
			if !before[token] && token[0] >= 'b' && token[0] <= 'e' {
				unseen++
				if i == 0 {
					t.Errorf("%q is unseen and comes first", token)
				}
			}
		}
	})
	if unseen == 0 {
		t.Error("no noun that build documents do not have there is in a set")
	}
}
