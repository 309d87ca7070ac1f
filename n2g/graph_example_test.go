package n2g_test

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// A neuron that fires on "mind" where "cross" or "bear" stood two tokens before, whatever stands between.
func Example_graph() {
	measured := func(cross string) *n2g.Measured {
		return &n2g.Measured{
			Tokens:      []string{"<s>", " didn't", cross, " my", " mind"},
			Activations: []float64{0, 0, 0.1, 0, 0.9},
			// Masking the third token takes all of the activation on the fifth, masking others little.
			Matrix: [][]float64{{0, 0, 0, 0, 0.1}, {0, 0, 0, 0, 0.2}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 0.3}, {0, 0, 0, 0, 0.8}},
		}
	}
	lines := n2g.Lines(measured(" cross"), []*n2g.Measured{measured(" bear")}, n2g.Options{})
	trie := n2g.BuildTrie(lines)
	trie.MergeIgnores()
	predictor := n2g.NewPredictor(trie)
	for _, text := range []string{"It may cross your mind", "Please bear in mind", "Never mind"} {
		tokens := strings.SplitAfter(text, " ")
		fmt.Printf("%s: %.1f\n", text, predictor.PredictLast(tokens))
	}
	for _, node := range n2g.NewGraph(lines).Nodes {
		fmt.Println(node.Depth, node.Token)
	}
	// Output:
	// It may cross your mind: 0.9
	// Please bear in mind: 0.9
	// Never mind: 0.0
	// 0 mind
	// 1 cross
	// 1 bear
}

// The published program's split of twenty examples.
func ExampleSplitExamples() {
	train, test := n2g.SplitExamples(20, 0.5, 0)
	fmt.Println(train)
	fmt.Println(test)
	// Output:
	// [5 14 9 7 16 11 3 0 15 12]
	// [18 1 19 8 10 17 6 13 4 2]
}
