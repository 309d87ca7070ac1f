package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// maskedKernels runs texts with package kernels instead of a compiled program, where the backend is the processor
// itself: texts lie behind each other without padding, and of the last block only the rows asked are run.
//
// It computes what [transformer.BERT]'s graph functions do, to which tests compare it.
type maskedKernels struct {
	shape      transformer.BERT
	parameters *parameters
	embed      func() (*bertEmbeddings, error)
	blocks     []func() (*bertBlock, error)
	head       func() (*bertHead, error)
	activate   func(x, scratch []float32)
	pool       pool
}

// bertEmbeddings are the tables of words and positions, and what is added to every row.
type bertEmbeddings struct {
	words, positions, tokenType []float32
	norm                        normWeights
}

// bertBlock are a block's parameters. Keys and values of a row lie beside each other.
type bertBlock struct {
	query, keyValues, out *kernels.Matrix
	middle                normWeights
	in, mlpOut            *kernels.Matrix
	end                   normWeights
}

// bertHead are the parameters of the head.
type bertHead struct {
	dense   *kernels.Matrix
	norm    normWeights
	decoder *kernels.Matrix
}

// task pads nothing: texts lie behind each other.
func (*maskedKernels) task(int) maskedTask { return maskedTask{} }

func newMaskedKernels(c transformer.BERT, w *parameters) (*maskedKernels, error) {
	activate, err := activation(c.Activation)
	if err != nil {
		return nil, err
	}
	p := &maskedKernels{activate: activate, shape: c, parameters: w,
		pool: pool{dModel: c.DModel, width: c.DModel, dMLP: max(c.DMLP, c.DModel)}}
	p.embed = sync.OnceValues(p.readEmbeddings)
	p.head = sync.OnceValues(p.readHead)
	for l := range c.Layers {
		p.blocks = append(p.blocks, sync.OnceValues(func() (*bertBlock, error) { return p.readBlock(l) }))
	}
	return p, nil
}

func (p *maskedKernels) readEmbeddings() (*bertEmbeddings, error) {
	var e bertEmbeddings
	var err error
	if e.words, err = p.parameters.shared(transformer.BERTWords); err != nil {
		return nil, err
	}
	if e.positions, err = p.parameters.shared(transformer.BERTPositions); err != nil {
		return nil, err
	}
	if p.shape.TokenTypes > 0 {
		types, err := p.parameters.shared(transformer.BERTTokenTypes)
		if err != nil {
			return nil, err
		}
		e.tokenType = types[:p.shape.DModel]
	}
	e.norm, err = p.norm(transformer.BERTEmbedNorm)
	return &e, err
}

func (p *maskedKernels) readBlock(l int) (*bertBlock, error) {
	d, mlp := p.shape.DModel, p.shape.DMLP
	name := func(module string) string { return transformer.BERTModule(l, module) }
	b := &bertBlock{
		query: kernels.NewMatrix(d, d), keyValues: kernels.NewMatrix(d, 2*d), out: kernels.NewMatrix(d, d),
		in: kernels.NewMatrix(d, mlp), mlpOut: kernels.NewMatrix(mlp, d),
	}
	for _, dense := range []struct {
		module string
		matrix *kernels.Matrix
		first  int
		width  int
	}{
		{"attention.q_lin", b.query, 0, d}, {"attention.k_lin", b.keyValues, 0, d}, {"attention.v_lin", b.keyValues, d, d},
		{"attention.out_lin", b.out, 0, d}, {"ffn.lin1", b.in, 0, mlp}, {"ffn.lin2", b.mlpOut, 0, d},
	} {
		if err := p.dense(dense.matrix, dense.first, dense.width, name(dense.module)+".weight",
			name(dense.module)+".bias"); err != nil {
			return nil, err
		}
	}
	var err error
	if b.middle, err = p.norm(name("sa_layer_norm")); err != nil {
		return nil, err
	}
	b.end, err = p.norm(name("output_layer_norm"))
	return b, err
}

func (p *maskedKernels) readHead() (*bertHead, error) {
	c := p.shape
	h := &bertHead{dense: kernels.NewMatrix(c.DModel, c.DModel), decoder: kernels.NewMatrix(c.DModel, c.DVocab)}
	if err := p.dense(h.dense, 0, c.DModel, transformer.BERTHeadDense+".weight",
		transformer.BERTHeadDense+".bias"); err != nil {
		return nil, err
	}
	var err error
	if _, ok := p.parameters.layout(transformer.BERTDecoder); ok {
		err = p.dense(h.decoder, 0, c.DVocab, transformer.BERTDecoder, transformer.BERTBias)
	} else {
		err = p.tie(h.decoder)
	}
	if err != nil {
		return nil, err
	}
	h.norm, err = p.norm(transformer.BERTHeadNorm)
	return h, err
}

// tie packs the word embedding as the decoder.
func (p *maskedKernels) tie(decoder *kernels.Matrix) error {
	words, err := p.parameters.shared(transformer.BERTWords)
	if err != nil {
		return err
	}
	bias, err := p.parameters.values(transformer.BERTBias)
	if err == nil {
		decoder.SetTransposed(0, p.shape.DVocab, words, bias)
	}
	return err
}

// dense packs a weight [width, in] of the files.
func (p *maskedKernels) dense(m *kernels.Matrix, first, width int, weight, bias string) error {
	values, err := p.parameters.values(bias)
	if err != nil {
		return err
	}
	v, ok := p.parameters.layout(weight)
	if !ok {
		return fmt.Errorf("the model has no parameter %q", weight)
	}
	m.Set(first, width, nil, values)
	return p.parameters.unpack(v, func(output, _, inputs int, part []float32) {
		m.SetTransposed(first+output, len(part)/inputs, part, nil)
	})
}

func (p *maskedKernels) norm(module string) (n normWeights, err error) {
	if n.weight, err = p.parameters.values(module + ".weight"); err != nil {
		return n, err
	}
	n.bias, err = p.parameters.values(module + ".bias")
	return n, err
}

// maskedPass is one run of some texts.
type maskedPass struct {
	*maskedKernels
	ctx     context.Context
	workers workers
	ids     []int   // of all rows
	start   []int32 // of each row, the first row of its text
	end     []int32 // and the one behind its last
	x       []float32
}

// logits returns those of the rows asked of some texts, one after the other, [d_vocab] each.
func (p *maskedKernels) logits(ctx context.Context, sequences []Sequence, _ maskedTask) ([][]float32, error) {
	r := &maskedPass{maskedKernels: p, ctx: ctx, workers: p.pool.workers()}
	defer p.pool.putBack(r.workers)
	var asked []int32
	for _, sequence := range sequences {
		start := int32(len(r.ids))
		end := start + int32(len(sequence.IDs))
		for range sequence.IDs {
			r.start, r.end = append(r.start, start), append(r.end, end)
		}
		for _, row := range sequence.Rows {
			asked = append(asked, start+int32(row))
		}
		r.ids = append(r.ids, sequence.IDs...)
	}
	rows := iota32(len(r.ids))
	if err := r.embedRows(); err != nil {
		return nil, err
	}
	for l := range p.shape.Layers {
		wanted := rows
		if l == p.shape.Layers-1 {
			wanted = asked
		}
		if err := r.block(l, rows, wanted); err != nil {
			return nil, err
		}
	}
	return r.decode(len(asked))
}

// embedRows fills x.
func (r *maskedPass) embedRows() error {
	e, err := r.embed()
	if err != nil {
		return err
	}
	d := r.shape.DModel
	r.x = make([]float32, len(r.ids)*d)
	for row, id := range r.ids {
		x := r.x[row*d : (row+1)*d]
		copy(x, e.words[id*d:])
		kernels.Add(x, e.positions[(row-int(r.start[row]))*d:][:d])
		if e.tokenType != nil {
			kernels.Add(x, e.tokenType)
		}
	}
	r.norms(r.x, len(r.ids), e.norm)
	return nil
}

// norms normalises rows in place.
func (r *maskedPass) norms(x []float32, rows int, n normWeights) {
	d := r.shape.DModel
	for at := 0; at < rows*d; at += d {
		kernels.LayerNorm(x[at:at+d], x[at:at+d], n.weight, n.bias, r.shape.Epsilon)
	}
}

// block runs a block for the rows wanted, which are all that x holds afterwards.
func (r *maskedPass) block(l int, rows, wanted []int32) error {
	b, err := r.blocks[l]()
	if err != nil {
		return err
	}
	d := r.shape.DModel
	keyValues := make([]float32, len(rows)*2*d)
	if err := r.workers.each(r.ctx, len(rows), func(_ *worker, from, to int) {
		b.keyValues.Mul(keyValues[from*2*d:], r.x[from*d:], to-from)
	}); err != nil {
		return err
	}
	dHead := d / r.shape.Heads
	heads := kernels.Heads{Heads: r.shape.Heads, KVHeads: r.shape.Heads, DHead: dHead,
		Scale: float32(1 / math.Sqrt(float64(dHead)))}
	next := make([]float32, len(wanted)*d)
	err = r.workers.each(r.ctx, len(wanted), func(w *worker, from, to int) {
		n := to - from
		x := next[from*d : to*d]
		for i, row := range wanted[from:to] {
			copy(x[i*d:(i+1)*d], r.x[int(row)*d:])
		}
		b.query.Mul(w.q, x, n)
		for i, row := range wanted[from:to] {
			text := rows[r.start[row]:r.end[row]]
			w.scores = heads.Attend(w.z[i*d:(i+1)*d], w.q[i*d:(i+1)*d], keyValues, keyValues[d:], 2*d, text, w.scores)
		}
		b.out.Mul(w.out, w.z, n)
		kernels.Add(x, w.out[:n*d])
		r.norms(x, n, b.middle)

		b.in.Mul(w.pre, x, n)
		r.activateRows(w, n, r.shape.DMLP)
		b.mlpOut.Mul(w.out, w.pre, n)
		kernels.Add(x, w.out[:n*d])
		r.norms(x, n, b.end)
	})
	r.x = next
	return err
}

// activateRows applies the activation function to n rows of w.pre.
func (r *maskedPass) activateRows(w *worker, n, width int) {
	for at := 0; at < n*width; at += width {
		r.activate(w.pre[at:at+width], w.scratch[:width])
	}
}

// decode runs the head on the n rows of x. The vocabulary is shared out among the workers.
func (r *maskedPass) decode(n int) ([][]float32, error) {
	h, err := r.head()
	if err != nil {
		return nil, err
	}
	d, vocabulary := r.shape.DModel, r.shape.DVocab
	if err := r.workers.each(r.ctx, n, func(w *worker, from, to int) {
		h.dense.Mul(w.pre, r.x[from*d:], to-from)
		r.activateRows(w, to-from, d)
		r.norms(w.pre, to-from, h.norm)
		copy(r.x[from*d:to*d], w.pre)
	}); err != nil {
		return nil, err
	}
	flat := make([]float32, n*vocabulary)
	parts := 8 * len(r.workers)
	err = r.workers.parts(r.ctx, parts, func(_ *worker, part int) { h.decoder.MulPart(flat, r.x, n, part, parts) })
	return slices.Collect(slices.Chunk(flat, vocabulary)), err
}
