package gradient

import (
	"fmt"
	"math"
	"reflect"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// solu is a causal model of activation solu_ln (https://transformer-circuits.pub/2022/solu), as transformer.Decoder has
// it.
type solu struct {
	shape          transformer.Decoder
	words, places  int // the embeddings
	layers         []soluLayer
	norm           norm
	unembed        *dense
	attention      attention
	width, between int // d_model, and heads·d_head
	balance        float64
}

type soluLayer struct {
	norm1, norm2, normMLP norm
	qkv, out, in, mlpOut  *dense
}

// NewSoLU is the model of a shape, whose parameters are given in an order of the caller's. Gradients are those of the
// loss plus balance times, for each layer and window, d_mlp·Σp̄², where p̄ is the window's mean of a neuron's share of
// SoLU's softmax: 1 where all neurons have equal shares, d_mlp where one neuron has all. The loss is returned without.
func NewSoLU(shape transformer.Decoder, params []transformer.Param, balance float64) (*Model, error) {
	// Everything else that a shape can say stays at its zero value.
	plain := transformer.Decoder{Layers: shape.Layers, DModel: shape.DModel, Heads: shape.Heads, DHead: shape.DHead,
		DMLP: shape.DMLP, DVocab: shape.DVocab,
		Positions: shape.Positions, Activation: "solu_ln", Epsilon: shape.Epsilon, ScoreScale: shape.ScoreScale,
		ScaleByLayer: shape.ScaleByLayer}
	if !reflect.DeepEqual(shape, plain) {
		return nil, fmt.Errorf("no gradient is written out for this shape: %+v", shape)
	}
	m, at := newModel(params)
	s := &solu{shape: shape, words: at.of("embed.W_E"), places: at.of("pos_embed.W_pos"), width: shape.DModel,
		between:   shape.Heads * shape.DHead,
		attention: attention{heads: shape.Heads, dHead: shape.DHead, causal: true},
		norm:      norm{at.of("ln_final.w"), at.of("ln_final.b")}, balance: balance}
	for l := range shape.Layers {
		of := func(name string) int { return at.of(transformer.BlockName(l, name)) }
		whole := func(weight, bias string, width int) densePart { return densePart{of(weight), of(bias), 0, width, 1} }
		var heads []densePart
		for i, which := range []string{"Q", "K", "V"} {
			heads = append(heads, densePart{of("attn.W_" + which), of("attn.b_" + which), i * s.between, s.between, shape.Heads})
		}
		s.layers = append(s.layers, soluLayer{
			norm1: norm{of("ln1.w"), of("ln1.b")}, norm2: norm{of("ln2.w"), of("ln2.b")},
			normMLP: norm{of("mlp.ln.w"), of("mlp.ln.b")},
			qkv:     m.dense(shape.DModel, false, heads...),
			out:     m.dense(s.between, false, whole("attn.W_O", "attn.b_O", shape.DModel)),
			in:      m.dense(shape.DModel, false, whole("mlp.W_in", "mlp.b_in", shape.DMLP)),
			mlpOut:  m.dense(shape.DMLP, false, whole("mlp.W_out", "mlp.b_out", shape.DModel)),
		})
	}
	s.unembed = m.dense(shape.DModel, false, densePart{at.of("unembed.W_U"), at.of("unembed.b_U"), 0, shape.DVocab, 1})
	m.window = s
	return m, at.err
}

// soluState is what the way back reads of a layer.
type soluState struct {
	n1, x1, qkv, patterns, z []float32 // [rows, …]; x1 is n1 with weight and bias
	n2, x2, p, mid, n3, post []float32
	inverse1, inverse2, inv3 []float32 // [rows]
}

// state is the memory for a layer.
func (s *solu) state(w *worker, layer, rows int) soluState {
	get := func(name string, width int) []float32 { return w.buffer(fmt.Sprintf("%s %d", name, layer), rows*width) }
	d, mlp := s.width, s.shape.DMLP
	return soluState{
		n1: get("n1", d), x1: get("x1", d), qkv: get("qkv", 3*s.between), patterns: get("patterns", s.shape.Heads*rows),
		z:  get("z", s.between),
		n2: get("n2", d), x2: get("x2", d), p: get("p", mlp), mid: get("mid", mlp), n3: get("n3", mlp),
		post:     get("post", mlp),
		inverse1: get("inverse1", 1), inverse2: get("inverse2", 1), inv3: get("inverse3", 1),
	}
}

func (s *solu) window(w *worker, ids, _, targets []int32, weight float32) float64 {
	rows, d, mlp, epsilon := len(ids), s.width, s.shape.DMLP, s.shape.Epsilon
	factor := func(layer int) float32 { return float32(s.shape.QueryScale(layer)) }

	x := w.buffer("x", rows*d)
	for r, id := range ids {
		row := x[r*d:][:d]
		copy(row, w.weights[s.words][int(id)*d:][:d])
		kernels.Add(row, w.weights[s.places][r*d:][:d])
	}
	added := w.buffer("added", rows*max(d, mlp))
	for l, layer := range s.layers {
		t := s.state(w, l, rows)
		layer.norm1.apply(w, t.x1, t.n1, t.inverse1, x, d, epsilon)
		layer.qkv.apply(t.qkv, t.x1, rows)
		s.attention.apply(w, t.z, t.patterns, t.qkv, rows, factor(l))
		layer.out.apply(added[:rows*d], t.z, rows)
		kernels.Add(x, added[:rows*d])

		layer.norm2.apply(w, t.x2, t.n2, t.inverse2, x, d, epsilon)
		layer.in.apply(t.mid, t.x2, rows)
		for r := range rows {
			mid, p := t.mid[r*mlp:][:mlp], t.p[r*mlp:][:mlp]
			kernels.Softmax(p, mid, 1)
			kernels.Mul(mid, p)
		}
		layer.normMLP.apply(w, t.post, t.n3, t.inv3, t.mid, mlp, epsilon)
		layer.mlpOut.apply(added[:rows*d], t.post, rows)
		kernels.Add(x, added[:rows*d])
	}
	n, normed, inverse := w.buffer("n", rows*d), w.buffer("normed", rows*d), w.buffer("inverse", rows)
	s.norm.apply(w, normed, n, inverse, x, d, epsilon)
	logits := w.buffer("logits", rows*s.shape.DVocab)
	s.unembed.apply(logits, normed, rows)
	loss := crossEntropy(logits, targets, s.shape.DVocab, weight)

	// The way back: dx is the derivative by the residual stream.
	dx := w.buffer("dx", rows*d)
	s.unembed.derive(w, dx, normed, logits, rows)
	s.norm.derive(w, dx, n, inverse, d)
	dRow, dMLP, dPre := added[:rows*d], w.buffer("d mlp", rows*mlp), w.buffer("d pre", rows*mlp)
	for l := len(s.layers) - 1; l >= 0; l-- {
		layer, t := s.layers[l], s.state(w, l, rows)
		layer.mlpOut.derive(w, dMLP, t.post, dx, rows)
		layer.normMLP.derive(w, dMLP, t.n3, t.inv3, mlp)
		for r := range rows {
			at := r * mlp
			kernels.SoLUBack(dPre[at:][:mlp], dMLP[at:][:mlp], t.mid[at:][:mlp], t.p[at:][:mlp])
		}
		if s.balance != 0 {
			s.deriveBalance(w, dPre, t.p, rows, weight)
		}
		layer.in.derive(w, dRow, t.x2, dPre, rows)
		layer.norm2.derive(w, dRow, t.n2, t.inverse2, d)
		kernels.Add(dx, dRow)

		dz, dqkv := w.buffer("dz", rows*s.between), w.buffer("dqkv", rows*3*s.between)
		layer.out.derive(w, dz, t.z, dx, rows)
		s.attention.derive(w, dqkv, dz, t.patterns, t.qkv, rows, factor(l))
		layer.qkv.derive(w, dRow, t.x1, dqkv, rows)
		layer.norm1.derive(w, dRow, t.n1, t.inverse1, d)
		kernels.Add(dx, dRow)
	}
	for r, id := range ids {
		kernels.Add(w.gradients[s.words][int(id)*d:][:d], dx[r*d:][:d])
		kernels.Add(w.gradients[s.places][r*d:][:d], dx[r*d:][:d])
	}
	return loss
}

// deriveBalance adds the derivative of a window's balance to that by the pre-activations [rows, d_mlp], where p is
// their softmax. The window counts as much as its share of the tokens, rows·weight.
func (s *solu) deriveBalance(w *worker, dPre, p []float32, rows int, weight float32) {
	mlp := s.shape.DMLP
	dP := w.buffer("d p", mlp) // the same for every row
	clear(dP)
	for r := range rows {
		kernels.Add(dP, p[r*mlp:][:mlp])
	}
	factor := float32(2*s.balance*float64(mlp)) * weight / float32(rows)
	for j := range dP {
		dP[j] *= factor
	}
	for r := range rows {
		row, d := p[r*mlp:][:mlp], dPre[r*mlp:][:mlp]
		mean := kernels.Dot(dP, row)
		for j, v := range row {
			d[j] += v * (dP[j] - mean)
		}
	}
}

// mostLoss is the loss of a target whose probability underflows, as transformer.CrossEntropy has it.
var mostLoss = -math.Log(1e-30)

// crossEntropy sums the loss of rows of logits and replaces them by their derivatives.
func crossEntropy(logits []float32, targets []int32, vocabulary int, weight float32) (loss float64) {
	for r, target := range targets {
		loss += min(mostLoss, kernels.CrossEntropy(logits[r*vocabulary:][:vocabulary], int(target), weight))
	}
	return loss
}
