package engine

import (
	"context"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// hidden runs a group through all layers: the residual stream behind them on the rows asked, [row, d_model].
func (k *kernelRunner) hidden(ctx context.Context, g *group, asked []int32) (x []float32, err error) {
	return x, k.pass(ctx, g, nil, func(r *pass) error {
		kv, err := r.layers(k.shape.Layers - 1)
		if err != nil {
			return err
		}
		x, err = r.last(kv, asked)
		return err
	})
}

// unembed computes the logits of n rows of the residual stream, [row, d_vocab].
func (k *kernelRunner) unembed(ctx context.Context, dst, x []float32, n int, normed bool) error {
	final, err := k.final()
	if err != nil {
		return err
	}
	all := k.pool.workers()
	defer k.pool.putBack(all)
	if normed {
		k.finalNorm(final, x)
	}
	return all.unembed(ctx, k.shape, final, dst, x, n)
}

// finalNorm normalises rows behind the last layer.
func (k *kernelRunner) finalNorm(final *finalWeights, x []float32) {
	if !k.shape.NoFinalNorm {
		k.normWith(x, x, len(x)/k.shape.DModel, final.norm, k.shape.RMSNorm || k.shape.FinalRMS)
	}
}

// tiedBlock is how many tokens of a tied embedding are packed at a time: their matrix stays in the cache, and none of
// the whole vocabulary's size is kept beside the embedding.
const tiedBlock = 512

// unembed multiplies normalised rows by the way to the logits.
func (all workers) unembed(ctx context.Context, c transformer.Decoder, final *finalWeights, dst, x []float32,
	n int) error {
	d, vocabulary := c.DModel, c.DVocab
	dst = dst[:n*vocabulary]
	if final.unembed != nil {
		parts := 8 * len(all)
		return all.parts(ctx, parts, func(_ *worker, part int) { final.unembed.MulPart(dst, x, n, part, parts) })
	}
	scratch := make(chan *kernels.Matrix, len(all))
	return all.parts(ctx, ceilDiv(vocabulary, tiedBlock), func(_ *worker, part int) {
		first := part * tiedBlock
		width := min(tiedBlock, vocabulary-first)
		var m *kernels.Matrix
		select {
		case m = <-scratch:
		default:
		}
		if m == nil || m.Out() != width { // a new one, or the last block
			m = kernels.NewMatrix(d, width)
		}
		m.SetTransposed(0, width, final.tied[first*d:(first+width)*d], nil)
		m.Product(dst[first:], vocabulary, kernels.Rows{Data: x, Row: d, Term: 1}, n, 0, d, width, false)
		if width == tiedBlock {
			scratch <- m
		}
		if final.bias != nil {
			for row := range n {
				kernels.Add(dst[row*vocabulary+first:][:width], final.bias[first:first+width])
			}
		}
	})
}

// edit changes what edits name for the rows at a hook point of a layer, whose values are [row, width].
func (r *pass) edit(l int, hook string, values []float32, rows []int32) {
	if r.forest.marks == nil {
		return
	}
	width := len(values) / len(rows)
	for i, row := range rows {
		for _, e := range r.forest.edits[r.forest.marks[row]] {
			switch {
			case e.Layer != l || e.Hook != hook:
			case e.Op == Replace:
				copy(values[i*width:(i+1)*width], e.Rows[r.forest.depth[row]])
			default:
				at := i*width + e.Index
				values[at] = e.apply(values[at])
			}
		}
	}
}
