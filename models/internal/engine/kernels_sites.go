package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// column computes for each of the rows asked of a forest, in ascending order, the place that the forest names there of
// a hook point: a neuron, or a coordinate.
func (k *kernelRunner) column(ctx context.Context, forest *group, layer int, hook string, asked []int32) ([]float32,
	error) {
	values := make([]float32, len(asked))
	short, isMLP := strings.CutPrefix(hook, "mlp.")
	return values, k.pass(ctx, forest, nil, func(r *pass) error {
		kv, err := r.layers(layer)
		if err != nil {
			return err
		}
		if !isMLP {
			width := k.shape.Width(hook)
			return r.reach(layer, hook, kv, asked, func(at, n int, row []float32) {
				for i := range n {
					values[at+i] = row[i*width+int(forest.index[asked[at+i]])]
				}
			})
		}
		weights, err := k.blocks[layer].in()
		if err != nil {
			return err
		}
		return r.toMLP(layer, kv, asked, func(w *worker, at, n int) {
			for rows, behind := *w, at+n; at < behind; {
				index, same := forest.index[asked[at]], 1
				for at+same < behind && forest.index[asked[at+same]] == index {
					same++
				}
				k.neuron(values[at:at+same], &rows, weights, short, int(index))
				rows.normed = rows.normed[same*k.shape.DModel:]
				at += same
			}
		})
	})
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
		k.mlp(w, weights, n, func(reached string, layer []float32) bool {
			if reached != hook {
				return true
			}
			for row := range values {
				values[row] = layer[row*width+index]
			}
			return false
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

// all computes every place of a hook point on the rows asked of a forest: [row, width].
func (k *kernelRunner) all(ctx context.Context, forest *group, layer int, hook string, asked []int32) ([]float32,
	error) {
	width := k.shape.Width(hook)
	values := make([]float32, len(asked)*width)
	return values, k.pass(ctx, forest, nil, func(r *pass) error {
		kv, err := r.layers(layer)
		if err != nil {
			return err
		}
		return r.reach(layer, hook, kv, asked, func(at, n int, rows []float32) { copy(values[at*width:(at+n)*width], rows) })
	})
}

// scanned hands every place of a hook point of some layers on every row of the windows to visit, as [Causal.Scan] does;
// rows are numbered from first.
func (k *kernelRunner) scanned(ctx context.Context, windows [][]int, first int, s *scan) error {
	width := k.shape.Width(s.hook)
	forest := &group{}
	for i, ids := range windows {
		forest.add(i, Request{IDs: ids}, 0)
	}
	last := slices.Max(s.layers)
	watch := func(layer int, reached string, from, count int, values []float32) {
		if reached != s.hook {
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
		return r.reach(last, s.hook, kv, iota32(len(forest.ids)),
			func(at, n int, values []float32) { watch(last, s.hook, at, n, values) })
	})
}
