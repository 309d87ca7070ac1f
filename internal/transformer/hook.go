package transformer

import . "github.com/gomlx/gomlx/core/graph"

// layerHook reports a value of one layer and hands it back.
type layerHook func(name string, x *Node) *Node

// in is the hook for values of one layer.
func (h Hook) in(layer int) layerHook {
	return func(name string, x *Node) *Node {
		if h != nil {
			h(BlockName(layer, name), x)
		}
		return x
	}
}
