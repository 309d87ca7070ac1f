package chart_test

import (
	"bytes"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
	"github.com/neuron2graph/neuron2graph/n2g/store/chart"
)

// How large the graphs are, layer by layer.
func ExampleLayers() {
	var rows []store.Row // of Store.Rows, usually
	for i := range 20 {
		rows = append(rows, store.Row{Site: n2g.Site{Layer: i % 2, Index: i}, Nodes: 3 + i})
	}
	c, err := chart.Layers(rows, "nodes", func(r store.Row) (float64, bool) { return float64(r.Nodes), true })
	if err != nil {
		fmt.Println(err)
		return
	}
	svg, err := c.SVG()
	fmt.Println(bytes.Contains(svg, []byte("<svg")), err)
	// Output: true <nil>
}
