package contexttree

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
