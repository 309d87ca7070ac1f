package gradient

import (
	"fmt"
	"math"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// bert is a masked DistilBERT, as transformer.BERT has it, with the word embedding as its decoder.
type bert struct {
	shape         transformer.BERT
	words, places int // the embeddings
	norm          norm
	layers        []bertLayer
	headDense     *dense
	headNorm      norm
	decoder       *dense
	attention     attention
}

type bertLayer struct {
	qkv, out, in, mlpOut *dense
	norm1, norm2         norm
}

// NewBERT is the model of a shape, whose parameters are given in an order of the caller's.
func NewBERT(shape transformer.BERT, params []transformer.Param) (*Model, error) {
	if shape.Activation != "gelu" || shape.TokenTypes > 0 {
		return nil, fmt.Errorf("no gradient is written out for this shape: %+v", shape)
	}
	m, at := newModel(params)
	pair := func(name string) (weight, bias int) { return at.of(name + ".weight"), at.of(name + ".bias") }
	normOf := func(name string) norm { w, b := pair(name); return norm{w, b} }
	part := func(name string, first, width int) densePart {
		w, b := pair(name)
		return densePart{w, b, first, width, 1}
	}
	d := shape.DModel
	s := &bert{shape: shape, words: at.of(transformer.BERTWords), places: at.of(transformer.BERTPositions),
		norm:      normOf(transformer.BERTEmbedNorm),
		attention: attention{heads: shape.Heads, dHead: d / shape.Heads}}
	for l := range shape.Layers {
		name := func(module string) string { return transformer.BERTModule(l, module) }
		s.layers = append(s.layers, bertLayer{
			qkv: m.dense(d, true, part(name("attention.q_lin"), 0, d), part(name("attention.k_lin"), d, d),
				part(name("attention.v_lin"), 2*d, d)),
			out: m.dense(d, true, part(name("attention.out_lin"), 0, d)), norm1: normOf(name("sa_layer_norm")),
			in:     m.dense(d, true, part(name("ffn.lin1"), 0, shape.DMLP)),
			mlpOut: m.dense(shape.DMLP, true, part(name("ffn.lin2"), 0, d)),
			norm2:  normOf(name("output_layer_norm")),
		})
	}
	s.headDense, s.headNorm = m.dense(d, true, part(transformer.BERTHeadDense, 0, d)), normOf(transformer.BERTHeadNorm)
	s.decoder = m.dense(d, true, densePart{s.words, at.of(transformer.BERTBias), 0, shape.DVocab, 1})
	m.window = s
	return m, at.err
}

// bertState is what the way back reads of a layer.
type bertState struct {
	x, qkv, patterns, z []float32 // [rows, …]; x is what the layer reads
	n1, x1, pre, post   []float32
	n2                  []float32
	inverse1, inverse2  []float32 // [rows]
}

// state is the memory for a layer.
func (s *bert) state(w *worker, layer, rows int) bertState {
	get := func(name string, width int) []float32 { return w.buffer(fmt.Sprintf("%s %d", name, layer), rows*width) }
	d, mlp := s.shape.DModel, s.shape.DMLP
	return bertState{
		x: get("x", d), qkv: get("qkv", 3*d), patterns: get("patterns", s.shape.Heads*rows), z: get("z", d),
		n1: get("n1", d), x1: get("x1", d), pre: get("pre", mlp), post: get("post", mlp), n2: get("n2", d),
		inverse1: get("inverse1", 1), inverse2: get("inverse2", 1),
	}
}

func (s *bert) window(w *worker, ids, positions, targets []int32, weight float32) float64 {
	rows, d, mlp, epsilon := len(ids), s.shape.DModel, s.shape.DMLP, s.shape.Epsilon
	factor := float32(1 / math.Sqrt(float64(s.attention.dHead)))
	scratch := w.buffer("gelu", mlp)

	sum := w.buffer("sum", rows*d)
	for r, id := range ids {
		row := sum[r*d:][:d]
		copy(row, w.weights[s.words][int(id)*d:][:d])
		kernels.Add(row, w.weights[s.places][r*d:][:d])
	}
	n0, inverse0, last := w.buffer("n", rows*d), w.buffer("inverse", rows), w.buffer("last", rows*d)
	into := func(layer int) []float32 { // where the input of a layer goes, or what comes out of the last one
		if layer < len(s.layers) {
			return s.state(w, layer, rows).x
		}
		return last
	}
	s.norm.apply(w, into(0), n0, inverse0, sum, d, epsilon)
	for l, layer := range s.layers {
		t := s.state(w, l, rows)
		layer.qkv.apply(t.qkv, t.x, rows)
		s.attention.apply(w, t.z, t.patterns, t.qkv, rows, factor)
		layer.out.apply(sum, t.z, rows)
		kernels.Add(sum, t.x)
		layer.norm1.apply(w, t.x1, t.n1, t.inverse1, sum, d, epsilon)

		layer.in.apply(t.pre, t.x1, rows)
		copy(t.post, t.pre)
		for r := range rows {
			kernels.GELU(t.post[r*mlp:][:mlp], scratch)
		}
		layer.mlpOut.apply(sum, t.post, rows)
		kernels.Add(sum, t.x1)
		layer.norm2.apply(w, into(l+1), t.n2, t.inverse2, sum, d, epsilon)
	}
	// The head reads the rows that are asked for.
	asked := len(positions)
	get := func(name string, width int) []float32 { return w.buffer("head "+name, asked*width) }
	picked, pre, post, n, normed, inverse := get("picked", d), get("pre", d), get("post", d), get("n", d),
		get("normed", d), get("inverse", 1)
	for i, p := range positions {
		copy(picked[i*d:][:d], last[int(p)*d:])
	}
	s.headDense.apply(pre, picked, asked)
	copy(post, pre)
	for i := range asked {
		kernels.GELU(post[i*d:][:d], scratch[:d])
	}
	s.headNorm.apply(w, normed, n, inverse, post, d, epsilon)
	logits := get("logits", s.shape.DVocab)
	s.decoder.apply(logits, normed, asked)
	loss := crossEntropy(logits, targets, s.shape.DVocab, weight)

	dPicked, dPost := get("d picked", d), get("d post", d)
	s.decoder.derive(w, dPost, normed, logits, asked)
	s.headNorm.derive(w, dPost, n, inverse, d)
	for i := range asked {
		kernels.GELUBack(dPost[i*d:][:d], pre[i*d:][:d], scratch[:d])
	}
	s.headDense.derive(w, dPicked, picked, dPost, asked)
	dx := w.buffer("dx", rows*d)
	clear(dx)
	for i, p := range positions {
		kernels.Add(dx[int(p)*d:][:d], dPicked[i*d:][:d])
	}
	dMLP, dRow := w.buffer("d mlp", rows*mlp), w.buffer("d row", rows*d)
	for l := len(s.layers) - 1; l >= 0; l-- {
		layer, t := s.layers[l], s.state(w, l, rows)
		layer.norm2.derive(w, dx, t.n2, t.inverse2, d)
		layer.mlpOut.derive(w, dMLP, t.post, dx, rows)
		for r := range rows {
			kernels.GELUBack(dMLP[r*mlp:][:mlp], t.pre[r*mlp:][:mlp], scratch)
		}
		layer.in.derive(w, dRow, t.x1, dMLP, rows)
		kernels.Add(dx, dRow)

		layer.norm1.derive(w, dx, t.n1, t.inverse1, d)
		dz, dqkv := w.buffer("dz", rows*d), w.buffer("dqkv", rows*3*d)
		layer.out.derive(w, dz, t.z, dx, rows)
		s.attention.derive(w, dqkv, dz, t.patterns, t.qkv, rows, factor)
		layer.qkv.derive(w, dRow, t.x, dqkv, rows)
		kernels.Add(dx, dRow)
	}
	s.norm.derive(w, dx, n0, inverse0, d)
	for r, id := range ids {
		kernels.Add(w.gradients[s.words][int(id)*d:][:d], dx[r*d:][:d])
		kernels.Add(w.gradients[s.places][r*d:][:d], dx[r*d:][:d])
	}
	return loss
}
