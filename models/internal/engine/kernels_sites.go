package engine

import (
	"context"
	"math"
	"slices"
	"sync"

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

// maxima finds the highest activation of every neuron of some layers in each window, and the first position that has it,
// as [Causal.Scan] answers them: [layer][window][neuron].
func (k *kernelRunner) maxima(ctx context.Context, windows [][]int, layers []int, hook string, first int32) (highest [][][]float32, where [][][]int32, err error) {
	width := k.shape.DMLP
	highest, where = make([][][]float32, len(layers)), make([][][]int32, len(layers))
	for k := range layers {
		for range windows {
			none := make([]float32, width)
			for n := range none {
				none[n] = float32(math.Inf(-1))
			}
			highest[k], where[k] = append(highest[k], none), append(where[k], make([]int32, width))
		}
	}
	forest := &group{}
	var window []int // of each row
	for i, ids := range windows {
		forest.add(i, Request{IDs: ids}, 0)
		window = append(window, slices.Repeat([]int{i}, len(ids))...)
	}
	last := slices.Max(layers)
	weights, err := k.blocks[last].in()
	if err != nil {
		return nil, nil, err
	}
	locks := make([]sync.Mutex, len(windows)) // a window's rows may lie in the blocks of two workers
	watch := func(layer int, reached string, from, count int, values []float32) {
		if reached != "mlp."+hook {
			return
		}
		for k, wanted := range layers {
			if wanted != layer {
				continue
			}
			for row := from; row < from+count; row++ {
				if position := forest.depth[row]; position >= first {
					i := window[row]
					locks[i].Lock()
					raise(highest[k][i], where[k][i], values[(row-from)*width:][:width], position)
					locks[i].Unlock()
				}
			}
		}
	}
	return highest, where, k.pass(ctx, forest, watch, func(r *pass) error {
		kv, err := r.layers(last)
		if err != nil {
			return err
		}
		return r.site(last, kv, iota32(len(window)), func(w *worker, at, n int) {
			k.mlp(w, weights, n, func(reached string, layer []float32) { watch(last, "mlp."+reached, at, n, layer) })
		})
	})
}

// raise takes a row into the maxima seen so far. Positions come in any order.
func raise(highest []float32, where []int32, row []float32, position int32) {
	where = where[:len(row)]
	for n, v := range row {
		if best := highest[n]; v > best || v == best && position < where[n] {
			highest[n], where[n] = v, position
		}
	}
}
