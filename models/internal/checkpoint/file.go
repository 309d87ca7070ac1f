package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// File is one file written by torch.save, open for reading. Its methods may be called from several goroutines at a
// time, [File.Close] excepted.
type File struct {
	name    string
	reader  io.ReaderAt
	tensors map[string]*tensor
	close   func() error
}

var _ safetensors.Weights = (*File)(nil)

// storage is a run of values of one type in the file; tensors are views of it.
type storage struct {
	dtype    safetensors.DType
	elements int64
	begin    int64 // offset of its bytes in the file
}

// Open reads which tensors a file of torch.save holds, in the format of PyTorch 1.6 and later (a zip archive) or in the
// one before it. A checkpoint that keeps its state dict beside other things, as "state_dict" or "model", will do.
func Open(fsys fs.FS, name string) (*File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	file, err := open(f, name)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

func open(f fs.File, name string) (*File, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	reader, ok := f.(io.ReaderAt)
	size := stat.Size()
	if !ok {
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		reader, size = bytes.NewReader(data), int64(len(data))
	}
	load := loadLegacy
	var magic [4]byte
	if _, err := reader.ReadAt(magic[:], 0); err == nil && string(magic[:]) == "PK\x03\x04" {
		load = loadZip
	}
	value, err := load(reader, size)
	if err != nil {
		return nil, err
	}
	tensors, err := tensorsOf(value)
	if err != nil {
		return nil, err
	}
	return &File{name: name, reader: reader, tensors: tensors, close: f.Close}, nil
}

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Info describes the tensor of that name; ok is false if there is none. Begin and End are the range of its storage in
// the file.
func (f *File) Info(name string) (info safetensors.Info, ok bool) {
	t, ok := f.tensors[name]
	if !ok {
		return safetensors.Info{}, false
	}
	s := t.storage
	return safetensors.Info{Name: name, DType: s.dtype, Shape: slices.Clone(t.shape),
		Begin: s.begin, End: s.begin + s.elements*int64(s.dtype.Size())}, true
}

// Float32s converts the tensor's values to float32 straight into dst, which must have Info.Len elements; only of a
// transposed or otherwise scattered tensor it needs a copy.
func (f *File) Float32s(name string, dst []float32) error {
	if t, ok := f.tensors[name]; ok && len(dst) != elements(t.shape) {
		return fmt.Errorf("tensor %q of %s has %d elements, the destination %d", name, f.name, elements(t.shape), len(dst))
	}
	return f.Float32sAt(name, 0, dst)
}

// Float32sAt is [File.Float32s] for a part of the tensor: its len(dst) elements from number first on, in row-major
// order. A scattered tensor is read whole for each part.
func (f *File) Float32sAt(name string, first int, dst []float32) error {
	t, ok := f.tensors[name]
	switch {
	case !ok:
		return fmt.Errorf("%s has no tensor %q", f.name, name)
	case first < 0 || len(dst) > elements(t.shape)-first:
		return fmt.Errorf("tensor %q of %s has %d elements, %d from number %d on are asked", name, f.name, elements(t.shape),
			len(dst), first)
	case len(dst) == 0:
		return nil
	}
	size := int64(t.storage.dtype.Size())
	begin := t.storage.begin + t.offset*size
	var err error
	if t.contiguous() {
		err = safetensors.ReadFloat32s(f.reader, begin+int64(first)*size, t.storage.dtype, dst)
	} else {
		span := 1
		for i, n := range t.shape {
			span += (n - 1) * t.strides[i]
		}
		values := make([]float32, span)
		if err = safetensors.ReadFloat32s(f.reader, begin, t.storage.dtype, values); err == nil {
			t.gather(dst, values, first)
		}
	}
	if err != nil {
		return fmt.Errorf("tensor %q of %s: %w", name, f.name, err)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }
