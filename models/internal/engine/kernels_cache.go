package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// cache runs a prompt through the whole model and keeps every value.
func (k *kernelRunner) cache(ctx context.Context, ids []int) (*Cache, error) {
	forest := &group{}
	forest.add(0, Request{IDs: ids}, 0)
	cache := &Cache{Values: map[string][][]float32{}}
	var mu sync.Mutex
	keep := func(layer int, hook string, from, count int, values []float32) {
		bare := hook
		if layer >= 0 {
			hook = transformer.BlockName(layer, hook)
		}
		width := k.shape.Width(bare)
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
		final, err := k.final()
		if err != nil {
			return err
		}
		r.finalNorm(final, r.x)
		for row := range ids {
			if !k.shape.NoFinalNorm {
				r.show(-1, "ln_final.hook_normalized", row, 1, r.x[row*k.shape.DModel:(row+1)*k.shape.DModel])
			}
		}
		logits := make([]float32, len(ids)*k.shape.DVocab)
		cache.Logits = slices.Collect(slices.Chunk(logits, k.shape.DVocab))
		return r.workers.unembed(ctx, k.shape, final, logits, r.x, len(ids))
	})
}
