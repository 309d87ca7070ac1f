package contexttree_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

// A neuron that fires on "b" after "a", learned from a corpus of two hundred documents.
func Example() {
	letters := "abcd"
	var windows []contexttree.Window
	a := &contexttree.Activations{Maximum: 3}
	position := int32(0)
	for d := range 200 {
		w := contexttree.Window{Document: d, Split: []contexttree.Split{contexttree.Build, contexttree.Build,
			contexttree.Validate, contexttree.Test}[d%4]}
		for i := range 30 {
			id := int32((d*7 + i*i*(d%5+1) + i/3) % len(letters))
			if i > 0 && letters[id] == 'b' && letters[w.IDs[i-1]] == 'a' {
				a.Positions, a.Values = append(a.Positions, position), append(a.Values, 3)
			}
			w.IDs = append(w.IDs, id)
			position++
		}
		windows = append(windows, w)
	}
	corpus, err := contexttree.NewCorpus(windows, func(id int) string { return letters[id : id+1] })
	if err != nil {
		panic(err)
	}
	graph, err := contexttree.Learn(context.Background(), corpus, a, contexttree.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(graph.Label)
	for i, v := range graph.Predict(strings.Split("cbab", "")) {
		fmt.Printf("%c %.1f\n", "cbab"[i], v)
	}
	// Output:
	// `b` after `a`
	// c 0.0
	// b 0.0
	// a 0.0
	// b 1.0
}
