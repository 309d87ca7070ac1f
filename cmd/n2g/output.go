package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// standard is the file name that stands for standard input or output.
const standard = "-"

// read returns the content of a file, or of standard input.
func (a *app) read(path string) ([]byte, error) {
	if path == standard {
		data, err := io.ReadAll(a.stdin)
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	return data, nil
}

// write makes a file of what content writes, or sends it to standard output. The file appears when it is whole and on
// the disk: whatever stops the program, an old one stays as it was.
func (a *app) write(ctx context.Context, path string, content func(io.Writer) error) error {
	if path == standard {
		return buffered(a.stdout, content)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeThrough(path, content) // a pipe or a device is written to, not replaced
	}
	path = resolved(path)
	file, err := createTemporary(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	err = errors.Join(buffered(file, content), file.Chmod(permissions(path)), file.Sync(), ctx.Err())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, errors.Join(err, file.discard()))
	}
	syncFolder(filepath.Dir(path))
	return file.close()
}

// temporary is a file that is being written. The lock on it ends with the process, however that ends: one that nobody
// holds was left by a program that was killed.
type temporary struct {
	*os.File
	lock *flock.Flock
}

// createTemporary makes a file beside path, and removes those that killed programs left there.
func createTemporary(path string) (*temporary, error) {
	prefix := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-n2g-")
	removeLeft(prefix)
	name := prefix + rand.Text()[:12]
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	lock := flock.New(name)
	if _, err := lock.TryLock(); err != nil { // a file system without locks: the file is not known to be left, if it is
		lock = nil
	}
	return &temporary{file, lock}, nil
}

// removeLeft removes temporary files whose names begin with prefix, and that no process holds.
func removeLeft(prefix string) {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return
	}
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(prefix), entry.Name())
		if len(name) <= len(prefix) || name[:len(prefix)] != prefix || !entry.Type().IsRegular() {
			continue
		}
		lock := flock.New(name)
		if free, err := lock.TryLock(); err == nil && free {
			os.Remove(name) // the next program tries again
		}
		lock.Close() // nothing was written
	}
}

// close ends the lock of a file that has its name.
func (t *temporary) close() error {
	err := t.File.Close()
	if t.lock != nil {
		err = errors.Join(err, t.lock.Close())
	}
	return err
}

// discard removes the file.
func (t *temporary) discard() error { return errors.Join(os.Remove(t.Name()), t.close()) }

// syncFolder puts a renaming on the disk, where the system can.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		folder.Sync()  // some systems cannot
		folder.Close() // it was read
	}
}

// permissions of a file to be replaced, or of a new one.
func permissions(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

func writeThrough(path string, content func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := errors.Join(buffered(file, content), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func buffered(w io.Writer, content func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if err := content(b); err != nil {
		b.Flush() // what there is of it; content's error says more
		return err
	}
	return b.Flush()
}

// print writes text for people to standard output.
func (a *app) print(content func(io.Writer) error) error { return buffered(a.text, content) }

// writeBytes is write of what is there already.
func (a *app) writeBytes(ctx context.Context, path string, data []byte) error {
	return a.write(ctx, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
