package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// write makes a file of what content writes, or sends it to standard output. The file appears when it is whole:
// whatever stops the program, an old one stays as it was.
func (a *app) write(ctx context.Context, path string, content func(io.Writer) error) error {
	if path == standard {
		return buffered(a.stdout, content)
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeThrough(path, content) // a pipe or a device is written to, not replaced
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(file.Name()) // fails, rightly, after the rename
	err = errors.Join(buffered(file, content), file.Chmod(permissions(path)), file.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
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
		b.Flush() //nolint:errcheck // what there is of it; content's error says more
		return err
	}
	return b.Flush()
}

// writeBytes is write of what is there already.
func (a *app) writeBytes(ctx context.Context, path string, data []byte) error {
	return a.write(ctx, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// checkOutputs finds before long work what would keep its results from being written.
func checkOutputs(paths ...string) error {
	toStandard := 0
	for _, path := range paths {
		switch path {
		case "":
		case standard:
			toStandard++
		default:
			if info, err := os.Stat(filepath.Dir(path)); err != nil {
				return fmt.Errorf("there is no folder to write %s to: %w", path, err)
			} else if !info.IsDir() {
				return fmt.Errorf("%s cannot be written: %s is no folder", path, filepath.Dir(path))
			}
			if err := checkWritable(path); err != nil {
				return err
			}
		}
	}
	if toStandard > 1 {
		return errors.New("only one output can go to standard output: name files for the others")
	}
	return nil
}

// checkWritable tries what write will do, and leaves nothing behind.
func checkWritable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file to write", path)
	case err == nil && !info.Mode().IsRegular():
		return nil // opening a pipe would wait for its reader
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written, name a file elsewhere: %w", path, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
