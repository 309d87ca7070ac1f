package lock_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/internal/lock"
)

func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	first, err := lock.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	var held *lock.HeldError
	if _, err := lock.Acquire(path); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("a second lock: %v", err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	again, err := lock.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
	if err := (*lock.Lock)(nil).Release(); err != nil {
		t.Error(err)
	}
}

// TestRemovedUnderfoot: however lockers interleave with releases, which remove the file, one holds it at a time.
func TestRemovedUnderfoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var holders, taken atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				l, err := lock.Acquire(path)
				if errors.As(err, new(*lock.HeldError)) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody ever had it")
	}
}

func TestNoFolder(t *testing.T) {
	if _, err := lock.Acquire(filepath.Join(t.TempDir(), "no", "file")); err == nil ||
		errors.As(err, new(*lock.HeldError)) {
		t.Errorf("got %v", err)
	}
}
