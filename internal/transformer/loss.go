package transformer

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// leastProbability keeps the logarithm of a probability that underflows finite.
const leastProbability = 1e-30

// CrossEntropy is the mean negative log-likelihood, in nats, of targets [n] (int32) under logits [n, d_vocab]: a
// scalar. Its gradient is (softmax(logits) - one-hot(targets)) / n, made without a one-hot matrix.
func CrossEntropy(logits, targets *Node) *Node {
	g, n := logits.Graph(), logits.Shape().Dimensions[0]
	rows := Iota(g, shapes.Make(dtypes.Int32, n), 0)
	at := Stack([]*Node{rows, ConvertDType(targets, dtypes.Int32)}, -1)
	var p *Node
	return withGradient(shapes.Make(logits.DType()), []*Node{logits}, func() *Node {
		p = Softmax(logits, -1)
		return Neg(ReduceAllMean(Log(MaxScalar(Gather(p, at), leastProbability))))
	}, func(v *Node) []*Node {
		difference := ScatterSum(p, at, BroadcastToDims(Scalar(g, p.DType(), -1), n), true, true)
		return []*Node{Mul(difference, DivScalar(v, float64(n)))}
	})
}
