package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// LockedError says that another process writes to the store.
type LockedError struct {
	Path string
	PID  int // 0: unknown
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is being written by %s: wait for it to end, or write to another file", e.Path, who)
}

// lock is held by the one process that writes. The operating system's lock on the file path + ".lock" decides, and ends
// with the process however that ends; the file's content, the process id, only tells. A file of its own, since SQLite
// uses locks of the database file itself, and closing any handle of that would drop them.
type lock struct {
	file *flock.Flock
}

func acquire(path string) (*lock, error) {
	name := path + ".lock"
	for {
		file := flock.New(name)
		locked, err := file.TryLock()
		if err != nil {
			return nil, err
		}
		if !locked {
			return nil, &LockedError{Path: path, PID: holder(name)}
		}
		// The process that held it may have removed the file after we opened it: then the lock is of nothing.
		held, err := file.Stat()
		if err != nil {
			file.Close() //nolint:errcheck // the other error is told
			return nil, err
		}
		if now, err := os.Stat(name); err == nil && os.SameFile(held, now) {
			// Where the lock keeps even its holder from writing (Windows), the process id stays unknown.
			os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644) //nolint:errcheck // as said
			return &lock{file}, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

// holder is the process id in a lock file, 0 if there is none.
func holder(name string) int {
	content, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return pid
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	// Removed while it is held, so that whoever locks it next sees that it is gone.
	err := os.Remove(l.file.Path())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.file.Close())
}
