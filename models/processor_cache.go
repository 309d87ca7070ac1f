package models

import (
	"context"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/models/kernels"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// finalWeights are the norm behind the last layer and the way to the logits: a matrix, or the token embedding where the
// model uses that.
type finalWeights struct {
	norm    normWeights
	unembed *kernels.Matrix
	tied    []float32 // [d_vocab, d_model]
	bias    []float32 // of tied, nil for none
}

func (w *weights) final(c Config) (*finalWeights, error) {
	norm, err := w.norm("ln_final")
	if err != nil {
		return nil, err
	}
	f := &finalWeights{norm: norm}
	if _, ok := w.layout("unembed.W_U"); ok {
		f.unembed, err = w.pack(c.DModel, projection{"unembed.W_U", "unembed.b_U"})
		return f, err
	}
	if f.tied, err = w.shared("embed.W_E"); err != nil {
		return nil, err
	}
	f.bias, err = w.values("unembed.b_U")
	return f, err
}

// cache runs a prompt through the whole model and keeps every value.
func (p *processor) cache(ctx context.Context, ids []int) (*Cache, error) {
	forest := &group{}
	forest.add(0, request{ids: ids}, 0)
	cache := &Cache{Values: map[string][][]float32{}}
	var mu sync.Mutex
	keep := func(layer int, hook string, from, count int, values []float32) {
		if layer >= 0 {
			hook = transformer.BlockName(layer, hook)
		}
		width := p.width(hook)
		mu.Lock()
		defer mu.Unlock()
		if cache.Values[hook] == nil {
			cache.Values[hook] = splitRows(make([]float32, len(ids)*width), len(ids))
		}
		for i := range count {
			copy(cache.Values[hook][from+i], values[i*width:])
		}
	}
	return cache, p.pass(ctx, forest, keep, func(r *pass) (err error) {
		if _, err = r.layers(p.config.Layers); err != nil {
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
	n, vocabulary := len(r.forest.ids), r.config.DVocab
	for row := range n {
		x := r.x[row*r.config.DModel : (row+1)*r.config.DModel]
		r.normWith(x, x, 1, weights.norm, r.config.RMSNorm || r.config.FinalRMS)
		r.tell(-1, "ln_final.hook_normalized", row, 1, x)
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
		kernels.Compare(logits[row], r.x[row*r.config.DModel:(row+1)*r.config.DModel], weights.tied)
		if weights.bias != nil {
			kernels.Add(logits[row], weights.bias)
		}
	})
}

// width is that of a hook point's values.
func (p *processor) width(hook string) int {
	c := p.config
	switch hook[strings.LastIndexByte(hook, '.')+1:] {
	case "hook_q", "hook_z":
		return c.Heads * c.DHead
	case "hook_k", "hook_v":
		return c.KeyHeads() * c.DHead
	case transformer.HookPre, transformer.HookMid, transformer.HookPost:
		return c.DMLP
	}
	return c.DModel
}
