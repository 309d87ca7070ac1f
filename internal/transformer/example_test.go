package transformer_test

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// A configuration lists the parameters its graph asks for, by TransformerLens's names.
func ExampleDecoder_Parameters() {
	d := transformer.Decoder{Layers: 1, DModel: 8, Heads: 2, DHead: 4, DMLP: 32, DVocab: 100, Positions: 16,
		Activation: "solu_ln"}
	for _, p := range d.Parameters() {
		if strings.Contains(p.Name, ".mlp.") {
			fmt.Println(p.Name, p.Shape)
		}
	}
	// Output:
	// blocks.0.mlp.W_in [8 32]
	// blocks.0.mlp.b_in [32]
	// blocks.0.mlp.ln.w [32]
	// blocks.0.mlp.ln.b [32]
	// blocks.0.mlp.W_out [32 8]
	// blocks.0.mlp.b_out [8]
}
