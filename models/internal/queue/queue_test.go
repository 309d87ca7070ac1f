package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests run in bubbles (testing/synctest): time stands still while anything computes, so their order is fixed, and
// a goroutine that a queue leaves behind fails them.

// piece is a piece of work of a test and whose it is.
type piece struct{ caller, number int }

// recorder runs batches that take a second each, and remembers them.
type recorder struct {
	mu      sync.Mutex
	batches [][]piece
	fail    func(batch []piece) error
}

func (r *recorder) run(_ context.Context, _ string, batch []piece) error {
	r.mu.Lock()
	r.batches = append(r.batches, slices.Clone(batch))
	r.mu.Unlock()
	time.Sleep(time.Second)
	if r.fail != nil {
		return r.fail(batch)
	}
	return nil
}

// upTo chooses the first n pieces.
func upTo(n int) func(string, []piece, int) []int {
	return func(_ string, waiting []piece, _ int) []int {
		var chosen []int
		for i := range waiting[:min(n, len(waiting))] {
			chosen = append(chosen, i)
		}
		return chosen
	}
}

func newRecorded(workers, most int) (*Queue[string, piece], *recorder) {
	r := &recorder{}
	return New(Config[string, piece]{Workers: workers, Calls: 100, Choose: upTo(most), Run: r.run}), r
}

// pieces makes the work of a call.
func pieces(caller, n int) []piece {
	list := make([]piece, n)
	for i := range list {
		list[i] = piece{caller, i}
	}
	return list
}

// ask calls the queue in the background, so that it takes its place in the queue now.
func ask(t *testing.T, q *Queue[string, piece], key string, work []piece) (done *time.Duration) {
	t.Helper()
	start := time.Now()
	done = new(time.Duration)
	go func() {
		if err := q.Do(t.Context(), key, work); err != nil {
			t.Errorf("caller %d: %v", work[0].caller, err)
		}
		*done = time.Since(start)
	}()
	synctest.Wait()
	return done
}

// finish waits for everything asked.
func finish() {
	time.Sleep(time.Hour)
	synctest.Wait()
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, batch := range r.batches {
		got = append(got, fmt.Sprint(batch))
	}
	if !slices.Equal(got, want) {
		t.Errorf("batches\n%q, want\n%q", got, want)
	}
}

func TestMergesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, r := newRecorded(1, 4)
		ask(t, q, "a", pieces(1, 1)) // runs at once, the others wait meanwhile
		ask(t, q, "a", pieces(2, 1))
		ask(t, q, "b", pieces(3, 1))
		ask(t, q, "a", pieces(4, 2))
		finish()
		r.want(t, "[{1 0}]", "[{2 0} {4 0} {4 1}]", "[{3 0}]")
	})
}

// A small call behind a huge one waits for one batch.
func TestCallersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, r := newRecorded(1, 4)
		huge := ask(t, q, "a", pieces(1, 17))
		small := ask(t, q, "a", pieces(2, 2))
		other := ask(t, q, "b", pieces(3, 1))
		late := ask(t, q, "b", pieces(4, 1))
		finish()
		r.want(t, "[{1 0} {1 1} {1 2} {1 3}]", "[{1 4} {2 0} {1 5} {2 1}]", "[{3 0} {4 0}]",
			"[{1 6} {1 7} {1 8} {1 9}]", "[{1 10} {1 11} {1 12} {1 13}]", "[{1 14} {1 15} {1 16}]")
		if *huge != 6*time.Second || *small != 2*time.Second || *other != 3*time.Second || *late != 3*time.Second {
			t.Errorf("answered after %v, %v, %v, %v", *huge, *small, *other, *late)
		}
	})
}

// However many calls come later, one is answered as soon as those before it have had their turn.
func TestNobodyStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newRecorded(1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 5 {
			go func() {
				for ctx.Err() == nil {
					if err := q.Do(ctx, "greedy", pieces(i, 3)); err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			}()
		}
		time.Sleep(10*time.Second + time.Millisecond)
		modest := ask(t, q, "modest", pieces(9, 1))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if *modest == 0 || *modest > 7*time.Second {
			t.Errorf("answered after %v, with five calls before it", *modest)
		}
		cancel()
		finish()
	})
}

func TestCancelDropsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, r := newRecorded(1, 2)
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("not wanted any more")
		type end struct {
			err  error
			took time.Duration
		}
		start := time.Now()
		runs, waits := make(chan end, 1), make(chan end, 1)
		go func() { err := q.Do(ctx, "a", pieces(1, 5)); runs <- end{err, time.Since(start)} }()
		synctest.Wait()
		go func() { err := q.Do(ctx, "b", pieces(2, 5)); waits <- end{err, time.Since(start)} }()
		synctest.Wait()
		other := ask(t, q, "a", pieces(3, 1))
		time.Sleep(time.Second / 2)
		cancel(reason)
		if got := <-waits; !errors.Is(got.err, reason) || got.took != time.Second/2 {
			t.Errorf("a call that waits ended after %v with %v", got.took, got.err)
		}
		if got := <-runs; !errors.Is(got.err, reason) || got.took != time.Second {
			t.Errorf("a call whose batch runs ended after %v with %v", got.took, got.err)
		}
		finish()
		if *other != 2*time.Second {
			t.Errorf("another call was answered after %v", *other)
		}
		r.want(t, "[{1 0} {1 1}]", "[{3 0}]")
		if err := q.Do(ctx, "a", pieces(1, 1)); !errors.Is(err, reason) {
			t.Errorf("called with an ended context: %v", err)
		}
	})
}

// A batch can end early as soon as, and not before, all calls that take part have been cancelled.
func TestCancelReachesTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended time.Duration
		start := time.Now()
		q := New(Config[string, piece]{Workers: 1, Calls: 9, Choose: upTo(9),
			Run: func(ctx context.Context, _ string, batch []piece) error {
				select {
				case <-ctx.Done():
					ended = time.Since(start)
					return ctx.Err()
				case <-time.After(10 * time.Second):
					return nil
				}
			}})
		ask(t, q, "b", pieces(0, 1)) // so that the others come into one batch
		for _, after := range []time.Duration{11 * time.Second, 13 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			go func() {
				if err := q.Do(ctx, "a", pieces(1, 1)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the call that ends after %v: %v", after, err)
				}
			}()
			synctest.Wait()
		}
		finish()
		if ended != 13*time.Second {
			t.Errorf("the batch ended after %v", ended)
		}
	})
}

// An error reaches the calls of its batch, and no others.
func TestErrorsGoToThoseConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		q, r := newRecorded(1, 3)
		r.fail = func(batch []piece) error {
			if slices.Contains(batch, piece{2, 1}) {
				return broken
			}
			return nil
		}
		results := make([]error, 5)
		for caller, n := range []int{1, 2, 5, 1, 1} {
			go func() { results[caller] = q.Do(t.Context(), "a", pieces(caller, n)) }()
			synctest.Wait()
		}
		finish()
		// [0] [1 2 3] [4 1 2] fails with both calls' rest.
		for caller, err := range results {
			if concerned := caller == 1 || caller == 2 || caller == 4; concerned != errors.Is(err, broken) || !concerned &&
				err != nil {
				t.Errorf("caller %d: %v", caller, err)
			}
		}
		r.want(t, "[{0 0}]", "[{1 0} {2 0} {3 0}]", "[{4 0} {1 1} {2 1}]")
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, r := newRecorded(1, 1)
		results := make([]error, 3)
		for caller := range results {
			go func() { results[caller] = q.Do(t.Context(), "a", pieces(caller, 2)) }()
			synctest.Wait()
		}
		start := time.Now()
		go q.Close() // twice does no harm
		q.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("closed after %v, the batch that runs needs a second", took)
		}
		synctest.Wait()
		for caller, err := range results {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("caller %d: %v", caller, err)
			}
		}
		r.want(t, "[{0 0}]")
		if err := q.Do(t.Context(), "a", pieces(7, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("called after Close: %v", err)
		}
	})
}

// Calls beyond the bound wait to be let in, can be cancelled there, and hear of Close.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		q := New(Config[string, piece]{Workers: 1, Calls: 2, Choose: upTo(9), Run: r.run})
		for caller := range 3 {
			ask(t, q, "a", pieces(caller, 1))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var left error
		go func() { left = q.Do(ctx, "a", pieces(3, 1)) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(left, context.Canceled) {
			t.Errorf("a call that waited to be let in: %v", left)
		}
		finish()
		r.want(t, "[{0 0}]", "[{1 0}]", "[{2 0}]") // the third was let in after the second had begun

		ask(t, q, "a", pieces(4, 1))
		results := make([]error, 3)
		for caller := range results {
			go func() { results[caller] = q.Do(t.Context(), "a", pieces(caller, 1)) }()
			synctest.Wait()
		}
		q.Close()
		synctest.Wait()
		for _, err := range results {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("a call waiting at Close: %v", err)
			}
		}
	})
}

// A lone call is told to leave work for each worker; where keys are as many as workers, batches are whole.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shares []int
		q := New(Config[string, piece]{Workers: 3, Calls: 9, Run: (&recorder{}).run,
			Choose: func(_ string, waiting []piece, n int) []int {
				shares = append(shares, n)
				return upTo((len(waiting)+n-1)/n)("", waiting, n)
			}})
		done := ask(t, q, "a", pieces(1, 9))
		ask(t, q, "b", pieces(2, 1))
		ask(t, q, "c", pieces(3, 1))
		finish()
		if want := []int{3, 2, 1, 1, 1}; !slices.Equal(shares, want) || *done != time.Second {
			t.Errorf("shares %v, want %v, in %v", shares, want, *done)
		}
	})
}

// TestRandomCallers: whatever callers do, a piece runs exactly once if its call succeeds and at most once otherwise,
// never after its call has returned, with pieces of its key only, and never more batches at a time than workers.
func TestRandomCallers(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { randomCallers(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func randomCallers(t *testing.T, rng *rand.Rand) {
	type job struct {
		key      string
		ran      atomic.Int32
		returned *atomic.Bool
	}
	workers := 1 + rng.IntN(4)
	broken := errors.New("broken")
	var running, failures atomic.Int32
	var mu sync.Mutex // of rng
	random := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n)
	}
	q := New(Config[string, *job]{Workers: workers, Calls: 1 + rng.IntN(20),
		Choose: func(_ string, waiting []*job, shares int) (chosen []int) {
			if shares < 1 || shares > workers {
				t.Errorf("%d shares of %d workers", shares, workers)
			}
			for i := range waiting {
				if random(3) == 0 {
					chosen = append(chosen, i)
				}
			}
			return chosen
		},
		Run: func(_ context.Context, key string, batch []*job) error {
			if n := int(running.Add(1)); n > workers {
				t.Errorf("%d batches run, %d may", n, workers)
			}
			defer running.Add(-1)
			for _, j := range batch {
				if j.key != key {
					t.Errorf("a piece of %s in a batch of %s", j.key, key)
				}
				j.ran.Add(1)
			}
			time.Sleep(time.Duration(random(50)) * time.Millisecond)
			for _, j := range batch {
				if j.returned.Load() {
					t.Error("a call returned before its batch ended")
				}
			}
			if random(40) == 0 {
				failures.Add(1)
				return broken
			}
			return nil
		}})
	var wg sync.WaitGroup
	var answered atomic.Int32
	for range 30 {
		wg.Go(func() {
			for range 5 {
				time.Sleep(time.Duration(random(100)) * time.Millisecond)
				returned := &atomic.Bool{}
				key := fmt.Sprint(random(3))
				work := make([]*job, random(12))
				for i := range work {
					work[i] = &job{key: key, returned: returned}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random(1500))*time.Millisecond)
				err := q.Do(ctx, key, work)
				returned.Store(true)
				cancel()
				switch {
				case err == nil:
					answered.Add(1)
				case !errors.Is(err, broken) && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("unexpected %v", err)
				}
				for _, j := range work {
					if n := j.ran.Load(); n > 1 || n == 0 && err == nil {
						t.Errorf("a piece ran %d times, its call returned %v", n, err)
					}
				}
			}
		})
	}
	wg.Wait()
	q.Close()
	if len(q.calls) > 0 || q.workers > 0 || len(q.room) > 0 {
		t.Errorf("left behind: %d calls, %d workers, %d admitted", len(q.calls), q.workers, len(q.room))
	}
	if answered.Load() == 0 {
		t.Error("no call succeeded")
	}
}

// BenchmarkDo is what a call costs beside its work.
func BenchmarkDo(b *testing.B) {
	q := New(Config[string, piece]{Workers: 2, Calls: 100, Choose: upTo(32),
		Run: func(context.Context, string, []piece) error { return nil }})
	defer q.Close()
	work := pieces(0, 40)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Do(context.Background(), "a", work); err != nil {
				b.Error(err)
			}
		}
	})
}
