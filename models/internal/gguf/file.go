package gguf

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// File is one GGUF file, open for reading. Its methods may be called from several goroutines at a time, [File.Close]
// excepted.
type File struct {
	name   string
	header header
	reader io.ReaderAt
	close  func() error
	chunks sync.Pool // of *[]byte
}

var _ safetensors.Weights = (*File)(nil)

// Open opens the file and reads its header. The file must not be changed while it is open.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open model file: %w", err)
	}
	return open(f, path)
}

// OpenFS is [Open] for a file of a file system; one that cannot be read at an offset is read into memory.
func OpenFS(fsys fs.FS, name string) (*File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open model file: %w", err)
	}
	return open(f, name)
}

// open takes f over: it is closed here or by File.Close.
func open(f fs.File, name string) (*File, error) {
	file, err := newFile(f, name)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open model file %s: %w", name, err)
	}
	return file, nil
}

func newFile(f fs.File, name string) (*File, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("it is no regular file")
	}
	r, size := io.ReaderAt(nil), stat.Size()
	if at, ok := f.(io.ReaderAt); ok {
		r = at
	} else {
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		r, size = bytes.NewReader(data), int64(len(data))
	}
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	return &File{name: name, header: h, reader: r, close: f.Close}, nil
}

// Parse reads a file that is in memory. data must not be changed while the File is in use.
func Parse(data []byte) (*File, error) {
	h, err := readHeader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("GGUF data: %w", err)
	}
	return &File{name: "GGUF data", header: h, reader: bytes.NewReader(data), close: func() error { return nil }}, nil
}

// Value is a setting of the header: an int64 (a uint64 where it is larger), float64, bool or string, or a slice of one
// of them; nil where there is none. A slice must not be changed.
func (f *File) Value(key string) any { return f.header.values[key] }

// Keys returns the names of the settings, sorted.
func (f *File) Keys() []string { return slices.Sorted(maps.Keys(f.header.values)) }

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.header.tensors)) }

// Info describes the tensor of that name; ok is false if there is none.
func (f *File) Info(name string) (info safetensors.Info, ok bool) {
	t, ok := f.header.tensors[name]
	if !ok {
		return safetensors.Info{}, false
	}
	return t.info(name), true
}

// Float32s converts the tensor's values to float32 straight into dst, which must have as many elements.
func (f *File) Float32s(name string, dst []float32) error {
	if t, ok := f.header.tensors[name]; ok && len(dst) != t.len() {
		return fmt.Errorf("tensor %q of %s has %d elements, the destination %d", name, f.name, t.len(), len(dst))
	}
	return f.Float32sAt(name, 0, dst)
}

// Float32sAt is [File.Float32s] for a part of the tensor: its len(dst) elements from number first on, in row-major
// order.
func (f *File) Float32sAt(name string, first int, dst []float32) error {
	t, ok := f.header.tensors[name]
	switch {
	case !ok:
		return fmt.Errorf("%s has no tensor %q", f.name, name)
	case first < 0 || first > t.len() || len(dst) > t.len()-first:
		return fmt.Errorf("tensor %q of %s has %d elements, %d from number %d on are asked",
			name, f.name, t.len(), len(dst), first)
	}
	var err error
	if convert, ok := dequantizers[t.kind]; ok {
		err = f.dequantize(t, convert, first, dst)
	} else {
		kind := safetensors.DType(t.kind.String())
		err = safetensors.ReadFloat32s(f.reader, t.begin+int64(first)*int64(kind.Size()), kind, dst)
	}
	if err != nil {
		return fmt.Errorf("tensor %q of %s: %w", name, f.name, err)
	}
	return nil
}

func (t tensor) len() int {
	n := 1
	for _, dimension := range t.shape {
		n *= dimension
	}
	return n
}

// chunkBytes is how much is read at a time, small enough for the second-level cache.
const chunkBytes = 1 << 16

// dequantize reads the blocks that hold the asked elements.
func (f *File) dequantize(t tensor, convert dequantizer, first int, dst []float32) error {
	block, size := t.kind.layout()
	buffer, ok := f.chunks.Get().(*[]byte)
	if !ok {
		buffer = new(make([]byte, chunkBytes))
	}
	defer f.chunks.Put(buffer)
	var whole [256]float32 // a block of which only a part is asked
	for len(dst) > 0 {
		skip := first % block
		n := min((skip+len(dst)+block-1)/block, chunkBytes/size)
		chunk := (*buffer)[:n*size]
		if got, err := f.reader.ReadAt(chunk, t.begin+int64(first/block)*int64(size)); got < len(chunk) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		for ; n > 0; n-- {
			if skip == 0 && len(dst) >= block {
				convert(dst[:block], chunk)
				dst, first = dst[block:], first+block
			} else {
				convert(whole[:block], chunk)
				taken := copy(dst, whole[skip:block])
				dst, first, skip = dst[taken:], first+taken, 0
			}
			chunk = chunk[size:]
		}
	}
	return nil
}

// Close closes the file. The File must not be used afterwards.
func (f *File) Close() error { return f.close() }
