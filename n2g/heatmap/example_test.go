package heatmap_test

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

func Example() {
	h := heatmap.HeatMap{
		Title:  "Layer 3, neuron 1",
		Tokens: []string{" didn", "'t", " even", " cross", " my", " mind"},
		Rows: []heatmap.Row{
			{Name: "activation", Values: []float64{0, 0, 0, 0.02, 0.1, 0.97}},
			{Name: "importance", Values: []float64{0.11, 0.08, 0.2, 0.93, 0.4, 1}, Color: heatmap.Blue},
		},
	}
	html := h.HTML() // for a notebook; h.Page() stands alone, h.SVG() and h.PNG(ctx, …) are pictures
	fmt.Println(strings.Count(html, `title="`), "tokens")
	fmt.Println(strings.Contains(html, `title="·cross activation 0.02, importance 0.93"`))
	// Output:
	// 6 tokens
	// true
}
