package models

import (
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/models/kernels"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// column computes one neuron on the rows asked of a forest, in ascending order.
func (p *processor) column(ctx context.Context, forest *group, layer int, hook string, index int, asked []int32) ([]float32, error) {
	values := make([]float32, len(asked))
	weights, err := p.layers[layer].in()
	if err != nil {
		return nil, err
	}
	err = p.run(ctx, forest, layer, asked, func(w *worker, at, n int) {
		p.neuron(values[at:at+n], w, weights, hook, index)
	})
	return values, err
}

// neuron computes one neuron of the rows in w.normed. A soft-max looks at all neurons of a row; any other activation
// function at its own.
func (p *processor) neuron(values []float32, w *worker, weights *inWeights, hook string, index int) {
	n, width := len(values), p.config.DMLP
	wide := p.config.Activation == "solu" || p.config.Activation == "solu_ln"
	switch {
	case hook == transformer.HookPre:
		weights.pre.Column(values, w.normed, n, index)
	case hook == transformer.HookPost && p.config.NormalizedMLP():
		p.mlp(w, weights, n)
		for row := range values {
			values[row] = w.pre[row*width+index]
		}
	case wide && weights.linear == nil:
		weights.pre.Mul(w.pre, w.normed, n)
		for row := range values {
			values[row] = kernels.SoLUAt(w.pre[row*width:(row+1)*width], w.scratch, index)
		}
	case wide:
		p.mid(w, weights, n)
		for row := range values {
			values[row] = w.pre[row*width+index]
		}
	default:
		weights.pre.Column(values, w.normed, n, index)
		for row := range values {
			// One by one: the vectors' last bit is not that of the rest behind them.
			p.activate(values[row:row+1], w.scratch[:1])
		}
		if weights.linear != nil {
			weights.linear.Column(w.out, w.normed, n, index)
			kernels.Mul(values, w.out[:n])
		}
	}
}

// all computes every neuron of a layer on the rows asked of a forest: [row][d_mlp].
func (p *processor) all(ctx context.Context, forest *group, layer int, hook string, asked []int32) ([][]float32, error) {
	values := make([][]float32, len(asked))
	weights, err := p.layers[layer].in()
	if err != nil {
		return nil, err
	}
	width := p.config.DMLP
	err = p.run(ctx, forest, layer, asked, func(w *worker, at, n int) {
		switch hook {
		case transformer.HookPre:
			weights.pre.Mul(w.pre, w.normed, n)
		case transformer.HookMid:
			p.mid(w, weights, n)
		default:
			p.mlp(w, weights, n)
		}
		for row := range n {
			values[at+row] = slices.Clone(w.pre[row*width : (row+1)*width])
		}
	})
	return values, err
}

// onProcessor answers [engine.activations] without programs.
func (e *engine) onProcessor(ctx context.Context, layer int, hook string, requests []request) ([][]float32, error) {
	result := make([][]float32, len(requests))
	return result, e.forests(ctx, requests, func(g *group) error {
		asked, place := g.asked(requests)
		values, err := e.processor.column(ctx, g, layer, hook, int(g.index[0]), asked)
		if err != nil {
			return err
		}
		for _, m := range g.members {
			for _, row := range m.asked(requests[m.request]) {
				result[m.request] = append(result[m.request], values[place[row]])
			}
		}
		return nil
	})
}

// allOnProcessor answers [engine.layerActivations] without programs.
func (e *engine) allOnProcessor(ctx context.Context, layer int, hook string, requests []request) ([][][]float32, error) {
	result := make([][][]float32, len(requests))
	return result, e.forests(ctx, requests, func(g *group) error {
		asked, place := g.asked(requests)
		values, err := e.processor.all(ctx, g, layer, hook, asked)
		if err != nil {
			return err
		}
		for _, m := range g.members {
			for _, row := range m.asked(requests[m.request]) {
				result[m.request] = append(result[m.request], values[place[row]])
			}
		}
		return nil
	})
}

// forests plants the requests and runs the groups in turn with those of other callers.
func (e *engine) forests(ctx context.Context, requests []request, run func(g *group) error) error {
	var pieces []piece
	for _, g := range plant(requests, e.limit) {
		pieces = append(pieces, piece{alone: func() error { return run(g) }})
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, pieces)
}

// asked lists the rows of which anything is asked, ascending, and for each row its place in the list.
func (g *group) asked(requests []request) (rows, place []int32) {
	place = make([]int32, len(g.ids))
	for _, m := range g.members {
		for _, row := range m.asked(requests[m.request]) {
			place[row] = 1
		}
	}
	for row, wanted := range place {
		if wanted > 0 {
			place[row] = int32(len(rows))
			rows = append(rows, int32(row))
		}
	}
	return rows, place
}

// asked lists the rows asked, in the order of the question.
func (m member) asked(r request) []int32 {
	if r.positions == nil {
		return m.rows
	}
	rows := make([]int32, len(r.positions))
	for i, p := range r.positions {
		rows[i] = m.rows[p]
	}
	return rows
}
