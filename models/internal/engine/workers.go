package engine

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// blockRows is how many rows a worker takes through a layer at a time: few enough for its cache, enough to read each
// weight seldom.
const blockRows = 96

// worker is one goroutine's scratch memory.
type worker struct {
	x, normed, q, z, out []float32 // [blockRows, d_model or heads·d_head]
	pre, linear          []float32 // [blockRows, d_mlp]; linear of a gated MLP alone
	scratch              []float32 // [d_mlp]
	scores               []float32
	path                 []int32
}

// pool keeps workers for a model of these widths.
type pool struct {
	dModel, width, dMLP int
	gated               bool
	idle                sync.Pool // of *worker
	memory              sync.Pool // of *[]float32, what passes keep their rows in
}

// workers are those of one pass.
type workers []*worker

// workers returns a worker for each of the machine's processors.
func (c *pool) workers() workers {
	all := make(workers, runtime.GOMAXPROCS(0))
	for i := range all {
		w, ok := c.idle.Get().(*worker)
		if !ok {
			floats := func(width int) []float32 { return make([]float32, blockRows*width) }
			w = &worker{
				x: floats(c.dModel), normed: floats(c.dModel), q: floats(c.width), z: floats(c.width), out: floats(c.dModel),
				pre: floats(c.dMLP), scratch: make([]float32, c.dMLP),
			}
			if c.gated {
				w.linear = floats(c.dMLP)
			}
		}
		all[i] = w
	}
	return all
}

// putBack keeps workers for the next pass.
func (c *pool) putBack(done workers) {
	for _, w := range done {
		c.idle.Put(w)
	}
}

// borrow returns n elements of arbitrary values, to be given back. A pass's memory is large and soon free again: as
// garbage it would pile up beside the weights.
func (c *pool) borrow(n int) *[]float32 {
	block, ok := c.memory.Get().(*[]float32)
	if !ok || cap(*block) < n {
		block = new(make([]float32, n))
	}
	*block = (*block)[:n]
	return block
}

// each shares n rows out among the workers, in blocks of at most blockRows, and returns the cause of the context's end.
func (all workers) each(ctx context.Context, n int, f func(w *worker, from, to int)) error {
	blocks := ceilDiv(n, blockRows)
	if blocks > 1 {
		blocks = ceilDiv(blocks, len(all)) * len(all) // as much for one as for another
	}
	size := ceilDiv(n, max(blocks, 1))
	return all.parts(ctx, blocks, func(w *worker, block int) {
		if from := block * size; from < n {
			f(w, from, min(from+size, n))
		}
	})
}

// parts shares so many parts of some work out among the workers, and returns the cause of the context's end.
func (all workers) parts(ctx context.Context, n int, f func(w *worker, part int)) error {
	var next atomic.Int64
	work := func(w *worker) {
		for ctx.Err() == nil {
			part := int(next.Add(1)) - 1
			if part >= n {
				return
			}
			f(w, part)
		}
	}
	var wg sync.WaitGroup
	for _, w := range all[1:min(len(all), max(n, 1))] {
		wg.Go(func() { work(w) })
	}
	work(all[0])
	wg.Wait()
	return context.Cause(ctx)
}
