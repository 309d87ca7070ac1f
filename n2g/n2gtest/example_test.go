package n2gtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// A neuron that fires on " bank" after " river", as a test knows it; the explanation must find the same.
func ExampleNewModel() {
	model := n2gtest.NewModel(n2gtest.Rule{Token: " bank", Context: " river", Full: 2})
	var texts []string
	for _, start := range []string{"a", "the", "one", "my", "his", "her", "our", "their"} {
		texts = append(texts, start+" river has a bank")
	}
	e, err := n2g.Explain(context.Background(), model, nil, n2g.Examples{Prompts: texts}, n2g.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, node := range e.Graph.Nodes {
		fmt.Printf("%q %.0f\n", node.Token, node.Activation)
	}
	fmt.Printf("F1 %.0f\n", e.Scores.Firing.F1)
	// Output:
	// "bank" 1
	// "river" 0
	// F1 1
}

// A model of one's own proves that it can be explained by passing the contract in a test.
func ExampleTestLanguageModel() {
	var mine n2g.LanguageModel = n2gtest.NewModel(n2gtest.Rule{Token: " a", Full: 1}) // one's own
	_ = func(t *testing.T) { n2gtest.TestLanguageModel(t, mine, n2g.Site{Layer: 0, Index: 0}) }
}
