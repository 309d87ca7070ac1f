package models

import "context"

// onProcessor answers [engine.activations] without programs.
func (e *engine) onProcessor(ctx context.Context, layer int, hook string, requests []request) ([][]float32, error) {
	result := make([][]float32, len(requests))
	err := e.forests(ctx, requests, func(g *group) error {
		asked, place := g.asked(requests)
		values, err := e.processor.column(ctx, g, layer, hook, int(g.index[0]), asked)
		if err == nil {
			answer(result, requests, g, values, place)
		}
		return err
	})
	return result, err
}

// allOnProcessor answers [engine.layerActivations] without programs.
func (e *engine) allOnProcessor(ctx context.Context, layer int, hook string, requests []request) ([][][]float32, error) {
	result := make([][][]float32, len(requests))
	err := e.forests(ctx, requests, func(g *group) error {
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
func (e *engine) forests(ctx context.Context, requests []request, run func(g *group) error) error {
	var pieces []piece
	for _, g := range plant(requests, e.limit) {
		pieces = append(pieces, piece{alone: func() error { return run(g) }})
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
		pieces = append(pieces, piece{alone: func() error {
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
