package page_test

import (
	"bytes"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/page"
)

func ExampleWrite() {
	e := &n2g.Explanation{
		Model:         "tiny",
		Site:          n2g.Site{Layer: 3, Index: 1, Hook: "hook_mid"},
		MaxActivation: 3.21,
		Prunes: []n2g.Prune{{
			Text: " cross my mind", InitialMax: 3.1, TruncatedMax: 2.9, ImportantTokens: []string{" cross"},
		}},
	}
	var file bytes.Buffer
	if err := page.Write(&file, e, page.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.Contains(file.Bytes(), []byte("<h1>Layer 3, neuron 1</h1>")))
	// Output: true
}
