package engine

import "context"

// task is what pieces of work have in common that run in one batch.
type task struct {
	kind  string // columnTask, wideTask or aloneTask
	layer int
	hook  string
}

// Kinds of tasks.
const (
	columnTask = "column" // one neuron of each row
	wideTask   = "wide"   // every neuron of the layer
	aloneTask  = "alone"  // batches that their callers have filled
)

// piece is what waits for a batch: a group of a call's prompts, or of an aloneTask a whole batch.
type piece struct {
	group *group
	call  *[]piece // those of the call that it belongs to, the largest first
	rows  []int32  // of the group that are asked, ascending
	// read takes the values of these rows, [row, width]: of a columnTask one, of a wideTask d_mlp. They are its own.
	read  func(values []float32)
	alone func(ctx context.Context) error
}

// mostCalls bounds the calls whose groups wait in memory.
const mostCalls = 1024

// choose picks the next batch.
func (e *Causal) choose(t task, waiting []piece, shares int) []int {
	if t.kind == aloneTask {
		return []int{0}
	}
	return e.runner.choose(waiting, shares)
}

// run runs a batch.
func (e *Causal) run(ctx context.Context, t task, pieces []piece) error {
	if t.kind == aloneTask {
		return pieces[0].alone(ctx)
	}
	return e.runner.run(ctx, t, pieces)
}
