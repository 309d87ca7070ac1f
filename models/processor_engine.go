package models

import (
	"context"
	"runtime"
)

// onProcessor answers [engine.activations] without programs.
func (e *engine) onProcessor(ctx context.Context, layer int, hook string, requests []request) ([][]float32, error) {
	result := make([][]float32, len(requests))
	var pieces []piece
	for _, g := range plant(requests, e.limit) {
		asked, place := g.asked(requests)
		pieces = append(pieces, piece{group: g, asked: asked, read: func(first int, values []float32) {
			answer(result, requests, g, values[first:], place)
		}})
	}
	return result, e.queue.Do(ctx, task{columnTask, layer, hook}, pieces)
}

// enoughRows is how many rows of a forest keep all workers busy: some blocks for each.
func enoughRows() int { return 4 * blockRows * runtime.GOMAXPROCS(0) }

// runForest runs groups, of any callers and neurons of a layer, as one forest.
func (e *engine) runForest(ctx context.Context, t task, pieces []piece) error {
	forest, asked := joined(pieces)
	values, err := e.processor.column(ctx, forest, t.layer, t.hook, asked)
	if err != nil {
		return err
	}
	first := 0
	for _, p := range pieces {
		p.read(first, values)
		first += len(p.asked)
	}
	return nil
}

// joined are the groups as one, without members, and its rows that are asked.
func joined(pieces []piece) (*group, []int32) {
	if len(pieces) == 1 {
		return pieces[0].group, pieces[0].asked
	}
	forest := &group{}
	var asked []int32
	for _, p := range pieces {
		first := int32(len(forest.ids))
		for _, parent := range p.group.parent {
			if parent >= 0 {
				parent += first
			}
			forest.parent = append(forest.parent, parent)
		}
		for _, row := range p.asked {
			asked = append(asked, first+row)
		}
		forest.ids = append(forest.ids, p.group.ids...)
		forest.depth = append(forest.depth, p.group.depth...)
		forest.index = append(forest.index, p.group.index...)
	}
	return forest, asked
}

// allOnProcessor answers [engine.layerActivations] without programs.
func (e *engine) allOnProcessor(ctx context.Context, layer int, hook string, requests []request) ([][][]float32, error) {
	result := make([][][]float32, len(requests))
	err := e.forests(ctx, requests, func(ctx context.Context, g *group) error {
		asked, place := g.asked(requests)
		values, err := e.processor.all(ctx, g, layer, hook, asked)
		if err == nil {
			answer(result, requests, g, values, place)
		}
		return err
	})
	return result, err
}

// forests plants the requests and runs the groups in turn with those of other callers.
func (e *engine) forests(ctx context.Context, requests []request, run func(ctx context.Context, g *group) error) error {
	var pieces []piece
	for _, g := range plant(requests, e.limit) {
		pieces = append(pieces, piece{alone: func(ctx context.Context) error { return run(ctx, g) }})
	}
	return e.queue.Do(ctx, task{kind: aloneTask}, pieces)
}

// scanOnProcessor answers [engine.scan] without programs.
func (e *engine) scanOnProcessor(ctx context.Context, layers []int, hook string, windows [][]int, highest [][][]float32, where [][][]int32) error {
	var pieces []piece
	for end := 0; end < len(windows); {
		first, rows := end, 0
		for end < len(windows) && (end == first || rows+len(windows[end]) <= e.limit) {
			rows += len(windows[end])
			end++
		}
		part := windows[first:end]
		pieces = append(pieces, piece{alone: func(ctx context.Context) error {
			values, positions, err := e.processor.maxima(ctx, part, layers, hook)
			for k := range values {
				copy(highest[k][first:], values[k])
				copy(where[k][first:], positions[k])
			}
			return err
		}})
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

// answer gives each request of a group the values of its rows.
func answer[T any](result [][]T, requests []request, g *group, values []T, place []int32) {
	for _, m := range g.members {
		for _, row := range m.asked(requests[m.request]) {
			result[m.request] = append(result[m.request], values[place[row]])
		}
	}
}
