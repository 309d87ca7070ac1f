// Package lock keeps two processes from writing one file.
package lock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// HeldError says that another process holds the lock.
type HeldError struct {
	PID int // 0: unknown
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "another process is writing it"
	}
	return fmt.Sprintf("process %d is writing it", e.PID)
}

// Lock is held by the one process that writes. The operating system's lock on a file beside the written one decides,
// and ends with the process however that ends; the file's content, the process id, only tells.
type Lock struct {
	file *flock.Flock
}

// Acquire takes the lock of the file at path, which need not exist, by way of the file path + ".lock". Where another
// process holds it the error is a [HeldError].
func Acquire(path string) (*Lock, error) {
	name := path + ".lock"
	for {
		file := flock.New(name)
		locked, err := file.TryLock()
		if err != nil {
			return nil, err
		}
		if !locked {
			return nil, &HeldError{PID: holder(name)}
		}
		// The process that held it may have removed the file after we opened it: then the lock is of nothing.
		held, err := file.Stat()
		if err != nil {
			file.Close() // the other error is told
			return nil, err
		}
		if now, err := os.Stat(name); err == nil && os.SameFile(held, now) {
			// Where the lock keeps even its holder from writing (Windows), the process id stays unknown.
			os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644) // as said
			return &Lock{file}, nil
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

// Release ends the lock and removes its file. A nil lock is none.
func (l *Lock) Release() error {
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

// Held tells whether a process holds the lock of the file at path. It leaves the lock as it is.
func Held(path string) bool {
	file := flock.New(path+".lock", flock.SetFlag(os.O_RDONLY))
	free, err := file.TryRLock()
	file.Close() // it was only looked at
	return err == nil && !free
}
