package engine

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// parameters holds a model's parameters on its backend. Each is read from the files when a program first needs it,
// once, straight into the backend's memory, and shared by all programs.
type parameters struct {
	backend compute.Backend
	files   *weights.Files
	layout  weights.Layout

	mu     sync.Mutex
	loaded map[string]func() (compute.Buffer, error)

	unpacked sync.Pool // of *[]float32, where a matrix lies before package kernels packs it
}

func newParameters(backend compute.Backend, files safetensors.Weights, l weights.Layout) *parameters {
	return &parameters{backend: backend, files: &weights.Files{Weights: files}, layout: l,
		loaded: map[string]func() (compute.Buffer, error){}}
}

// check compares the files' header with the configuration, so that a wrong file is refused before anything runs. What
// only logits need may be missing: neurons are read without it.
func (w *parameters) check(list []transformer.Param) error {
	for _, parameter := range list {
		v, ok := w.layout(parameter.Name)
		if !ok {
			continue
		}
		if _, there := w.files.Info(v.File); !there && isHead(parameter.Name) {
			continue
		}
		if err := v.Check(w.files); err != nil {
			return err
		}
	}
	return nil
}

// isHead says whether a parameter stands behind the last layer.
func isHead(name string) bool {
	return strings.HasPrefix(name, "unembed.") || strings.HasPrefix(name, "ln_final.")
}

// head says what is missing of the way from the residual stream to logits, nil if nothing is.
func (w *parameters) head(c transformer.Decoder) error {
	needed := []string{"unembed.W_U"}
	if c.Tied {
		needed = nil
	}
	for _, name := range []string{"ln_final.w", "ln_final.b"} {
		if _, ok := w.layout(name); ok && !c.NoFinalNorm {
			needed = append(needed, name)
		}
	}
	for _, name := range needed {
		v, ok := w.layout(name)
		if !ok {
			return ErrNoHead
		}
		if _, there := w.files.Info(v.File); !there {
			return ErrNoHead
		}
	}
	return nil
}

// ErrNoHead is what asks for logits get of files without an unembedding, those of a base model.
var ErrNoHead = errors.New("the model's files hold no unembedding or no final norm, so it has no logits: neurons can " +
	"be read, but nothing behind them")

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
