package models

import (
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/models/internal/queue"
)

// task is what pieces of work have in common that run in one batch: the program.
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
	asked []int32 // rows of the group that are asked; of a program all are
	// read takes the group's part of the output, whose rows begin with first.
	read  func(first int, flat []float32)
	alone func(ctx context.Context) error
}

// mostCalls bounds the calls whose groups wait in memory.
const mostCalls = 1024

// newQueue returns the queue through which everything on the backend goes.
func (e *engine) newQueue() *queue.Queue[task, piece] {
	return queue.New(queue.Config[task, piece]{Workers: inFlight, Calls: mostCalls, Choose: e.choose, Run: e.runPieces})
}

// choose picks the next batch.
func (e *engine) choose(t task, waiting []piece, shares int) []int {
	switch {
	case t.kind == aloneTask:
		return []int{0}
	case e.processor != nil:
		return chooseForest(waiting, enoughRows(), e.limit)
	}
	return e.bucketing.choose(waiting, shares)
}

// runPieces runs a batch.
func (e *engine) runPieces(ctx context.Context, t task, pieces []piece) error {
	switch {
	case t.kind == aloneTask:
		return pieces[0].alone(ctx)
	case e.processor != nil:
		return e.runForest(ctx, t, pieces)
	}
	return e.runBatch(t, pieces)
}

// chooseForest picks groups in their order until they have enough rows, if they are no more than most.
func chooseForest(waiting []piece, enough, most int) (chosen []int) {
	rows := 0
	for i, p := range waiting {
		if i > 0 && rows >= enough {
			break
		}
		if i == 0 || rows+len(p.group.ids) <= most {
			chosen = append(chosen, i)
			rows += len(p.group.ids)
		}
	}
	return chosen
}

// choose picks groups of similar size, the first among them, and as many as a batch holds: all are padded to the
// largest. Where groups wait for more than one worker it takes its share of them.
func (b bucketing) choose(waiting []piece, shares int) []int {
	sizes := make([]int, len(waiting)) // padded
	total := 0
	for i, p := range waiting {
		sizes[i] = b.rows(len(p.group.ids))
		total += len(p.group.ids)
	}
	most := min(b.most, max(leastRows, ceilDiv(total, shares)))
	similar := func(size int) (chosen []int) {
		for i, s := range sizes {
			// Rather a small batch of its own than much padding in this one.
			if i == 0 || s <= size && 4*s >= 3*size && (len(chosen)+1)*size <= most {
				chosen = append(chosen, i)
			}
		}
		return chosen
	}
	if chosen := similar(sizes[0]); len(chosen)*sizes[0] >= leastRows {
		return chosen
	}
	// Too few of its size: rather much padding than a very small batch.
	size := slices.Max(sizes)
	var chosen []int
	for i := range sizes {
		if i == 0 || (len(chosen)+1)*size <= most {
			chosen = append(chosen, i)
		}
	}
	return chosen
}
