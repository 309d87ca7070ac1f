package transformer

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Decoder is the shape of a causal language model: a stack of pre-norm blocks (Radford et al. 2019, GPT-2), with the
// choices in which the families differ. Its graph functions look parameters up by TransformerLens's names
// ("blocks.0.attn.W_Q") for every family; [Decoder.Parameters] lists them.
//
// The zero value of each choice is TransformerLens's own: learned positions, LayerNorm, scores divided by √d_head.
type Decoder struct {
	Layers int
	DModel int
	Heads  int
	// KVHeads is the number of heads of keys and values, each shared by Heads/KVHeads query heads (grouped queries,
	// Ainslie et al. 2023, https://arxiv.org/abs/2305.13245); 0 is Heads.
	KVHeads   int
	DHead     int
	DMLP      int
	DVocab    int
	Positions int // the context length in tokens, BOS included
	// Activation is solu, solu_ln, gelu, gelu_new, relu or silu. solu_ln is SoLU followed by a LayerNorm, the
	// activation of https://transformer-circuits.pub/2022/solu.
	Activation string
	Epsilon    float64 // of every norm
	// RMSNorm replaces every LayerNorm by its root mean square form (Zhang and Sennrich 2019,
	// https://arxiv.org/abs/1910.07467).
	RMSNorm bool
	// FinalRMS does so for the final norm alone.
	FinalRMS bool
	// RotaryDims is how many dimensions of each query and key turn with the position (Su et al. 2021,
	// https://arxiv.org/abs/2104.09864); 0 is learned positions.
	RotaryDims int
	RotaryBase float64
	// RotaryFrequencies are by how much each plane of two dimensions turns from one position to the next, in radians,
	// RotaryDims/2 of them, for models that stretch positions; nil is RotaryBase^(-2i/RotaryDims).
	RotaryFrequencies []float32
	// RotaryScale multiplies what rotary positions turn; 0 is 1.
	RotaryScale float64
	// PositionOffset is the row of the learned position table that belongs to position 0: 2 with OPT.
	PositionOffset int
	// ParallelResidual computes attention and MLP from the same residual stream, as GPT-NeoX does.
	ParallelResidual bool
	// Gated multiplies the activation of one projection by a second one (Shazeer 2020,
	// https://arxiv.org/abs/2002.05202): hook_post = act(x·W_gate) ⊙ (x·W_in), and hook_pre is x·W_gate.
	Gated bool
	// ScoreScale multiplies query·key; 0 is 1/√d_head, and GPT-Neo's is 1.
	ScoreScale float64
	// ScaleByLayer divides query·key by the layer's number too, counted from 1 (Stanford's GPT-2).
	ScaleByLayer bool
	// Tied says that the unembedding is the token embedding, transposed.
	Tied bool
	// NoFinalNorm leaves out the norm behind the last layer.
	NoFinalNorm bool
	// Windows limits, layer by layer, how many positions a token sees, itself included; 0 is all that precede it.
	// A layer beyond its end sees all.
	Windows []int
}

// NormalizedMLP says whether a LayerNorm follows the activation function (solu_ln).
func (c Decoder) NormalizedMLP() bool { return c.Activation == "solu_ln" }

// KeyHeads is the number of heads of keys and values.
func (c Decoder) KeyHeads() int {
	if c.KVHeads > 0 {
		return c.KVHeads
	}
	return c.Heads
}

// BlockName is the full name of a hook or a parameter of a layer.
func BlockName(layer int, name string) string { return fmt.Sprintf("blocks.%d.%s", layer, name) }

// Embed sums the embeddings of tokens and positions: ids [batch, seq] become x [batch, seq, d_model]. positions, of the
// shape of ids, says where in its text each token stands; nil is 0, 1, 2 … along seq.
func (c Decoder) Embed(w Weights, ids, positions *Node, hook Hook) *Node {
	x := hook.at("hook_embed", Gather(c.need(w, "embed.W_E"), InsertAxes(ids, -1)))
	if c.RotaryDims > 0 {
		return x
	}
	table := c.need(w, "pos_embed.W_pos")
	var p *Node
	if positions == nil {
		seq := ids.Shape().Dimensions[1]
		p = InsertAxes(Slice(table, AxisRange(c.PositionOffset, c.PositionOffset+seq)), 0)
	} else {
		p = Gather(table, InsertAxes(AddScalar(positions, float64(c.PositionOffset)), -1))
	}
	return Add(x, hook.at("hook_pos_embed", p))
}

// Block is one layer, x [batch, seq, d_model] to the same:
//
//	x = x + Attention(LN(x))
//	x = x + MLP(LN(x))
//
// or, with ParallelResidual, x = x + Attention(LN₁(x)) + MLP(LN₂(x)).
func (c Decoder) Block(w Weights, layer int, x *Node, attention Attention, hook Hook) *Node {
	return c.block(w, layer, x, nil, attention, hook)
}

// block is Block for some rows alone: their queries are of x, keys and values of context, the stream of all rows; nil
// is x.
func (c Decoder) block(w Weights, layer int, x, context *Node, attention Attention, hook Hook) *Node {
	at := hook.in(layer)
	x = at("hook_resid_pre", x)
	mid := Add(x, c.attn(w, layer, x, context, attention, at))
	if !c.ParallelResidual {
		mid = at("hook_resid_mid", mid)
		x = mid
	}
	return at("hook_resid_post", Add(mid, c.mlp(w, layer, x, at)))
}

// Site computes what [Decoder.Block] computes, up to one hook point of the layer and nothing that it does not depend
// on: mlp.hook_pre is [batch, seq, d_mlp], attn.hook_z [batch, seq, head, d_head], hook_resid_mid [batch, seq,
// d_model]. Where rows [batch, asked] are not nil, it does so for these alone, and attention is told the queries of no
// others: seq is asked then.
func (c Decoder) Site(w Weights, layer int, point string, x, rows *Node, attention Attention) (site *Node) {
	var context *Node
	if rows != nil {
		x, context = TakeRows(x, rows), x
	}
	// The block's own order stands once, in Block: it ends where the hook point is reached.
	type reached struct{}
	defer func() {
		if r := recover(); r != nil && r != (reached{}) {
			panic(r)
		}
	}()
	hook := Hook(func(name string, x *Node) *Node {
		if name != BlockName(layer, point) {
			return x
		}
		site = x
		panic(reached{})
	})
	if c.BesideAttention(point) {
		c.mlp(w, layer, x, hook.in(layer))
	} else {
		c.block(w, layer, x, context, attention, hook)
	}
	exceptions.Panicf("a layer of this model has no hook point %q", point)
	return nil
}

// Unembed is the final norm and the projection to the vocabulary: x [..., d_model] becomes logits [..., d_vocab].
func (c Decoder) Unembed(w Weights, x *Node, hook Hook) *Node {
	if c.FinalRMS {
		c.RMSNorm = true
	}
	if !c.NoFinalNorm {
		x = hook.at("ln_final.hook_normalized", c.norm(w, "ln_final", x))
	}
	if c.Tied {
		return project(x, c.need(w, "embed.W_E"), w("unembed.b_U"), compute.DenseLayoutOutputsInput)
	}
	return dense(x, c.need(w, "unembed.W_U"), w("unembed.b_U"))
}

// Forward is the whole model: ids [batch, seq] to logits [batch, seq, d_vocab], with plain causal attention. Padding
// belongs behind the text, where no token sees it.
func (c Decoder) Forward(w Weights, ids *Node, hook Hook) *Node {
	x := c.Embed(w, ids, nil, hook)
	for layer := range c.Layers {
		x = c.Block(w, layer, x, c.Causal(layer), hook)
	}
	return c.Unembed(w, x, hook)
}

// attn is what attention adds to the residual stream of x; context, if it is not nil, is what keys and values are of.
func (c Decoder) attn(w Weights, layer int, x, context *Node, attention Attention, at layerHook) *Node {
	x = at("ln1.hook_normalized", c.norm(w, BlockName(layer, "ln1"), x))
	seen := x
	if context != nil {
		seen = c.norm(w, BlockName(layer, "ln1"), context)
	}
	q := at("attn.hook_q", c.heads(w, layer, x, "Q", c.Heads))
	k := at("attn.hook_k", c.heads(w, layer, seen, "K", c.KeyHeads()))
	v := at("attn.hook_v", c.heads(w, layer, seen, "V", c.KeyHeads()))
	z := at("attn.hook_z", attention(q, k, v))

	dims := x.Shape().Dimensions
	width := c.Heads * c.DHead
	out := Reshape(c.need(w, BlockName(layer, "attn.W_O")), width, c.DModel)
	z = Reshape(z, dims[0], dims[1], width)
	return at("hook_attn_out", dense(z, out, w(BlockName(layer, "attn.b_O"))))
}

// heads projects x [batch, seq, d_model] to the queries, keys or values of every head, [batch, seq, head, d_head].
// The weight is TransformerLens's [head, d_model, d_head], or already the matrix [d_model, head·d_head], which saves a
// transposition each time the graph runs.
func (c Decoder) heads(w Weights, layer int, x *Node, which string, heads int) *Node {
	weight := c.need(w, BlockName(layer, "attn.W_"+which))
	width := heads * c.DHead
	if weight.Rank() == 3 {
		weight = Reshape(TransposeAllAxes(weight, 1, 0, 2), c.DModel, width)
	}
	bias := w(BlockName(layer, "attn.b_"+which))
	if bias != nil {
		bias = Reshape(bias, width)
	}
	dims := x.Shape().Dimensions
	return Reshape(dense(x, weight, bias), dims[0], dims[1], heads, c.DHead)
}

// mlp is what the MLP adds to the residual stream x:
//
//	hook_pre  = LN(x)·W_in + b_in, or where the MLP is gated LN(x)·W_gate + b_gate, and hook_pre_linear LN(x)·W_in + b_in
//	hook_mid  = act(hook_pre), times hook_pre_linear
//	hook_post = hook_mid, normalised with solu_ln, before mlp.ln's own weight and bias, which TransformerLens counts to
//	            W_out
//	hook_mlp_out = hook_post·W_out + b_out
//
// mlp.ln's weight and bias are optional, since they may be folded into W_out and b_out.
func (c Decoder) mlp(w Weights, layer int, x *Node, at layerHook) *Node {
	project := func(which string, x *Node) *Node {
		return dense(x, c.need(w, BlockName(layer, "mlp.W_"+which)), w(BlockName(layer, "mlp.b_"+which)))
	}
	x = at("ln2.hook_normalized", c.norm(w, BlockName(layer, "ln2"), x))
	var mid *Node
	if c.Gated {
		mid = activate(c.Activation, at("mlp.hook_pre", project("gate", x)))
		mid = Mul(mid, at("mlp.hook_pre_linear", project("in", x)))
	} else {
		mid = activate(c.Activation, at("mlp.hook_pre", project("in", x)))
	}
	post := at("mlp.hook_mid", mid)
	if c.NormalizedMLP() {
		post = layerNorm(post, nil, nil, c.Epsilon)
	}
	post = at("mlp.hook_post", post)
	if c.NormalizedMLP() {
		if weight := w(BlockName(layer, "mlp.ln.w")); weight != nil {
			post = Mul(post, ExpandLeftToRank(weight, post.Rank()))
		}
		if bias := w(BlockName(layer, "mlp.ln.b")); bias != nil {
			post = Add(post, ExpandLeftToRank(bias, post.Rank()))
		}
	}
	return at("hook_mlp_out", project("out", post))
}

// norm is LayerNorm or RMSNorm over the last axis, with weight name.w and bias name.b where the model has them.
func (c Decoder) norm(w Weights, name string, x *Node) *Node {
	weight := w(name + ".w")
	if c.RMSNorm {
		scale := Rsqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), c.Epsilon))
		x = Mul(x, scale)
		if weight != nil {
			x = Mul(x, ExpandLeftToRank(weight, x.Rank()))
		}
		return x
	}
	return layerNorm(x, weight, w(name+".b"), c.Epsilon)
}

// QueryScale multiplies query·key in a layer.
func (c Decoder) QueryScale(layer int) float64 {
	scale := c.ScoreScale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(c.DHead))
	}
	if c.ScaleByLayer {
		scale /= float64(layer + 1)
	}
	return scale
}

// Frequencies are by how much each plane of two rotary dimensions turns from one position to the next.
func (c Decoder) Frequencies() []float32 {
	if c.RotaryFrequencies != nil {
		return c.RotaryFrequencies
	}
	frequencies := make([]float32, c.RotaryDims/2)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(c.RotaryBase, -2*float64(i)/float64(c.RotaryDims)))
	}
	return frequencies
}

// need looks up a parameter that every model of this shape has.
func (c Decoder) need(w Weights, name string) *Node {
	x := w(name)
	if x == nil {
		exceptions.Panicf("the model has no parameter %q", name)
	}
	return x
}

// dense is x·W + b with W [d_in, d_out]; b may be nil.
func dense(x, w, b *Node) *Node {
	return project(x, w, b, compute.DenseLayoutInputOutputs)
}
