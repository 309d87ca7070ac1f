package safetensors

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// File is one safetensors file, open for reading. Its methods may be called from several goroutines at a time,
// [File.Close] excepted.
type File struct {
	name      string
	header    header
	mapped    []byte      // the file's bytes when they are in memory, else nil
	reader    io.ReaderAt // used when mapped is nil
	dataStart int64
	close     func() error
}

// Open maps the file read-only and parses its header. The file must not be changed while it is open.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	return openOS(f, path)
}

// OpenFS is [Open] for a file of a file system. Files of the operating system are mapped, those that can be read at an
// offset (embedded ones can) are read piece by piece, all others are read into memory.
func OpenFS(fsys fs.FS, name string) (*File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	if file, ok := f.(*os.File); ok {
		return openOS(file, name)
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open weights: %w", err)
	}
	if r, ok := f.(io.ReaderAt); ok {
		file, err := newFile(r, stat.Size(), name)
		if err != nil {
			f.Close()
			return nil, err
		}
		file.close = f.Close
		return file, nil
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	return parse(data, name)
}

// Parse reads a file that is in memory. data must not be changed while the File is in use.
func Parse(data []byte) (*File, error) { return parse(data, "safetensors data") }

// NewReader reads a file of size bytes through r.
func NewReader(r io.ReaderAt, size int64) (*File, error) { return newFile(r, size, "safetensors data") }

// openOS takes f over: it is closed here or, where the platform cannot map, by File.Close.
func openOS(f *os.File, name string) (*File, error) {
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open weights: %w", err)
	}
	data, unmap, err := mapFile(f, stat.Size())
	if err != nil {
		file, err := newFile(f, stat.Size(), name)
		if err != nil {
			f.Close()
			return nil, err
		}
		file.close = f.Close
		return file, nil
	}
	f.Close() // the mapping stays
	file, err := parse(data, name)
	if err != nil {
		unmap()
		return nil, err
	}
	file.close = unmap
	return file, nil
}

func parse(data []byte, name string) (*File, error) {
	file, err := newFile(bytes.NewReader(data), int64(len(data)), name)
	if err != nil {
		return nil, err
	}
	file.mapped = data
	return file, nil
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
	info, ok := f.header.tensors[name]
	switch {
	case !ok:
		return fmt.Errorf("%s has no tensor %q", f.name, name)
	case !info.DType.floating():
		return fmt.Errorf("tensor %q of %s has type %s, not one of F32, F16, BF16, F64", name, f.name, info.DType)
	case len(dst) != info.Len():
		return fmt.Errorf("tensor %q of %s has %d elements, the destination %d", name, f.name, info.Len(), len(dst))
	}
	begin := f.dataStart + info.Begin
	if f.mapped != nil {
		toFloat32(info.DType, dst, f.mapped[begin:f.dataStart+info.End])
		return nil
	}
	if err := ReadFloat32s(f.reader, begin, info.DType, dst); err != nil {
		return fmt.Errorf("tensor %q of %s: %w", name, f.name, err)
	}
	return nil
}

// ReadFloat32s converts len(dst) values of type F32, F16, BF16 or F64 that lie at offset off of r, little-endian and
// without gaps, to float32 straight into dst.
func ReadFloat32s(r io.ReaderAt, off int64, t DType, dst []float32) error {
	if !t.floating() {
		return fmt.Errorf("values have type %s, not one of F32, F16, BF16, F64", t)
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

// Close releases the mapping. The File must not be used afterwards.
func (f *File) Close() error { return f.close() }
