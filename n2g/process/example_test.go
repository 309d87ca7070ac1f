package process_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/process"
)

// A neuron of a model that a program in Python holds; docs/exec.md has the program.
func ExampleStart() {
	ctx := context.Background()
	model, err := process.Start(ctx, process.Shell("python3 model.py"), process.Options{})
	if err != nil {
		fmt.Println(err) // one sentence, with the program's last words
		return
	}
	defer model.Close()
	explanation, err := n2g.Explain(ctx, model, nil, n2g.Examples{Prompts: []string{
		"We walked by the river to its bank.", "A boat lay on the lake near the bank.",
	}}, n2g.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(explanation.Scores.Firing.F1)
}

// What is said to a program, and what it says.
func ExampleServe() {
	model := n2gtest.NewModel(n2gtest.Rule{Token: " bank", Context: " river", Full: 1})
	questions := strings.NewReader(`{"id": 1, "method": "tokenize", "texts": [" river bank"]}
{"id": 2, "method": "decode", "ids": [[2, 3]]}
{"id": 3, "method": "activations", "layer": 0, "hook": "hook_mid", "neuron": 0, "prompts": [[0, 2, 3]]}
{"id": 4, "method": "sing"}
`)
	err := process.Serve(context.Background(), questions, os.Stdout, model, []process.Site{{Hook: "hook_mid", Width: 1}})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"id":1,"ids":[[2,3]]}
	// {"id":2,"texts":[" river bank"]}
	// {"id":3,"activations":[[0,0,1]]}
	// {"id":4,"error":"there is no method \"sing\""}
}
