package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// The file names that Hugging Face's libraries give to the weights of a model folder.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Weights is what [File] and [Folder] have in common: named tensors, read as float32.
type Weights interface {
	// Names returns the names of the tensors, sorted.
	Names() []string
	// Info describes the tensor of that name; ok is false if there is none.
	Info(name string) (info Info, ok bool)
	// Float32s converts the tensor's values to float32 straight into dst, which must have Info.Len elements.
	Float32s(name string, dst []float32) error
	// Float32sAt does so for a part of the tensor: its len(dst) elements from number first on, in row-major order.
	Float32sAt(name string, first int, dst []float32) error
	// Close releases what is open. The Weights must not be used afterwards.
	Close() error
}

var (
	_ Weights = (*File)(nil)
	_ Weights = (*Folder)(nil)
)

// Folder is a model folder's weights: one file or several shards.
type Folder struct {
	files   []Weights
	tensors map[string]Weights
}

// OpenFolder opens the weights of a model folder, the root of a file system: model.safetensors, or the shards that
// model.safetensors.index.json lists.
func OpenFolder(fsys fs.FS) (*Folder, error) {
	file, err := OpenFS(fsys, singleName)
	if err == nil {
		folder := &Folder{files: []Weights{file}, tensors: map[string]Weights{}}
		for name := range file.header.tensors {
			folder.tensors[name] = file
		}
		return folder, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := fs.Stat(fsys, indexName); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("neither %s nor %s is there: %w", singleName, indexName, fs.ErrNotExist)
	}
	return OpenIndexed(fsys, indexName, func(name string) (Weights, error) { return OpenFS(fsys, name) })
}

// OpenIndexed reads the index of a model in several files: which file each tensor is in. Every file is opened once, by
// open, and each tensor must be where the index says.
func OpenIndexed(fsys fs.FS, indexName string, open func(name string) (Weights, error)) (*Folder, error) {
	index, err := fs.ReadFile(fsys, indexName)
	if err != nil {
		return nil, fmt.Errorf("read shard index: %w", err)
	}
	var parsed struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &parsed); err != nil {
		return nil, fmt.Errorf("%s is not JSON of the expected form: %w", indexName, err)
	}
	if len(parsed.WeightMap) == 0 {
		return nil, fmt.Errorf("%s has no weight_map: it names no tensor", indexName)
	}
	folder := &Folder{tensors: map[string]Weights{}}
	shards := map[string]Weights{}
	for _, name := range slices.Sorted(maps.Keys(parsed.WeightMap)) {
		shard := parsed.WeightMap[name]
		file, opened := shards[shard]
		if !opened {
			if file, err = open(shard); err != nil {
				folder.Close()
				return nil, fmt.Errorf("shard %q of %s: %w", shard, indexName, err)
			}
			shards[shard] = file
			folder.files = append(folder.files, file)
		}
		if _, ok := file.Info(name); !ok {
			folder.Close()
			return nil, fmt.Errorf("%s puts tensor %q into %s, which does not hold it", indexName, name, shard)
		}
		folder.tensors[name] = file
	}
	return folder, nil
}

// Names returns the names of all tensors, sorted.
func (f *Folder) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Info describes the tensor of that name; ok is false if there is none.
func (f *Folder) Info(name string) (info Info, ok bool) {
	file, ok := f.tensors[name]
	if !ok {
		return Info{}, false
	}
	return file.Info(name)
}

// Float32s is [File.Float32s] on the file that holds the tensor.
func (f *Folder) Float32s(name string, dst []float32) error {
	file, ok := f.tensors[name]
	if !ok {
		return fmt.Errorf("the weights have no tensor %q", name)
	}
	return file.Float32s(name, dst)
}

// Float32sAt is [File.Float32sAt] on the file that holds the tensor.
func (f *Folder) Float32sAt(name string, first int, dst []float32) error {
	file, ok := f.tensors[name]
	if !ok {
		return fmt.Errorf("the weights have no tensor %q", name)
	}
	return file.Float32sAt(name, first, dst)
}

// Close closes every shard.
func (f *Folder) Close() error {
	var errs []error
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
