package engine

import (
	"context"
	"slices"

	"github.com/gomlx/compute"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// scan hands out every neuron of some layers on every token of windows.
type scan struct {
	layers  []int
	hook    string
	windows [][]int
	visit   func(layer, first int, values []float32)
}

// Scan computes every neuron of some layers on every token of windows. visit is told of some rows at a time:
// values[k*d_mlp+n] is neuron n of layers[layer] on row first+k, rows being the tokens of all windows, one window after
// the other. Each layer's rows come once, in any order, and several at the same time; values are the engine's own, to
// be read before visit returns.
func (e *Causal) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	if _, ok := transformer.PatternSummary(hook); ok {
		return e.scanPatterns(ctx, layers, hook, windows, visit)
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, e.runner.scan(&scan{layers, hook, windows, visit}))
}

// scanPatterns is Scan for summaries of attention, which a pass computes only where it stops.
func (e *Causal) scanPatterns(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	requests := make([]Request, len(windows))
	for i, ids := range windows {
		requests[i] = Request{IDs: ids}
	}
	for l, layer := range layers {
		values, err := e.LayerActivations(ctx, layer, hook, requests)
		if err != nil {
			return err
		}
		row := 0
		for _, rows := range values {
			visit(l, row, slices.Concat(rows...))
			row += len(rows)
		}
	}
	return nil
}

// scan runs windows of like length together, each padded behind its end.
func (r *programRunner) scan(s *scan) []piece {
	order := make([]int, len(s.windows))
	rows := make([]int, len(s.windows)) // the first of each window
	for i := range order {
		order[i] = i
		if i > 0 {
			rows[i] = rows[i-1] + len(s.windows[i-1])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(s.windows[b]) - len(s.windows[a]) })
	var batches []piece
	for len(order) > 0 {
		seq := min(r.bucketing.rows(len(s.windows[order[0]])), r.shape.Positions)
		n, slots := r.bucketing.windows(len(order), seq)
		members := order[:n]
		order = order[n:]
		batches = append(batches,
			piece{alone: func(context.Context) error { return r.scanBatch(s, members, rows, slots, seq) }})
	}
	return batches
}

// scanBatch runs some windows, whose first rows are told.
func (r *programRunner) scanBatch(s *scan, members, rows []int, slots, seq int) error {
	e := extent{slots: slots, rows: seq, plain: true}
	ids := make([]int32, slots*seq)
	for slot, i := range members {
		for p, id := range s.windows[i] {
			ids[slot*seq+p] = int32(id)
		}
	}
	width := r.shape.Width(s.hook)
	show := func(layer int, output compute.Buffer) error {
		return r.read(output, func(flat []float32) {
			for slot, i := range members {
				s.visit(layer, rows[i], flat[slot*seq*width:][:len(s.windows[i])*width])
			}
		})
	}
	last := slices.Max(s.layers)
	site := r.sitePlan(e, 0, task{wideTask, last, s.hook})
	batch, err := r.start(e, ids, nil, nil, nil)
	if err != nil {
		return err
	}
	defer batch.free()
	for l := range last {
		wanted := slices.Index(s.layers, l)
		hook := showNothing
		if wanted >= 0 {
			hook = s.hook
		}
		shown, _, err := batch.block(l, r.blockPlan(e, l, hook, nil))
		if err != nil {
			return err
		}
		if wanted >= 0 {
			if err := show(wanted, shown[0]); err != nil {
				return err
			}
		}
	}
	outputs, _, err := r.device.run(site, last, batch.inputs()...)
	if err != nil {
		return err
	}
	return show(slices.Index(s.layers, last), outputs[0])
}
