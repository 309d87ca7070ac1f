package n2g_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// functionModel is a language model of one neuron, which is a function written by hand. It is no transformer and has no
// tokenizer: its tokens are words with the blank before them.
type functionModel struct {
	// fires is the activation on the last of some words.
	fires func(words []string) float32
	words []string // by id; that of the mask is the first
}

var word = regexp.MustCompile(` ?[^ ]+| `)

func (m *functionModel) Name() string              { return "than" }
func (m *functionModel) BOS() int                  { return -1 } // nothing stands in front of a text
func (m *functionModel) MaskID() int               { return 0 }
func (m *functionModel) ContextLength() int        { return 1000 }
func (m *functionModel) TokenString(id int) string { return m.words[id] }

func (m *functionModel) Tokenize(text string) ([]int, error) {
	var ids []int
	for _, w := range word.FindAllString(text, -1) {
		id := slices.Index(m.words, w)
		if id < 0 {
			id = len(m.words)
			m.words = append(m.words, w)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (m *functionModel) Decode(ids []int) string {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(m.words[id])
	}
	return text.String()
}

// Activations has one site to answer for, so that it looks at none.
func (m *functionModel) Activations(_ context.Context, _ int, _ string, _ int, prompts,
	positions [][]int) ([][]float32, error) {
	result := make([][]float32, len(prompts))
	for i, ids := range prompts {
		for _, p := range positions[i] {
			result[i] = append(result[i], m.fires(strings.Fields(m.Decode(ids[:p+1]))))
		}
	}
	return result, nil
}

// A function written by hand is explained like the neuron of a transformer: what it is asked is a LanguageModel's
// methods, here for words. It fires on "than" behind "more" or "less", and the graph finds that out.
func ExampleLanguageModel() {
	model := &functionModel{words: []string{" …"}, fires: func(words []string) float32 {
		before, last := words[:len(words)-1], words[len(words)-1]
		if last == "than" && (slices.Contains(before, "more") || slices.Contains(before, "less")) {
			return 1
		}
		return 0
	}}
	explanation, err := n2g.Explain(context.Background(), model, nil, n2g.Examples{Prompts: []string{
		"there was more to see than you think",
		"we walked less far than he did",
		"they want more of it than that",
		"he is less tired than we were",
	}}, n2g.Options{SkipInterval: new(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	nodes := explanation.Graph.Nodes
	for _, edge := range explanation.Graph.Edges {
		fmt.Printf("%q behind %q\n", nodes[edge[0]].Token, nodes[edge[1]].Token)
	}
	words := strings.Split("rather than that take more of it than this", " ")
	for i, activation := range explanation.Predict(words) {
		fmt.Print(words[i], " ", activation, "  ")
	}
	// Output:
	// "than" behind "less"
	// "than" behind "more"
	// rather 0  than 0  that 0  take 0  more 0  of 0  it 0  than 1  this 0
}
