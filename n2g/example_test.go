package n2g_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// bankModel is a hand-written model with one neuron: it fires on " bank" where " river" or " lake" stands before it. It
// reads words as tokens and takes its tokenizer from a model for tests.
type bankModel struct{ *n2gtest.Model }

func (m bankModel) Name() string { return "bank" }

func (m bankModel) Activations(_ context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	result := make([][]float32, len(prompts))
	for i, prompt := range prompts {
		for _, position := range positions[i] {
			var activation float32
			before := m.Decode(prompt[:position])
			if m.TokenString(prompt[position]) == " bank" &&
				(strings.Contains(before, " river") || strings.Contains(before, " lake")) {
				activation = 1
			}
			result[i] = append(result[i], activation)
		}
	}
	return result, nil
}

// Any type that implements LanguageModel can be explained.
func Example() {
	model := bankModel{n2gtest.NewModel()}
	masked := n2gtest.NewMasked("lake", "money")
	explanation, err := n2g.Explain(context.Background(), model, masked, n2g.Examples{
		Prompts: []string{
			"We sat by the river on its bank.",
			"They walked along the river bank.",
			"A lake has a bank!",
		},
	}, n2g.Options{TrainProportion: new(0.7), SkipInterval: new(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, prune := range explanation.Prunes {
		fmt.Printf("%q: important %q\n", prune.Text, prune.ImportantTokens)
		for _, variant := range prune.Variants[1:] {
			fmt.Printf("  %q %+.1f\n", variant.Text, variant.Change)
		}
	}
	fmt.Println(explanation.Predict([]string{"the", " lake", " bank"}))
	fmt.Println(explanation.Predict([]string{"the", " money", " bank"}))
	fmt.Printf("F1 on the test prompt: %.2f\n", explanation.Scores.Firing.F1)
	// Output:
	// " river bank.": important [" river" " bank"]
	//   " lake bank." +0.0
	//   " money bank." -1.0
	//   " river lake." -1.0
	//   " river money." -1.0
	// " river on its bank.": important [" river" " bank"]
	//   " lake on its bank." +0.0
	//   " money on its bank." -1.0
	//   " river on its lake." -1.0
	//   " river on its money." -1.0
	// [0 0 1]
	// [0 0 0]
	// F1 on the test prompt: 1.00
}

func ExamplePruneText() {
	model := n2gtest.NewModel(n2gtest.Rule{Token: " bank", Context: " river", Full: 1})
	prunes, err := n2g.PruneText(context.Background(), model, n2g.Site{},
		"In the evening we sat by the river near its bank.", n2g.Walkthrough())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", prunes[0].Text)
	// Output: " river near its bank."
}
