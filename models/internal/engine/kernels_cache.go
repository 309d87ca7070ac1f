package engine

import (
	"context"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// cache runs a prompt through the whole model and keeps every value.
func (k *kernelRunner) cache(ctx context.Context, ids []int) (*Cache, error) {
	forest := &group{}
	forest.add(0, Request{IDs: ids}, 0)
	cache := &Cache{Values: map[string][][]float32{}}
	var mu sync.Mutex
	keep := func(layer int, hook string, from, count int, values []float32) {
		if layer >= 0 {
			hook = transformer.BlockName(layer, hook)
		}
		width := k.width(hook)
		mu.Lock()
		defer mu.Unlock()
		if cache.Values[hook] == nil {
			cache.Values[hook] = splitRows(make([]float32, len(ids)*width), len(ids))
		}
		for i := range count {
			copy(cache.Values[hook][from+i], values[i*width:])
		}
	}
	return cache, k.pass(ctx, forest, keep, func(r *pass) (err error) {
		if _, err = r.layers(k.shape.Layers); err != nil {
			return err
		}
		cache.Logits, err = r.unembed()
		return err
	})
}

// unembed computes the logits of all rows: [row][d_vocab].
func (r *pass) unembed() ([][]float32, error) {
	weights, err := r.final()
	if err != nil {
		return nil, err
	}
	n, vocabulary := len(r.forest.ids), r.shape.DVocab
	for row := 0; row < n && !r.shape.NoFinalNorm; row++ {
		x := r.x[row*r.shape.DModel : (row+1)*r.shape.DModel]
		r.normWith(x, x, 1, weights.norm, r.shape.RMSNorm || r.shape.FinalRMS)
		r.show(-1, "ln_final.hook_normalized", row, 1, x)
	}
	if weights.unembed != nil {
		flat := make([]float32, n*vocabulary)
		parts := 8 * len(r.workers)
		err := r.workers.parts(r.ctx, parts, func(_ *worker, part int) { weights.unembed.MulPart(flat, r.x, n, part, parts) })
		return splitRows(flat, n), err
	}
	logits := make([][]float32, n)
	return logits, r.workers.parts(r.ctx, n, func(_ *worker, row int) {
		logits[row] = make([]float32, vocabulary)
		kernels.Compare(logits[row], r.x[row*r.shape.DModel:(row+1)*r.shape.DModel], weights.tied)
		if weights.bias != nil {
			kernels.Add(logits[row], weights.bias)
		}
	})
}

// width is that of a hook point's values.
func (k *kernelRunner) width(hook string) int {
	c := k.shape
	switch hook[strings.LastIndexByte(hook, '.')+1:] {
	case "hook_q", "hook_z":
		return c.Heads * c.DHead
	case "hook_k", "hook_v":
		return c.KeyHeads() * c.DHead
	case transformer.HookPre, transformer.HookPreLinear, transformer.HookMid, transformer.HookPost:
		return c.DMLP
	}
	return c.DModel
}
