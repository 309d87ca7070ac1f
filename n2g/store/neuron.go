package store

import (
	"cmp"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Neuron names a neuron within a store.
type Neuron struct {
	Layer int `json:"layer"`
	Index int `json:"neuron"`
}

// String is layer_index, the published name of a neuron.
func (n Neuron) String() string { return fmt.Sprintf("%d_%d", n.Layer, n.Index) }

// Compare orders neurons by layer, then index.
func (n Neuron) Compare(m Neuron) int {
	return cmp.Or(cmp.Compare(n.Layer, m.Layer), cmp.Compare(n.Index, m.Index))
}

// Row is what the table of neurons holds of one: everything but texts and tokens.
type Row struct {
	Neuron
	Hook          string
	MaxActivation float64
	Density       *float64 // nil: unknown

	Nodes, Edges int // of the graph
	Components   int // separate sub-graphs
	Activating   int // tokens of the kind
	Important    int
	Repeated     int // activating tokens that recur in their own context; see [Store.Induction]

	Scores             *n2g.Scores // nil: not tested
	TokenLookup, NGram *n2g.Scores // the baselines', nil likewise
}
