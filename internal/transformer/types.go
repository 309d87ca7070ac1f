package transformer

import . "github.com/gomlx/gomlx/core/graph"

// Weights looks a parameter up by its name, and answers nil for one the model lacks. Inference answers with parameters,
// training with variables; both run the same block functions.
type Weights func(name string) *Node

// Attention mixes positions: queries, keys and values [batch, seq, head, d_head] become weighted sums of the values, of
// the same shape. Plain, padded, shared and trained forward differ in nothing else.
type Attention func(q, k, v *Node) *Node

// Hook is shown intermediate values under TransformerLens's names ("blocks.0.mlp.hook_pre"), and returns the value to
// go on with: the same, or another of its shape. A nil Hook changes nothing.
type Hook func(name string, x *Node) *Node

// at shows a value to the hook, if there is one.
func (h Hook) at(name string, x *Node) *Node {
	if h == nil {
		return x
	}
	return h(name, x)
}
