package models

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// RunWithCache runs one text and keeps everything: hook_full_embed and, for every layer L, blocks.L.hook_normalized_resid_mid,
// blocks.L.mlp.hook_pre, blocks.L.mlp.hook_post and blocks.L.hook_normalized_resid_post, and the logits of the word at
// each position. ids must be complete, [CLS] and [SEP] included.
func (m *Masked) RunWithCache(ctx context.Context, ids []int) (*Cache, error) {
	cache, err := m.engine.runWithCache(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("run with cache: %w", err)
	}
	return cache, nil
}

func (e *maskedEngine) runWithCache(ctx context.Context, ids []int) (*Cache, error) {
	if err := e.check(ids); err != nil {
		return nil, err
	}
	var cache *Cache
	err := e.queue.Do(ctx, maskedTask{alone: true}, []maskedPiece{{alone: func() (err error) {
		cache, err = e.cache(ids)
		return err
	}}})
	return cache, err
}

// cache runs a text alone.
func (e *maskedEngine) cache(ids []int) (*Cache, error) {
	b := maskedBatch{[]maskedSequence{{ids: ids, rows: []int{0}}}, e.shapes.length(len(ids))}
	padded, lengths, _ := b.tensors()
	names := e.cacheNames()
	cache := &Cache{Values: map[string][][]float32{}}
	key := programKey{kind: "cache", groups: b.size(), rows: b.seq}
	err := e.run(key, e.cacheGraph, b, [][]int32{padded, lengths}, func(i int, flat []float32) {
		rows := splitRows(flat, b.size()*b.seq)[:len(ids):len(ids)]
		if i == len(names) {
			cache.Logits = rows
		} else {
			cache.Values[names[i]] = rows
		}
	})
	if err != nil {
		return nil, err
	}
	return cache, nil
}

// cacheGraph gives every value of cacheNames, in that order, and the logits of every row; inputs are ids and lengths.
func (e *maskedEngine) cacheGraph(w transformer.Weights, inputs []*graph.Node) []*graph.Node {
	values := map[string]*graph.Node{}
	x := e.body(w, inputs[0], inputs[1], func(name string, x *graph.Node) { values[name] = x })
	var outputs []*graph.Node
	for _, name := range e.cacheNames() {
		outputs = append(outputs, values[name])
	}
	return append(outputs, e.config.Unembed(w, graph.Reshape(x, -1, e.config.DModel)))
}

// cacheNames lists the hook points of the model.
func (e *maskedEngine) cacheNames() []string {
	names := []string{"hook_full_embed"}
	for l := range e.config.Layers {
		for _, hook := range []string{"hook_normalized_resid_mid", "mlp.hook_pre", "mlp.hook_post", "hook_normalized_resid_post"} {
			names = append(names, transformer.BlockName(l, hook))
		}
	}
	return names
}
