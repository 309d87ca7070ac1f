package vary_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/vary"
)

// vocabulary of a fake model: words with the blank before them and without, and what is no word.
var vocabulary = []string{
	"<|bos|>", " the", " cat", " dog", " sat", " ran", " on", " a", " mat", "the", "The", "cat", ".", " 7", "ing", "\n",
	" don't", "\ufffd", " naïve",
}

// bigrams is a causal model whose next token depends on the last one only, by arbitrary fixed numbers.
type bigrams struct{ bos int }

func (bigrams) Name() string              { return "bigrams" }
func (bigrams) TokenString(id int) string { return vocabulary[id] }
func (m bigrams) BOS() int                { return m.bos }
func (bigrams) ContextLength() int        { return 64 }

// Tokenize takes the longest entry each time; what there is none for becomes a full stop.
func (bigrams) Tokenize(text string) ([]int, error) {
	var ids []int
	for text != "" {
		best := slices.Index(vocabulary, ".")
		length := 1
		for id, token := range vocabulary {
			if strings.HasPrefix(text, token) && (len(token) > length || token == text[:1]) {
				best, length = id, len(token)
			}
		}
		ids, text = append(ids, best), text[length:]
	}
	return ids, nil
}

func (bigrams) logProbs(last int) []float32 {
	logProbs, sum := make([]float32, len(vocabulary)), 0.0
	for id := range logProbs {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d after %d", id, last)
		logProbs[id] = float32(h.Sum32()%1000) / 200
		sum += math.Exp(float64(logProbs[id]))
	}
	for id := range logProbs {
		logProbs[id] -= float32(math.Log(sum))
	}
	return logProbs
}

func (m bigrams) NextLogProbs(ctx context.Context, prompts, positions [][]int,
	visit func(prompt, at int, logProbs []float32)) error {
	for i, ids := range prompts {
		for at, p := range positions[i] {
			visit(i, at, m.logProbs(ids[p]))
		}
	}
	return ctx.Err()
}

// Neighbours are those that come after a token in the vocabulary.
func (bigrams) Neighbours(id, k int) (ids []int, cosines []float64, err error) {
	for other := id + 1; other < len(vocabulary) && len(ids) < k; other++ {
		ids, cosines = append(ids, other), append(cosines, 1/float64(1+other-id))
	}
	return ids, cosines, nil
}

func collect(filled iter.Seq2[string, float64]) (words []string, probabilities []float64) {
	for word, p := range filled {
		words, probabilities = append(words, word), append(probabilities, p)
	}
	return words, probabilities
}

// TestContract: neighbours need the masked word, and so do not fill as others do.
func TestContract(t *testing.T) {
	n2gtest.TestMaskedModel(t, vary.Self(bigrams{}, vary.SelfOptions{}))
	n2gtest.TestMaskedModel(t, vary.Self(bigrams{bos: -1}, vary.SelfOptions{Rest: -1}))
}

// TestSelfIsBayes compares with the probabilities of whole texts, for every word at every place.
func TestSelfIsBayes(t *testing.T) {
	m := bigrams{}
	self := vary.Self(m, vary.SelfOptions{Candidates: len(vocabulary), Rest: 3})
	for _, test := range []struct{ left, right string }{
		{"the cat ", " on the mat"}, {"The dog sat ", ""}, {"", " cat sat"}, {"the ", " sat. the"}, {"the cat.", " ran"},
	} {
		text := test.left + self.MaskToken() + test.right
		filled, err := self.Fill(context.Background(), []string{text}, []int{len(test.left)})
		if err != nil {
			t.Fatal(err)
		}
		words, probabilities := collect(filled[0])

		left, spaced := strings.CutSuffix(test.left, " ")
		context, _ := m.Tokenize(left)
		context = append([]int{0}, context...)
		rest, _ := m.Tokenize(test.right)
		type entry struct {
			word string
			p    float64
		}
		var want []entry
		sum := 0.0
		for id, token := range vocabulary {
			word := strings.TrimPrefix(token, " ")
			if (word != token) != spaced || strings.ContainsAny(word, "<.7\n\ufffd") {
				continue
			}
			p, last := 0.0, context[len(context)-1]
			for _, next := range append([]int{id}, rest[:min(len(rest), 3)]...) {
				p += float64(m.logProbs(last)[next])
				last = next
			}
			want = append(want, entry{word, math.Exp(p)})
			sum += math.Exp(p)
		}
		slices.SortFunc(want, func(a, b entry) int { return cmp.Compare(b.p, a.p) })
		if len(words) != len(want) {
			t.Fatalf("%q: %q, want %v", text, words, want)
		}
		for i, w := range want {
			if words[i] != w.word || math.Abs(probabilities[i]-w.p/sum) > 1e-6 {
				t.Errorf("%q: %q %g, want %q %g", text, words[i], probabilities[i], w.word, w.p/sum)
			}
		}
	}
}

func TestNeighbours(t *testing.T) {
	near := vary.Neighbours(bigrams{})
	mask := near.MaskToken()
	filled, err := near.FillWords(context.Background(), []string{"the " + mask, mask + " sat", "a " + mask},
		[]int{4, 0, 2}, []string{"cat", "cat", "cathedral"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"dog", "sat", "ran", "on", "a", "mat", "don't", "naïve"}, {"ing"}, nil} {
		if words, _ := collect(filled[i]); !slices.Equal(words, want) {
			t.Errorf("%d: %q, want %q", i, words, want)
		}
	}
	if _, err := near.FillWords(context.Background(), []string{mask}, []int{0}, nil); err == nil {
		t.Error("a text without a word is filled")
	}
}

// TestExplain: a neuron is explained with variants of either kind.
func TestExplain(t *testing.T) {
	m, err := models.Open("tiny", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, masked := range []n2g.MaskedModel{vary.Self(m, vary.SelfOptions{}), vary.Neighbours(m)} {
		prune := n2g.Prune{Text: "\tif err != nil {\n\t\treturn err"}
		site := n2g.Site{Layer: 1, Index: 254}
		measured, err := n2g.MeasureImportance(context.Background(), m, site, prune.Text, n2g.Options{}, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		prune.Measured = measured
		variants, err := n2g.Augment(context.Background(), m, masked, site, prune, n2g.Options{ImportantThreshold: new(0.1)})
		if err != nil || len(variants) < 3 {
			t.Errorf("%s: %v, %v", masked.Name(), variants, err)
		}
		for _, v := range variants[1:] {
			if v.Text == prune.Text || strings.Contains(v.Text, masked.MaskToken()) {
				t.Errorf("%s: variant %q", masked.Name(), v.Text)
			}
		}
	}
}
