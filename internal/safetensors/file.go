package safetensors

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"unsafe"
)

// File is one safetensors file, open for reading. Its methods may be called from several goroutines at a time,
// [File.Close] excepted.
type File struct {
	name      string
	header    header
	reader    io.ReaderAt
	dataStart int64
	close     func() error
}

// Open opens the file and parses its header. The file must not be changed while it is open.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	return open(f, path)
}

// OpenFS is [Open] for a file of a file system. Files that can be read at an offset (those of the operating system and
// embedded ones can) are read tensor by tensor, all others are read into memory.
func OpenFS(fsys fs.FS, name string) (*File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	return open(f, name)
}

// Parse reads a file that is in memory. data must not be changed while the File is in use.
func Parse(data []byte) (*File, error) { return NewReader(bytes.NewReader(data), int64(len(data))) }

// NewReader reads a file of size bytes through r.
func NewReader(r io.ReaderAt, size int64) (*File, error) { return newFile(r, size, "safetensors data") }

// open takes f over: it is closed here or by File.Close.
func open(f fs.File, name string) (*File, error) {
	r, size, err := readerOf(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open weights: %w", err)
	}
	file, err := newFile(r, size, name)
	if err != nil {
		f.Close()
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// readerOf reads f at any offset, in memory if f itself cannot.
func readerOf(f fs.File) (r io.ReaderAt, size int64, err error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !stat.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file", stat.Name())
	}
	if r, ok := f.(io.ReaderAt); ok {
		return r, stat.Size(), nil
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, 0, err
	}
	return bytes.NewReader(data), int64(len(data)), nil
}

func newFile(r io.ReaderAt, size int64, name string) (*File, error) {
	h, dataStart, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &File{name: name, header: h, reader: r, dataStart: dataStart, close: func() error { return nil }}, nil
}

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.header.tensors)) }

// Info describes the tensor of that name; ok is false if there is none.
func (f *File) Info(name string) (info Info, ok bool) {
	info, ok = f.header.tensors[name]
	info.Shape = slices.Clone(info.Shape)
	return info, ok
}

// Metadata returns a copy of the free text pairs that the header holds beside the tensors.
func (f *File) Metadata() map[string]string { return maps.Clone(f.header.metadata) }

// Float32s converts the tensor's values to float32 straight into dst, which must have [Info.Len] elements. Types F32,
// F16 and BF16 convert exactly, F64 rounds to nearest; others are refused.
func (f *File) Float32s(name string, dst []float32) error {
	if info, ok := f.header.tensors[name]; ok && len(dst) != info.Len() {
		return fmt.Errorf("tensor %q of %s has %d elements, the destination %d", name, f.name, info.Len(), len(dst))
	}
	return f.Float32sAt(name, 0, dst)
}

// Float32sAt is [File.Float32s] for a part of the tensor: its len(dst) elements from number first on, in row-major
// order.
func (f *File) Float32sAt(name string, first int, dst []float32) error {
	info, ok := f.header.tensors[name]
	switch {
	case !ok:
		return fmt.Errorf("%s has no tensor %q", f.name, name)
	case !info.DType.floating():
		return fmt.Errorf("tensor %q of %s has type %s, not one of F32, F16, BF16, F64", name, f.name, info.DType)
	case first < 0 || len(dst) > info.Len()-first:
		return fmt.Errorf("tensor %q of %s has %d elements, %d from number %d on are asked", name, f.name, info.Len(),
			len(dst), first)
	}
	begin := f.dataStart + info.Begin + int64(first)*int64(info.DType.Size())
	if err := ReadFloat32s(f.reader, begin, info.DType, dst); err != nil {
		return fmt.Errorf("tensor %q of %s: %w", name, f.name, err)
	}
	return nil
}

// ReadFloat32s converts len(dst) values of type F32, F16, BF16 or F64 that lie at offset off of r, little-endian and
// without gaps, to float32 straight into dst.
func ReadFloat32s(r io.ReaderAt, off int64, t DType, dst []float32) error {
	switch {
	case !t.floating():
		return fmt.Errorf("values have type %s, not one of F32, F16, BF16, F64", t)
	case t == F32 && hostIsLittle:
		return readFull(r, bytesOf(dst), off)
	}
	const chunk = 1 << 15 // elements: small enough for the second-level cache
	size := t.Size()
	buffer := make([]byte, min(chunk, len(dst))*size)
	for len(dst) > 0 {
		n := min(chunk, len(dst))
		if err := readFull(r, buffer[:n*size], off); err != nil {
			return err
		}
		toFloat32(t, dst[:n], buffer[:n*size])
		dst, off = dst[n:], off+int64(n*size)
	}
	return nil
}

// bytesOf is the memory of values, which is what a file of type F32 holds where the host is little-endian.
func bytesOf(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// Close closes the file. The File must not be used afterwards.
func (f *File) Close() error { return f.close() }
