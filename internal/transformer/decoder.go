package transformer

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
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
	// PositionOffset is the row of the learned position table that belongs to position 0: 2 with OPT.
	PositionOffset int
	// ParallelResidual computes attention and MLP from the same residual stream, as GPT-NeoX does.
	ParallelResidual bool
	// Gated multiplies the activation of one projection by a second one (Shazeer 2020,
	// https://arxiv.org/abs/2002.05202): hook_post = act(x·W_gate) ⊙ (x·W_in), and hook_pre is x·W_gate.
	Gated bool
	// ScoreScale multiplies query·key; 0 is 1/√d_head, and GPT-Neo's is 1.
	ScoreScale float64
	// Windows limits, layer by layer, how many positions a token sees, itself included; 0 is all that precede it.
	// A layer beyond its end sees all.
	Windows []int
}

// The three places of an MLP that a neuron is read at.
const (
	HookPre  = "hook_pre"  // before the activation function
	HookMid  = "hook_mid"  // after it, before the LayerNorm of solu_ln; without one, the same as HookPost
	HookPost = "hook_post" // what W_out multiplies; for solu_ln the normalised value, before mlp.ln's own weight and bias
)

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
	x := Gather(c.need(w, "embed.W_E"), InsertAxes(ids, -1))
	hook.at("hook_embed", x)
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
	hook.at("hook_pos_embed", p)
	return Add(x, p)
}

// Block is one layer, x [batch, seq, d_model] to the same:
//
//	x = x + Attention(LN(x))
//	x = x + MLP(LN(x))
//
// or, with ParallelResidual, x = x + Attention(LN₁(x)) + MLP(LN₂(x)).
func (c Decoder) Block(w Weights, layer int, x *Node, attention Attention, hook Hook) *Node {
	at := hook.in(layer)
	at("hook_resid_pre", x)
	attn := c.attn(w, layer, x, attention, at)
	mid := Add(x, attn)
	if !c.ParallelResidual {
		at("hook_resid_mid", mid)
		x = mid
	}
	pre, gate := c.mlpPre(w, layer, x, at)
	post := c.mlpPost(c.mlpMid(pre, gate, at), at)
	x = at("hook_resid_post", Add(mid, c.mlpOut(w, layer, post, at)))
	return x
}

// Site computes what [Decoder.Block] computes, up to one hook point of the layer's MLP and nothing that it does not
// depend on: the result is [batch, seq, d_mlp].
func (c Decoder) Site(w Weights, layer int, point string, x *Node, attention Attention) *Node {
	var silent Hook
	at := silent.in(layer)
	if !c.ParallelResidual {
		x = Add(x, c.attn(w, layer, x, attention, at))
	}
	pre, gate := c.mlpPre(w, layer, x, at)
	switch point {
	case HookPre:
		return pre
	case HookMid:
		return c.mlpMid(pre, gate, at)
	case HookPost:
		return c.mlpPost(c.mlpMid(pre, gate, at), at)
	}
	exceptions.Panicf("a neuron is read at %s, %s or %s, not at %q", HookPre, HookMid, HookPost, point)
	return nil
}

// Unembed is the final norm and the projection to the vocabulary: x [..., d_model] becomes logits [..., d_vocab]. A model
// without an unembed.W_U of its own uses the token embedding, transposed.
func (c Decoder) Unembed(w Weights, x *Node, hook Hook) *Node {
	if c.FinalRMS {
		c.RMSNorm = true
	}
	x = c.norm(w, "ln_final", x)
	hook.at("ln_final.hook_normalized", x)
	if weight := w("unembed.W_U"); weight != nil {
		return dense(x, weight, w("unembed.b_U"))
	}
	return project(x, c.need(w, "embed.W_E"), w("unembed.b_U"), compute.DenseLayoutOutputsInput)
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

// attn is what attention adds to the residual stream.
func (c Decoder) attn(w Weights, layer int, x *Node, attention Attention, at layerHook) *Node {
	x = at("ln1.hook_normalized", c.norm(w, BlockName(layer, "ln1"), x))
	q := at("attn.hook_q", c.heads(w, layer, x, "Q", c.Heads))
	k := at("attn.hook_k", c.heads(w, layer, x, "K", c.KeyHeads()))
	v := at("attn.hook_v", c.heads(w, layer, x, "V", c.KeyHeads()))
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

// mlpPre is hook_pre, x·W_in + b_in, and nil; or, where the MLP is gated, hook_pre, x·W_gate, and x·W_in.
func (c Decoder) mlpPre(w Weights, layer int, x *Node, at layerHook) (pre, linear *Node) {
	x = at("ln2.hook_normalized", c.norm(w, BlockName(layer, "ln2"), x))
	in := dense(x, c.need(w, BlockName(layer, "mlp.W_in")), w(BlockName(layer, "mlp.b_in")))
	if !c.Gated {
		return at("mlp.hook_pre", in), nil
	}
	gate := dense(x, c.need(w, BlockName(layer, "mlp.W_gate")), w(BlockName(layer, "mlp.b_gate")))
	return at("mlp.hook_pre", gate), in
}

// mlpMid is hook_mid: the activation function and, where the MLP is gated, the product.
func (c Decoder) mlpMid(pre, linear *Node, at layerHook) *Node {
	mid := c.activate(pre)
	if linear != nil {
		mid = Mul(mid, linear)
	}
	return at("mlp.hook_mid", mid)
}

// mlpPost is hook_post: the normalised hook_mid of solu_ln, before mlp.ln's own weight and bias, which TransformerLens
// counts to W_out.
func (c Decoder) mlpPost(mid *Node, at layerHook) *Node {
	post := mid
	if c.NormalizedMLP() {
		post = layerNorm(mid, nil, nil, c.Epsilon)
	}
	return at("mlp.hook_post", post)
}

// mlpOut is what the MLP adds to the residual stream: post·W_out + b_out. mlp.ln's weight and bias are optional, since
// they may be folded into W_out and b_out.
func (c Decoder) mlpOut(w Weights, layer int, post *Node, at layerHook) *Node {
	if c.NormalizedMLP() {
		if weight := w(BlockName(layer, "mlp.ln.w")); weight != nil {
			post = Mul(post, ExpandLeftToRank(weight, post.Rank()))
		}
		if bias := w(BlockName(layer, "mlp.ln.b")); bias != nil {
			post = Add(post, ExpandLeftToRank(bias, post.Rank()))
		}
	}
	out := c.need(w, BlockName(layer, "mlp.W_out"))
	return at("hook_mlp_out", dense(post, out, w(BlockName(layer, "mlp.b_out"))))
}

// activate applies the activation function.
func (c Decoder) activate(x *Node) *Node {
	switch c.Activation {
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
	exceptions.Panicf("unknown activation function %q", c.Activation)
	return nil
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

// QueryScale multiplies query·key.
func (c Decoder) QueryScale() float64 {
	if c.ScoreScale != 0 {
		return c.ScoreScale
	}
	return 1 / math.Sqrt(float64(c.DHead))
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
