package transformer

import . "github.com/gomlx/gomlx/core/graph"

// layerHook is a [Hook] for the values of one layer.
type layerHook func(name string, x *Node) *Node

// in is the hook for values of one layer.
func (h Hook) in(layer int) layerHook {
	return func(name string, x *Node) *Node { return h.at(BlockName(layer, name), x) }
}
