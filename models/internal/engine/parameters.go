package engine

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// parameters holds a model's parameters on its backend. Each is read from the files when a program first needs it, once,
// straight into the backend's memory, and shared by all programs.
type parameters struct {
	backend compute.Backend
	files   *weights.Files
	layout  weights.Layout

	mu     sync.Mutex
	loaded map[string]func() (compute.Buffer, error)

	unpacked sync.Pool // of *[]float32, where a matrix lies before package kernels packs it
}

func newParameters(backend compute.Backend, files safetensors.Weights, l weights.Layout) *parameters {
	return &parameters{backend: backend, files: &weights.Files{Weights: files}, layout: l, loaded: map[string]func() (compute.Buffer, error){}}
}

// check compares the files' header with the configuration, so that a wrong file is refused before anything runs.
func (w *parameters) check(list []transformer.Param) error {
	for _, parameter := range list {
		if v, ok := w.layout(parameter.Name); ok {
			if err := v.Check(w.files); err != nil {
				return err
			}
		}
	}
	return nil
}

// shape is that of a parameter as the graph functions see it; ok is false for one that the model lacks.
func (w *parameters) shape(name string) (shape shapes.Shape, ok bool) {
	v, ok := w.layout(name)
	if !ok {
		return shapes.Invalid(), false
	}
	return shapes.Make(dtypes.Float32, v.Shape...), true
}

// buffers are the parameters of those names.
func (w *parameters) buffers(names []string) ([]compute.Buffer, error) {
	buffers := make([]compute.Buffer, len(names))
	for i, name := range names {
		w.mu.Lock()
		load, ok := w.loaded[name]
		if !ok {
			load = sync.OnceValues(func() (compute.Buffer, error) { return w.load(name) })
			w.loaded[name] = load
		}
		w.mu.Unlock()
		var err error
		if buffers[i], err = load(); err != nil {
			return nil, fmt.Errorf("load weights: %w", err)
		}
	}
	return buffers, nil
}

// load reads one parameter.
func (w *parameters) load(name string) (compute.Buffer, error) {
	v, ok := w.layout(name)
	if !ok {
		return nil, fmt.Errorf("the model has no parameter %q", name)
	}
	if err := v.Check(w.files); err != nil {
		return nil, err
	}
	shape := shapes.Make(dtypes.Float32, v.Shape...)
	if !w.backend.HasSharedBuffers() {
		flat := make([]float32, shape.Size())
		if err := v.Read(w.files, flat); err != nil {
			return nil, err
		}
		return w.backend.BufferFromFlatData(0, flat, shape)
	}
	buffer, flat, err := w.backend.NewSharedBuffer(0, shape)
	if err != nil {
		return nil, err
	}
	if err := v.Read(w.files, flat.([]float32)); err != nil {
		buffer.Finalize()
		return nil, err
	}
	return buffer, nil
}

// close frees what was loaded, and the files.
func (w *parameters) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, load := range w.loaded {
		if buffer, err := load(); err == nil {
			buffer.Finalize()
		}
	}
	w.loaded = map[string]func() (compute.Buffer, error){}
	return w.files.Close()
}
