package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrClosed is what a call gets whose queue was closed before all of its pieces ran.
var ErrClosed = errors.New("the model is closed: nothing more can be asked of it")

// Config says how a queue of pieces T works. Pieces of one key K may run together. All fields must be set.
type Config[K comparable, T any] struct {
	Workers int // batches that run at the same time
	Calls   int // calls whose pieces wait in the queue; further calls wait, in order, to be let in
	// Choose picks the next batch from the pieces that wait under a key: it returns their indices. They come in fair
	// order, one of each caller before the second of any, and the first always runs, chosen or not. shares is how many
	// workers are free for this key; a batch that takes about that part of the pieces keeps all of them busy.
	Choose func(key K, waiting []T, shares int) []int
	// Run runs a batch. Its error goes to every call that has a piece in it. ctx ends when none of them wants it any more.
	Run func(ctx context.Context, key K, batch []T) error
}

// Queue runs pieces of work of many concurrent calls in batches.
type Queue[K comparable, T any] struct {
	config Config[K, T]
	room   chan struct{} // one token for each call let in
	closed chan struct{}

	mu      sync.Mutex
	calls   []*call[K, T] // those with pieces that wait, in order of their turn
	workers int           // goroutines, each in Run or about to choose
	idle    sync.Cond     // told when the last worker goes
}

// call is one call of Do.
type call[K comparable, T any] struct {
	key     K
	pieces  []T         // that wait
	running []*batch[T] // with pieces of it
	err     error
	done    chan struct{} // closed when nothing of it waits or runs
}

// batch is what runs together.
type batch[T any] struct {
	pieces []T
	wanted int // calls that have not failed
	ctx    context.Context
	cancel context.CancelFunc
}

// New returns an empty queue.
func New[K comparable, T any](config Config[K, T]) *Queue[K, T] {
	q := &Queue[K, T]{config: config, room: make(chan struct{}, config.Calls), closed: make(chan struct{})}
	q.idle.L = &q.mu
	return q
}

// Do runs pieces in batches, with those of other calls of an equal key, and returns when all have run: nil, the first
// error of a batch that one of them was in, [ErrClosed], or the cause of ctx's end. After an error the pieces that
// still wait are dropped at once. Do returns only when no batch with a piece of the call runs any more, so that what
// Run reads and writes belongs to the caller again.
func (q *Queue[K, T]) Do(ctx context.Context, key K, pieces []T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case q.room <- struct{}{}:
		defer func() { <-q.room }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-q.closed:
		return ErrClosed
	}
	c := &call[K, T]{key: key, pieces: slices.Clone(pieces), done: make(chan struct{})}
	q.mu.Lock()
	switch {
	case q.isClosed():
		c.err = ErrClosed
		close(c.done)
	case len(pieces) == 0:
		close(c.done)
	default:
		q.calls = append(q.calls, c)
		q.wake()
	}
	q.mu.Unlock()

	select {
	case <-c.done:
	case <-ctx.Done():
		q.mu.Lock()
		q.fail(c, context.Cause(ctx))
		q.mu.Unlock()
		<-c.done
	}
	return c.err
}

// Close drops what waits, waits for what runs, and refuses all further calls.
func (q *Queue[K, T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.isClosed() {
		close(q.closed)
	}
	for len(q.calls) > 0 {
		q.fail(q.calls[0], ErrClosed)
	}
	for q.workers > 0 {
		q.idle.Wait()
	}
}

// What follows needs the lock.

func (q *Queue[K, T]) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

// wake starts a worker if there is work for one more. Each worker wakes the next, so no more start than find work.
func (q *Queue[K, T]) wake() {
	if len(q.calls) > 0 && q.workers < q.config.Workers {
		q.workers++
		go q.work()
	}
}

// fail ends a call: what waits of it is dropped. A call that has ended stays as it is.
func (q *Queue[K, T]) fail(c *call[K, T], err error) {
	select {
	case <-c.done:
		return
	default:
	}
	if c.err == nil {
		c.err = err
		for _, b := range c.running {
			if b.wanted--; b.wanted == 0 {
				b.cancel()
			}
		}
	}
	c.pieces = nil
	q.calls = slices.DeleteFunc(q.calls, func(other *call[K, T]) bool { return other == c })
	c.settle()
}

// settle tells the caller when nothing of its call waits or runs.
func (c *call[K, T]) settle() {
	if len(c.pieces) == 0 && len(c.running) == 0 {
		close(c.done)
	}
}

// work runs batches until nothing waits.
func (q *Queue[K, T]) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.calls) > 0 {
		key, b, members := q.take()
		q.wake()
		q.mu.Unlock()
		err := q.config.Run(b.ctx, key, b.pieces)
		b.cancel()
		q.mu.Lock()
		for _, c := range members {
			c.running = slices.DeleteFunc(c.running, func(other *batch[T]) bool { return other == b })
			if err != nil {
				q.fail(c, err)
			} else {
				c.settle()
			}
		}
	}
	if q.workers--; q.workers == 0 {
		q.idle.Broadcast()
	}
}

// take removes the next batch from the queue: the first call decides the key. Calls that take part and still have
// pieces go to the end.
func (q *Queue[K, T]) take() (key K, b *batch[T], members []*call[K, T]) {
	b = &batch[T]{}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	key = q.calls[0].key
	waiting, owners := q.waiting(key)
	chosen := make([]bool, len(waiting))
	chosen[0] = true
	for _, i := range q.config.Choose(key, waiting, q.shares(key)) {
		chosen[i] = true
	}
	left := map[*call[K, T]][]T{}
	for i, piece := range waiting {
		c := owners[i]
		if !chosen[i] {
			left[c] = append(left[c], piece)
			continue
		}
		b.pieces = append(b.pieces, piece)
		if !slices.Contains(members, c) {
			members = append(members, c)
		}
	}
	q.calls = slices.DeleteFunc(q.calls, func(c *call[K, T]) bool { return slices.Contains(members, c) })
	for _, c := range members {
		c.running = append(c.running, b)
		if c.pieces = left[c]; len(c.pieces) > 0 {
			q.calls = append(q.calls, c)
		}
	}
	b.wanted = len(members)
	return key, b, members
}

// waiting lists the pieces of a key and whose they are: the first of each call, in order of turn, then the second ones,
// and so on.
func (q *Queue[K, T]) waiting(key K) (pieces []T, owners []*call[K, T]) {
	for round, found := 0, true; found; round++ {
		found = false
		for _, c := range q.calls {
			if c.key == key && round < len(c.pieces) {
				pieces, owners = append(pieces, c.pieces[round]), append(owners, c)
				found = true
			}
		}
	}
	return pieces, owners
}

// shares is how many workers that run nothing there are for a key, the one that asks included, when each other key has
// got one.
func (q *Queue[K, T]) shares(key K) int {
	others := map[K]bool{}
	for _, c := range q.calls {
		if c.key != key {
			others[c.key] = true
		}
	}
	free := q.config.Workers - q.workers + 1
	return max(1, free-len(others))
}
