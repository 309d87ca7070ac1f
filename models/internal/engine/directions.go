package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// Parameter reads a parameter by TransformerLens's name, in row-major order, whatever the files' order is; nil is one
// that the model lacks.
func (e *Causal) Parameter(name string) ([]float32, error) { return e.parameters.values(name) }

// Project shows visit what each of n directions of the residual stream adds to the logits, W_U·(w ⊙ direction) with w
// the final norm's weight, [d_vocab]. Nothing is centred or divided by a norm, and no bias counts. Calls come from
// several goroutines, in no order; the slice is valid until the call returns.
func (e *Causal) Project(ctx context.Context, n int, direction func(i int) []float32,
	visit func(i int, logits []float32)) error {
	if err := e.parameters.head(e.shape); err != nil {
		return err
	}
	var scale, bias []float32
	var err error
	if !e.shape.NoFinalNorm {
		if scale, err = e.parameters.values("ln_final.w"); err != nil {
			return err
		}
	}
	if bias, err = e.parameters.values("unembed.b_U"); err != nil {
		return err
	}
	if !slices.ContainsFunc(bias, func(b float32) bool { return b != 0 }) {
		bias = nil
	}
	d, vocabulary := e.shape.DModel, e.shape.DVocab
	var pieces []piece
	for first := 0; first < n; first += logitRows {
		count := min(logitRows, n-first)
		pieces = append(pieces, piece{alone: func(ctx context.Context) error {
			x := make([]float32, 0, count*d)
			for i := range count {
				x = append(x, direction(first+i)...)
			}
			for i := range x {
				if scale != nil {
					x[i] *= scale[i%d]
				}
			}
			logits := make([]float32, count*vocabulary)
			if err := e.runner.unembed(ctx, logits, x, count, false); err != nil {
				return err
			}
			var wait sync.WaitGroup
			for i := range count {
				wait.Go(func() {
					row := logits[i*vocabulary : (i+1)*vocabulary]
					for id, b := range bias {
						row[id] -= b
					}
					visit(first+i, row)
				})
			}
			wait.Wait()
			return nil
		}})
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, pieces)
}

// Neurons are the weights of neurons of a layer, a row of [d_model] each: Out what a neuron adds to the residual
// stream, In what it reads of it, Gate what its gate reads where the MLP is gated.
type Neurons struct{ In, Gate, Out [][]float32 }

// Neurons reads a layer's.
func (e *Causal) Neurons(layer int) (n Neurons, err error) {
	read := func(which string) ([]float32, error) {
		name := transformer.BlockName(layer, "mlp.W_"+which)
		values, err := e.parameters.values(name)
		if err == nil && values == nil {
			err = fmt.Errorf("the model has no parameter %q", name)
		}
		return values, err
	}
	out, err := read("out")
	if err != nil {
		return n, err
	}
	d, width := e.shape.DModel, e.shape.DMLP
	n.Out = slices.Collect(slices.Chunk(out, d))
	columns := func(which string) ([][]float32, error) {
		matrix, err := read(which)
		if err != nil {
			return nil, err
		}
		turned := make([]float32, len(matrix))
		for i := range d {
			for j, v := range matrix[i*width : (i+1)*width] {
				turned[j*d+i] = v
			}
		}
		return slices.Collect(slices.Chunk(turned, d)), nil
	}
	if n.In, err = columns("in"); err != nil || !e.shape.Gated {
		return n, err
	}
	n.Gate, err = columns("gate")
	return n, err
}

// hostEmbeddings reads them where the backend keeps its buffers elsewhere.
func (w *parameters) hostEmbeddings() ([]float32, error) {
	if w.backend.HasSharedBuffers() {
		return w.shared("embed.W_E")
	}
	return w.values("embed.W_E")
}
