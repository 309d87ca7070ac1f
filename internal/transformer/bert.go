package transformer

import (
	"strconv"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// BERT is the shape of a BERT-like masked language model (Devlin et al. 2018, https://arxiv.org/abs/1810.04805;
// Sanh et al. 2019, https://arxiv.org/abs/1910.01108 for DistilBERT, which is the same without token types): a stack
// of post-LayerNorm encoder blocks and a head that predicts the word at a masked place.
//
// Its graph functions look parameters up by the names of Hugging Face's DistilBertForMaskedLM, in the layout of the
// file: a dense layer's weight is [d_out, d_in]. [BERT.BodyParameters] and [BERT.HeadParameters] list them.
type BERT struct {
	Layers, Heads int
	DModel, DMLP  int
	DVocab        int
	Positions     int     // the longest text in tokens, [CLS] and [SEP] included
	TokenTypes    int     // rows of the token type embedding, 0 where there is none; only type 0 is used
	Epsilon       float64 // of every LayerNorm
	Activation    string  // of the MLPs and the head: one of [Activations]
}

// Param is a named parameter and its shape.
type Param struct {
	Name  string
	Shape []int
}

// Names of the modules and parameters outside the blocks; norms and dense layers have a .weight and a .bias.
const (
	BERTWords      = "distilbert.embeddings.word_embeddings.weight"
	BERTPositions  = "distilbert.embeddings.position_embeddings.weight"
	BERTTokenTypes = "distilbert.embeddings.token_type_embeddings.weight"
	BERTEmbedNorm  = "distilbert.embeddings.LayerNorm"
	BERTHeadDense  = "vocab_transform"
	BERTHeadNorm   = "vocab_layer_norm"
	BERTDecoder    = "vocab_projector.weight"
	BERTBias       = "vocab_projector.bias"
)

// BERTModule names a module of a block.
func BERTModule(layer int, module string) string {
	return "distilbert.transformer.layer." + strconv.Itoa(layer) + "." + module
}

// BodyParameters lists the parameters that [BERT.Embed] and [BERT.Block] look up.
func (c BERT) BodyParameters() []Param {
	list := []Param{{BERTWords, []int{c.DVocab, c.DModel}}, {BERTPositions, []int{c.Positions, c.DModel}}}
	if c.TokenTypes > 0 {
		list = append(list, Param{BERTTokenTypes, []int{c.TokenTypes, c.DModel}})
	}
	pair := func(name string, out, in int) {
		list = append(list, Param{name + ".weight", []int{out, in}}, Param{name + ".bias", []int{out}})
	}
	norm := func(name string) {
		list = append(list, Param{name + ".weight", []int{c.DModel}}, Param{name + ".bias", []int{c.DModel}})
	}
	norm(BERTEmbedNorm)
	for l := range c.Layers {
		for _, module := range []string{"q_lin", "k_lin", "v_lin", "out_lin"} {
			pair(BERTModule(l, "attention."+module), c.DModel, c.DModel)
		}
		norm(BERTModule(l, "sa_layer_norm"))
		pair(BERTModule(l, "ffn.lin1"), c.DMLP, c.DModel)
		pair(BERTModule(l, "ffn.lin2"), c.DModel, c.DMLP)
		norm(BERTModule(l, "output_layer_norm"))
	}
	return list
}

// HeadParameters lists the parameters that [BERT.Unembed] looks up. The decoder, vocab_projector.weight, is last: most
// models tie it to the word embedding and their files omit it.
func (c BERT) HeadParameters() []Param {
	return []Param{
		{BERTHeadDense + ".weight", []int{c.DModel, c.DModel}},
		{BERTHeadDense + ".bias", []int{c.DModel}},
		{BERTHeadNorm + ".weight", []int{c.DModel}},
		{BERTHeadNorm + ".bias", []int{c.DModel}},
		{BERTBias, []int{c.DVocab}},
		{BERTDecoder, []int{c.DVocab, c.DModel}},
	}
}

// Embed sums the embeddings of word, position and token type 0, and normalises: ids [batch, seq] become
// [batch, seq, d_model].
func (c BERT) Embed(w Weights, ids *Node, hook Hook) *Node {
	seq := ids.Shape().Dimensions[1]
	x := Gather(w(BERTWords), InsertAxes(ids, -1))
	position := Slice(w(BERTPositions), AxisRangeFromStart(seq))
	if c.TokenTypes > 0 {
		position = Add(position, Slice(w(BERTTokenTypes), AxisRangeFromStart(1)))
	}
	x = c.norm(w, BERTEmbedNorm, Add(x, InsertAxes(position, 0)))
	return hook.at("hook_full_embed", x)
}

// Block is one encoder block, x [batch, seq, d_model] to the same:
//
//	x = LayerNorm(x + Attention(x))
//	x = LayerNorm(x + MLP(x))
//
// attention gets queries, keys and values [batch, seq, head, d_head]; see [Bidirectional].
func (c BERT) Block(w Weights, layer int, x *Node, attention Attention, hook Hook) *Node {
	at := hook.in(layer)
	dims := x.Shape().Dimensions
	heads := func(module string) *Node {
		return Reshape(bertDense(w, BERTModule(layer, "attention."+module), x), dims[0], dims[1], c.Heads, c.DModel/c.Heads)
	}
	z := attention(heads("q_lin"), heads("k_lin"), heads("v_lin"))
	z = bertDense(w, BERTModule(layer, "attention.out_lin"), Reshape(z, dims...))
	x = at("hook_normalized_resid_mid", c.norm(w, BERTModule(layer, "sa_layer_norm"), Add(x, z)))

	pre := at("mlp.hook_pre", bertDense(w, BERTModule(layer, "ffn.lin1"), x))
	post := at("mlp.hook_post", activate(c.Activation, pre))
	mlp := bertDense(w, BERTModule(layer, "ffn.lin2"), post)
	return at("hook_normalized_resid_post", c.norm(w, BERTModule(layer, "output_layer_norm"), Add(x, mlp)))
}

// Unembed predicts words: rows [n, d_model] of the last block become logits [n, d_vocab]. It is Transform, then Decode.
func (c BERT) Unembed(w Weights, rows *Node) *Node { return c.Decode(w, c.Transform(w, rows)) }

// Transform is the head's own layer, rows [n, d_model] to the same.
func (c BERT) Transform(w Weights, rows *Node) *Node {
	return c.norm(w, BERTHeadNorm, activate(c.Activation, bertDense(w, BERTHeadDense, rows)))
}

// Decode compares transformed rows [n, d_model] with every word: [n, d_vocab]. Where Weights has no decoder (nil), the
// word embedding is it.
func (c BERT) Decode(w Weights, rows *Node) *Node {
	decoder := w(BERTDecoder)
	if decoder == nil {
		decoder = w(BERTWords)
	}
	return project(rows, decoder, w(BERTBias), compute.DenseLayoutOutputsInput)
}

// norm is LayerNorm over the last axis with the module's own weight and bias.
func (c BERT) norm(w Weights, module string, x *Node) *Node {
	return layerNorm(x, w(module+".weight"), w(module+".bias"), c.Epsilon)
}

// bertDense is x·Wᵀ + b.
func bertDense(w Weights, module string, x *Node) *Node {
	return project(x, w(module+".weight"), w(module+".bias"), compute.DenseLayoutOutputsInput)
}

// Bidirectional is attention in which every token sees every other but the padding: lengths [batch] counts the tokens
// of each text, those behind are padding. Masked scores become exactly zero probability, so padding changes no result.
func Bidirectional(lengths *Node) Attention {
	return func(q, k, v *Node) *Node {
		seq, dHead := k.Shape().Dimensions[1], k.Shape().Dimensions[3]
		position := Iota(q.Graph(), shapes.Make(dtypes.Int32, 1, 1, 1, seq), 3)
		isText := LessThan(position, InsertAxes(ConvertDType(lengths, dtypes.Int32), -1, -1, -1))
		c := Decoder{Heads: q.Shape().Dimensions[2], DHead: dHead}
		return c.attend(q, k, v, isText, c.QueryScale(0))
	}
}
