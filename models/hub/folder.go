package hub

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// folder is a flat folder put together from files of several file systems and from memory: what a model needs, and
// nothing that lies beside it.
type folder map[string]source

// source is where a file is: in a file system, or in memory where that is nil.
type source struct {
	fsys fs.FS
	path string
	data []byte
}

var (
	_ fs.ReadDirFS = folder(nil)
	_ fs.FS        = folder(nil)
)

// Open opens a file, or the folder itself under the name ".".
func (f folder) Open(name string) (fs.File, error) {
	if name == "." {
		entries, err := f.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &openFolder{info: info{name: ".", mode: fs.ModeDir | 0o555}, entries: entries}, nil
	}
	s, ok := f[name]
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case s.fsys != nil:
		return s.fsys.Open(s.path)
	}
	return &memoryFile{bytes.NewReader(s.data), info{name: name, size: int64(len(s.data)), mode: 0o444}}, nil
}

// ReadDir lists the files.
func (f folder) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	entries := make([]fs.DirEntry, 0, len(f))
	for _, file := range slices.Sorted(maps.Keys(f)) {
		stat := fs.FileInfo(info{name: file, size: int64(len(f[file].data)), mode: 0o444})
		if s := f[file]; s.fsys != nil {
			of, err := fs.Stat(s.fsys, s.path)
			if err != nil {
				return nil, err
			}
			stat = info{name: file, size: of.Size(), mode: of.Mode(), modified: of.ModTime()}
		}
		entries = append(entries, fs.FileInfoToDirEntry(stat))
	}
	return entries, nil
}

// memoryFile is an open file whose bytes are in memory.
type memoryFile struct {
	*bytes.Reader
	info info
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *memoryFile) Close() error               { return nil }

// openFolder is the open folder.
type openFolder struct {
	info    info
	entries []fs.DirEntry
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}

// ReadDir returns the next n entries, all where n is not positive.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.entries) {
		n = len(f.entries)
	}
	next := f.entries[:n]
	f.entries = f.entries[n:]
	return next, nil
}

// info describes a file.
type info struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
