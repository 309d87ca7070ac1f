package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

const (
	logitRows    = 256  // whose logits are in memory at a time
	logitColumns = 1024 // of the vocabulary that a worker multiplies at a time
)

// NextLogProbs runs requests through the whole model and shows visit the logarithms of the next token's probabilities,
// [d_vocab], after each position that is asked: the at-th of a request. Calls come in any order, several at the same time; the
// values are valid only until the call returns, and the caller must not change them.
func (e *Causal) NextLogProbs(ctx context.Context, requests []Request, visit func(request, at int, logProbs []float32)) error {
	if err := e.parameters.head(e.shape); err != nil {
		return err
	}
	var pieces []piece
	for _, g := range sharePrefixes(requests, e.runner.limit()) {
		rows, place := g.asked(requests)
		type question struct{ request, at int }
		questions := make([][]question, len(rows))
		for _, m := range g.members {
			for at, row := range m.asked(requests[m.request]) {
				questions[place[row]] = append(questions[place[row]], question{m.request, at})
			}
		}
		pieces = append(pieces, piece{alone: func(ctx context.Context) error {
			return e.runner.logits(ctx, g, rows, func(at int, logits []float32) {
				logSoftmax(logits)
				for _, q := range questions[at] {
					visit(q.request, q.at, logits)
				}
			})
		}})
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, pieces)
}

// logSoftmax turns logits into the logarithms of probabilities, in place.
func logSoftmax(logits []float32) {
	top := float32(math.Inf(-1))
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - top))
	}
	shift := top + float32(math.Log(sum))
	for i := range logits {
		logits[i] -= shift
	}
}

// TokenEmbeddings are those of the vocabulary, [d_vocab, d_model], not to be changed.
func (e *Causal) TokenEmbeddings() ([]float32, error) { return e.embeddings() }

// hostEmbeddings reads them where the backend keeps its buffers elsewhere.
func (w *parameters) hostEmbeddings() ([]float32, error) {
	if w.backend.HasSharedBuffers() {
		return w.shared("embed.W_E")
	}
	return w.values("embed.W_E")
}

// logits computes those of the rows asked and shows visit each row's, which it may change.
func (k *kernelRunner) logits(ctx context.Context, forest *group, asked []int32, visit func(at int, logits []float32)) error {
	return k.pass(ctx, forest, nil, func(r *pass) error {
		if _, err := r.layers(k.shape.Layers); err != nil {
			return err
		}
		weights, err := r.final()
		if err != nil {
			return err
		}
		d, vocabulary := k.shape.DModel, k.shape.DVocab
		x, logits := r.floats(logitRows*d), r.floats(logitRows*vocabulary)
		tied := make(chan *kernels.Matrix, len(r.workers)) // scratch
		for from := 0; from < len(asked); from += logitRows {
			n := min(logitRows, len(asked)-from)
			r.gather(x, asked[from:from+n])
			if !k.shape.NoFinalNorm {
				r.normWith(x, x, n, weights.norm, k.shape.RMSNorm || k.shape.FinalRMS)
			}
			multiply := func(_ *worker, part int) {
				var m *kernels.Matrix
				select {
				case m = <-tied:
				default:
					m = kernels.NewMatrix(d, logitColumns)
				}
				first := part * logitColumns
				width := min(logitColumns, vocabulary-first)
				m.SetTransposed(0, width, weights.tied[first*d:(first+width)*d], nil)
				m.Product(logits[first:], vocabulary, kernels.Rows{Data: x, Row: d, Term: 1}, n, 0, d, width, false)
				tied <- m
			}
			parts := ceilDiv(vocabulary, logitColumns)
			if weights.unembed != nil {
				parts = 8 * len(r.workers)
				multiply = func(_ *worker, part int) { weights.unembed.MulPart(logits[:n*vocabulary], x, n, part, parts) }
			}
			if err := r.workers.parts(ctx, parts, multiply); err != nil {
				return err
			}
			err := r.workers.parts(ctx, n, func(_ *worker, i int) {
				row := logits[i*vocabulary : (i+1)*vocabulary]
				if weights.tied != nil && weights.bias != nil {
					kernels.Add(row, weights.bias)
				}
				visit(from+i, row)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// logits computes those of all rows of a group, padded to a bucket.
func (r *programRunner) logits(ctx context.Context, forest *group, asked []int32, visit func(at int, logits []float32)) error {
	b := batch{groups: []*group{forest}, rows: r.bucketing.rows(len(forest.ids)), slots: 1}
	inputs := []shapes.Shape{
		shapes.Make(dtypes.Int32, 1, b.rows), shapes.Make(dtypes.Int32, 1, b.rows), shapes.Make(dtypes.Bool, 1, b.rows, b.rows),
	}
	ids, positions, _, ancestor := b.tensors()
	p, err := r.cached.get(programKey{kind: "logits", groups: 1, rows: b.rows}, func() (*program, error) {
		return r.parameters.compile("logits", inputs, func(w transformer.Weights, in []*graph.Node) []*graph.Node {
			x := r.body(w, r.shape.Layers, in[0], in[1], in[2])
			return []*graph.Node{graph.Reshape(r.shape.Unembed(w, x, nil), b.rows, -1)}
		})
	})
	if err != nil {
		return fmt.Errorf("logits: %w", err)
	}
	return r.parameters.run(p, inputs, []any{ids, positions, ancestor}, func(_ int, output any) {
		flat, width := output.([]float32), r.shape.DVocab
		for at, row := range asked {
			if ctx.Err() != nil {
				return
			}
			visit(at, flat[int(row)*width:(int(row)+1)*width])
		}
	})
}
