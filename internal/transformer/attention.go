package transformer

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// minusInfinity is the score of a key that a query does not see: its probability is exactly zero, whatever the others.
const minusInfinity = -1e9

// Causal is the layer's attention for plain texts that begin at position 0 of their row: a token sees itself and those
// before it, within the layer's window where it has one.
func (c Decoder) Causal(layer int) Attention {
	return func(q, k, v *Node) *Node {
		g, seq := q.Graph(), q.Shape().Dimensions[1]
		square := shapes.Make(dtypes.Int32, 1, 1, seq, seq)
		query, key := Iota(g, square, 2), Iota(g, square, 3)
		sees := LessOrEqual(key, query)
		if window := c.Window(layer); window > 0 {
			sees = LogicalAnd(sees, LessThan(Sub(query, key), Scalar(g, dtypes.Int32, window)))
		}
		positions := Iota(g, shapes.Make(dtypes.Int32, 1, seq), 1)
		return c.attend(c.rotate(q, positions), c.rotate(k, positions), v, sees, c.QueryScale(layer))
	}
}

// Forest is what rows that hold a forest of texts which share prefixes know of each other. A causal model gives a
// shared prefix the same values in every text, so one row serves all.
type Forest struct {
	Queries *Node // where in its text the token of each row that asks stands, [batch, query]
	Keys    *Node // and of each row that is seen, [batch, key]
	Sees    *Node // true where the second row is the first one or precedes it in its text, [batch, query, key]
}

// Rows narrows a forest in which every row asks to some that do, [batch, query], in any order.
func (f Forest) Rows(rows *Node) Forest {
	return Forest{Queries: TakeRows(f.Queries, rows), Keys: f.Keys, Sees: TakeRows(f.Sees, rows)}
}

// TakeRows takes rows [batch, taken] of x [batch, row, ...].
func TakeRows(x, rows *Node) *Node {
	dims, taken := x.Shape().Dimensions, rows.Shape().Dimensions[1]
	first := MulScalar(Iota(x.Graph(), rows.Shape(), 0), float64(dims[1]))
	flat := Reshape(x, append([]int{dims[0] * dims[1]}, dims[2:]...)...)
	result := Gather(flat, InsertAxes(Reshape(Add(first, rows), -1), -1))
	return Reshape(result, append([]int{dims[0], taken}, dims[2:]...)...)
}

// TreePattern is [Decoder.Tree] that shows visit the attention pattern, [batch, head, query, key].
func (c Decoder) TreePattern(layer int, f Forest, visit func(pattern *Node)) Attention {
	return func(q, k, v *Node) *Node {
		sees := c.near(layer, f)
		pattern := c.pattern(c.rotate(q, f.Queries), c.rotate(k, f.Keys), sees, c.QueryScale(layer))
		visit(pattern)
		return c.mixed(pattern, v)
	}
}

// Tree is the layer's attention for rows of a forest.
func (c Decoder) Tree(layer int, f Forest) Attention {
	return c.TreePattern(layer, f, func(*Node) {})
}

// near is which rows a row sees within the layer's window, [batch, 1, query, key].
func (c Decoder) near(layer int, f Forest) *Node {
	sees := InsertAxes(f.Sees, 1)
	window := c.Window(layer)
	if window == 0 {
		return sees
	}
	distance := Sub(InsertAxes(f.Queries, 2), InsertAxes(f.Keys, 1))
	near := LessThan(distance, Scalar(sees.Graph(), f.Keys.DType(), window))
	return LogicalAnd(sees, InsertAxes(near, 1))
}

// attend is scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762): queries, keys and
// values [batch, seq, head, d_head] under the mask sees [batch or 1, 1, query, key]; scale multiplies query·key.
func (c Decoder) attend(q, k, v, sees *Node, scale float64) *Node {
	return c.mixed(c.pattern(q, k, sees, scale), v)
}

// pattern is the attention pattern, [batch, head, query, key].
func (c Decoder) pattern(q, k, sees *Node, scale float64) *Node {
	q = TransposeAllAxes(MulScalar(q, scale), 0, 2, 1, 3)
	k = TransposeAllAxes(c.shareHeads(k), 0, 2, 1, 3)
	scores := scoresOf(q, k)
	sees = BroadcastToDims(sees, scores.Shape().Dimensions...)
	return softmax(Where(sees, scores, ConstAs(scores, minusInfinity)))
}

// mixed sums the values under the pattern, [batch, seq, head, d_head].
func (c Decoder) mixed(pattern, v *Node) *Node {
	return TransposeAllAxes(mix(pattern, TransposeAllAxes(c.shareHeads(v), 0, 2, 1, 3)), 0, 2, 1, 3)
}

// shareHeads repeats the heads of keys or values for the query heads that share them.
func (c Decoder) shareHeads(x *Node) *Node {
	kv := c.KeyHeads()
	if kv == c.Heads {
		return x
	}
	dims := x.Shape().Dimensions
	x = BroadcastToDims(InsertAxes(x, 3), dims[0], dims[1], kv, c.Heads/kv, dims[3])
	return Reshape(x, dims[0], dims[1], c.Heads, dims[3])
}

// rotate turns the first RotaryDims dimensions of queries or keys [batch, seq, head, d_head] by an angle that grows
// with the position (RoPE, section 3.4.2): dimension i and its partner i + RotaryDims/2 form a plane that turns by
// position times its frequency. positions is [batch or 1, seq].
func (c Decoder) rotate(x, positions *Node) *Node {
	if c.RotaryDims == 0 {
		return x
	}
	half := c.RotaryDims / 2
	// [batch or 1, seq, 1, half]
	angle := InsertAxes(ConvertDType(positions, dtypes.Float32), -1, -1)
	angle = Mul(angle, ExpandLeftToRank(Const(x.Graph(), c.Frequencies()), 4))
	cos, sin := Cos(angle), Sin(angle)
	if c.RotaryScale != 0 {
		cos, sin = MulScalar(cos, c.RotaryScale), MulScalar(sin, c.RotaryScale)
	}

	first := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, half))
	second := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(half, 2*half))
	parts := []*Node{
		Sub(Mul(first, cos), Mul(second, sin)),
		Add(Mul(second, cos), Mul(first, sin)),
	}
	if c.RotaryDims < c.DHead {
		parts = append(parts, Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(c.RotaryDims, c.DHead)))
	}
	return Concatenate(parts, -1)
}

// Window is how many positions a token of the layer sees, itself included; 0 is all.
func (c Decoder) Window(layer int) int {
	if layer < len(c.Windows) {
		return c.Windows[layer]
	}
	return 0
}
