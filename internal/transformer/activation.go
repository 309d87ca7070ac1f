package transformer

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Activations lists the activation functions. solu_ln is solu, followed by a LayerNorm of which the MLP takes care.
func Activations() []string {
	return []string{"gelu", "gelu_new", "relu", "silu", "solu", "solu_ln"}
}

// KnownActivation says whether a name is among [Activations].
func KnownActivation(name string) bool { return slices.Contains(Activations(), name) }

// activate applies an activation function.
func activate(name string, x *Node) *Node {
	switch name {
	case "solu", "solu_ln":
		return solu(x)
	case "gelu":
		return gelu(x)
	case "gelu_new":
		return activation.GeluApproximate(x)
	case "relu":
		return activation.Relu(x)
	case "silu":
		return activation.Swish(x)
	}
	exceptions.Panicf("unknown activation function %q", name)
	return nil
}
