package models

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// MaskedCache holds every intermediate value of one text, as [Masked.RunWithCache] leaves it.
type MaskedCache struct {
	// Hooks are the values by TransformerLens's names, each [position][width]: hook_full_embed and, for every layer L,
	// blocks.L.hook_normalized_resid_mid, blocks.L.mlp.hook_pre, blocks.L.mlp.hook_post and
	// blocks.L.hook_normalized_resid_post.
	Hooks map[string][][]float32
	// Logits predict the word at each position, [position][d_vocab].
	Logits [][]float32
}

// RunWithCache runs one text and keeps everything. ids must be complete, [CLS] and [SEP] included.
func (m *Masked) RunWithCache(ctx context.Context, ids []int) (*MaskedCache, error) {
	cache, err := m.engine.runWithCache(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("run with cache: %w", err)
	}
	return cache, nil
}

func (e *maskedEngine) runWithCache(ctx context.Context, ids []int) (*MaskedCache, error) {
	if err := e.check(ids); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	batch := e.shapes.batches([]maskedSequence{{ids: ids, rows: []int{0}}})[0]
	arguments, err := e.arguments(batch.tensors()[:2]...)
	if err != nil {
		return nil, err
	}
	outputs, err := e.cache.Call(arguments...)
	if err != nil {
		return nil, err
	}
	cache := &MaskedCache{Hooks: map[string][][]float32{}}
	for i, name := range append(e.cacheNames(), "") {
		flat, err := tensors.CopyFlatData[float32](outputs[i])
		if err := errors.Join(err, outputs[i].FinalizeAll()); err != nil {
			return nil, err
		}
		width := len(flat) / (batch.size * batch.seq)
		rows := make([][]float32, len(ids))
		for k := range rows {
			rows[k] = flat[k*width : (k+1)*width : (k+1)*width]
		}
		if name == "" {
			cache.Logits = rows
		} else {
			cache.Hooks[name] = rows
		}
	}
	return cache, nil
}
