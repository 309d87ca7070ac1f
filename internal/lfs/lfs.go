// Package lfs knows Git LFS pointers: the three lines that stand where a large file should, in a repository that was
// cloned without Git LFS (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
package lfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// longest is more than a pointer has bytes.
const longest = 1024

// Check says that a file whose content begins so is a pointer, and how to get the file itself; nil if it is not.
func Check(begin []byte) error {
	if !bytes.HasPrefix(begin, []byte("version https://git-lfs.github.com/spec/")) {
		return nil
	}
	size := ""
	for line := range bytes.Lines(begin[:min(len(begin), longest)]) {
		if n, ok := bytes.CutPrefix(line, []byte("size ")); ok {
			size = fmt.Sprintf(" of %s bytes", bytes.TrimSpace(n))
		}
	}
	return fmt.Errorf("a Git LFS pointer, not the file%s that it stands for: run `git lfs pull` in the repository, or "+
		"download the file itself", size)
}

// FS is a file system in which opening a pointer is an error, and so is opening a pipe or a device, which could block
// for ever.
func FS(fsys fs.FS) fs.FS { return files{fsys} }

type files struct{ fs.FS }

func (f files) Open(name string) (fs.File, error) {
	if info, err := fs.Stat(f.FS, name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("a pipe or device, where a file is needed")}
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > longest {
		return file, nil
	}
	begin, err := io.ReadAll(io.LimitReader(file, longest))
	file.Close()
	if err != nil {
		return nil, err
	}
	if err := Check(begin); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.FS.Open(name)
}
