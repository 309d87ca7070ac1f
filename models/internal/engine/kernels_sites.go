package engine

import (
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// column computes for each of the rows asked of a forest, in ascending order, the neuron that the forest names there.
func (k *kernelRunner) column(ctx context.Context, forest *group, layer int, hook string, asked []int32) ([]float32, error) {
	values := make([]float32, len(asked))
	weights, err := k.blocks[layer].in()
	if err != nil {
		return nil, err
	}
	err = k.site(ctx, forest, layer, asked, func(w *worker, at, n int) {
		for rows, behind := *w, at+n; at < behind; {
			index, same := forest.index[asked[at]], 1
			for at+same < behind && forest.index[asked[at+same]] == index {
				same++
			}
			k.neuron(values[at:at+same], &rows, weights, hook, int(index))
			rows.normed = rows.normed[same*k.shape.DModel:]
			at += same
		}
	})
	return values, err
}

// neuron computes one neuron of the rows in w.normed. The soft-max of a SoLU looks at all neurons of a row, any other
// activation function at its own.
func (k *kernelRunner) neuron(values []float32, w *worker, weights *inWeights, hook string, index int) {
	n, width := len(values), k.shape.DMLP
	solu := k.shape.Activation == "solu" || k.shape.Activation == "solu_ln"
	switch {
	case hook == transformer.HookPre:
		weights.pre.Column(values, w.normed, n, index)
	case hook == transformer.HookPreLinear:
		weights.linear.Column(values, w.normed, n, index)
	case hook == transformer.HookPost && k.shape.NormalizedMLP() || solu && k.shape.Gated:
		k.mlp(w, weights, n, func(reached string, layer []float32) {
			if reached == hook {
				for row := range values {
					values[row] = layer[row*width+index]
				}
			}
		})
	case solu:
		weights.pre.Mul(w.pre, w.normed, n)
		for row := range values {
			values[row] = kernels.SoLUAt(w.pre[row*width:(row+1)*width], w.scratch, index)
		}
	default:
		weights.pre.Column(values, w.normed, n, index)
		for row := range values {
			// One by one, as the last bit of an element depends on whether it is in a whole vector.
			k.activate(values[row:row+1], w.scratch[:1])
		}
		if k.shape.Gated {
			weights.linear.Column(w.out, w.normed, n, index)
			kernels.Mul(values, w.out[:n])
		}
	}
}

// all computes every neuron of a layer on the rows asked of a forest: [row, d_mlp].
func (k *kernelRunner) all(ctx context.Context, forest *group, layer int, hook string, asked []int32) ([]float32, error) {
	weights, err := k.blocks[layer].in()
	if err != nil {
		return nil, err
	}
	width := k.shape.DMLP
	values := make([]float32, len(asked)*width)
	err = k.site(ctx, forest, layer, asked, func(w *worker, at, n int) {
		k.mlp(w, weights, n, func(reached string, layer []float32) {
			if reached == hook {
				copy(values[at*width:], layer)
			}
		})
	})
	return values, err
}

// scanned hands every neuron of some layers on every row of the windows to visit, as [Causal.Scan] does; rows are numbered from
// first.
func (k *kernelRunner) scanned(ctx context.Context, windows [][]int, first int, s *scan) error {
	width := k.shape.DMLP
	forest := &group{}
	for i, ids := range windows {
		forest.add(i, Request{IDs: ids}, 0)
	}
	last := slices.Max(s.layers)
	weights, err := k.blocks[last].in()
	if err != nil {
		return err
	}
	watch := func(layer int, reached string, from, count int, values []float32) {
		if reached != "mlp."+s.hook {
			return
		}
		for l, wanted := range s.layers {
			if wanted == layer {
				s.visit(l, first+from, values[:count*width])
			}
		}
	}
	return k.pass(ctx, forest, watch, func(r *pass) error {
		kv, err := r.layers(last)
		if err != nil {
			return err
		}
		return r.site(last, kv, iota32(len(forest.ids)), func(w *worker, at, n int) {
			k.mlp(w, weights, n, func(reached string, layer []float32) { watch(last, "mlp."+reached, at, n, layer) })
		})
	})
}
