package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// maskedEngine runs a masked model: weights on the device and two programs, one for the logits of asked rows and one
// for every intermediate value.
type maskedEngine struct {
	backend compute.Backend
	config  maskedConfig
	shapes  maskedShapes
	files   safetensors.Weights
	names   []string       // tensors of the files that the model needs
	place   map[string]int // of a parameter, as the graph functions call it, in names; a tied decoder shares one
	fill    *graph.Exec
	cache   *graph.Exec

	mu     sync.Mutex
	loaded []*tensors.Tensor // the tensors of names on the device, nil before the first run
}

// newMaskedEngine checks the files' header against the configuration; it reads no weights yet.
func newMaskedEngine(backend compute.Backend, config maskedConfig, files safetensors.Weights) (*maskedEngine, error) {
	parameters := append(config.BodyParameters(), config.HeadParameters()...)
	sources, err := maskedSources(config, parameters, files)
	if err != nil {
		return nil, err
	}
	e := &maskedEngine{backend: backend, config: config, shapes: newMaskedShapes(config.BERT), files: files, place: map[string]int{}}
	for i, source := range sources {
		at := slices.Index(e.names, source)
		if at < 0 {
			at = len(e.names)
			e.names = append(e.names, source)
		}
		e.place[parameters[i].Name] = at
	}
	if e.fill, err = graph.NewExec(backend, e.fillGraph); err != nil {
		return nil, fmt.Errorf("prepare program: %w", err)
	}
	if e.cache, err = graph.NewExec(backend, e.cacheGraph); err != nil {
		return nil, fmt.Errorf("prepare program: %w", err)
	}
	// One program a shape; the buckets of maskedBatches bound how many there are.
	e.fill.SetMaxCache(-1)
	e.cache.SetMaxCache(-1)
	return e, nil
}

// weights returns the weights on the device, read at the first call.
func (e *maskedEngine) weights() ([]*tensors.Tensor, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.loaded) < len(e.names) {
		tensor, err := loadTensor(e.backend, e.files, e.names[len(e.loaded)])
		if err != nil {
			return nil, fmt.Errorf("load weights: %w", err)
		}
		e.loaded = append(e.loaded, tensor)
	}
	return e.loaded, nil
}

// loadTensor reads a tensor straight into a buffer of the backend.
func loadTensor(backend compute.Backend, files safetensors.Weights, name string) (*tensors.Tensor, error) {
	info, _ := files.Info(name)
	tensor, err := tensors.FromShapeForBackend(backend, 0, shapes.Make(dtypes.Float32, info.Shape...))
	if err != nil {
		return nil, err
	}
	var readErr error
	err = tensors.MutableFlatData(tensor, func(flat []float32) { readErr = files.Float32s(name, flat) })
	if err := errors.Join(readErr, err); err != nil {
		return nil, err
	}
	if !tensor.IsShared() { // the device has a memory of its own: move the weights there
		if err := tensor.MaterializeOnDevice(backend, false, 0); err != nil {
			return nil, err
		}
		tensor.FinalizeLocal()
	}
	return tensor, nil
}

// arguments puts the tensors of a call behind the weights.
func (e *maskedEngine) arguments(call ...*tensors.Tensor) ([]any, error) {
	weights, err := e.weights()
	if err != nil {
		return nil, err
	}
	var arguments []any
	for _, tensor := range append(weights[:len(weights):len(weights)], call...) {
		arguments = append(arguments, tensor)
	}
	return arguments, nil
}

// inputs splits a program's inputs: the weights, and the tensors of the call behind them.
func (e *maskedEngine) inputs(all []*graph.Node, n int) (transformer.Weights, []*graph.Node) {
	weights := all[:len(all)-n]
	return func(name string) *graph.Node { return weights[e.place[name]] }, all[len(all)-n:]
}

// body runs embedding and blocks: ids [batch, seq], lengths [batch] to [batch, seq, d_model].
func (e *maskedEngine) body(w transformer.Weights, ids, lengths *graph.Node, hook transformer.Hook) *graph.Node {
	x := e.config.Embed(w, ids, hook)
	attention := transformer.Bidirectional(lengths)
	for l := range e.config.Layers {
		x = e.config.Block(w, l, x, attention, hook)
	}
	return x
}

// fillGraph gives the logits [n, d_vocab] of n rows alone: which, says rows [n], counted over batch and sequence.
func (e *maskedEngine) fillGraph(inputs []*graph.Node) *graph.Node {
	w, call := e.inputs(inputs, 3)
	ids, lengths, rows := call[0], call[1], call[2]
	x := e.body(w, ids, lengths, nil)
	x = graph.Gather(graph.Reshape(x, -1, e.config.DModel), graph.InsertAxes(rows, -1))
	asked := x.Shape().Dimensions[0]
	if missing := e.shapes.bodyRows - asked; missing > 0 {
		empty := graph.Zeros(x.Graph(), shapes.Make(x.DType(), missing, e.config.DModel))
		x = graph.Concatenate([]*graph.Node{x, empty}, 0)
	}
	x = graph.Slice(e.config.Transform(w, x), graph.AxisRange(0, asked))
	return e.config.Decode(w, x)
}

// cacheGraph gives every value of cacheNames, in that order, and the logits of every row.
func (e *maskedEngine) cacheGraph(inputs []*graph.Node) []*graph.Node {
	w, call := e.inputs(inputs, 2)
	values := map[string]*graph.Node{}
	x := e.body(w, call[0], call[1], func(name string, x *graph.Node) { values[name] = x })
	var outputs []*graph.Node
	for _, name := range e.cacheNames() {
		outputs = append(outputs, values[name])
	}
	return append(outputs, e.config.Unembed(w, graph.Reshape(x, -1, e.config.DModel)))
}

// cacheNames lists the hook points of the model.
func (e *maskedEngine) cacheNames() []string {
	names := []string{"hook_full_embed"}
	for l := range e.config.Layers {
		for _, hook := range []string{"hook_normalized_resid_mid", "mlp.hook_pre", "mlp.hook_post", "hook_normalized_resid_post"} {
			names = append(names, fmt.Sprintf("blocks.%d.%s", l, hook))
		}
	}
	return names
}

// check refuses a sequence that the model cannot run.
func (e *maskedEngine) check(ids []int) error {
	if len(ids) == 0 || len(ids) > e.config.Positions {
		return fmt.Errorf("%d tokens, but the model reads from 1 to %d", len(ids), e.config.Positions)
	}
	for i, id := range ids {
		if id < 0 || id >= e.config.DVocab {
			return fmt.Errorf("token id %d at position %d lies outside the model's vocabulary of %d", id, i, e.config.DVocab)
		}
	}
	return nil
}

// logits runs the sequences, batched, and returns result[i][k], the logits [d_vocab] of row k of sequence i.
func (e *maskedEngine) logits(ctx context.Context, sequences []maskedSequence) ([][][]float32, error) {
	for _, sequence := range sequences {
		if err := e.check(sequence.ids); err != nil {
			return nil, err
		}
	}
	result := make([][][]float32, len(sequences))
	for _, batch := range e.shapes.batches(sequences) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		arguments, err := e.arguments(batch.tensors()...)
		if err != nil {
			return nil, err
		}
		out, err := e.fill.Call1(arguments...)
		if err != nil {
			return nil, fmt.Errorf("run the model on %d texts of up to %d tokens: %w", len(batch.members), batch.seq, err)
		}
		flat, err := tensors.CopyFlatData[float32](out)
		if err := errors.Join(err, out.FinalizeAll()); err != nil {
			return nil, fmt.Errorf("read the model's answer: %w", err)
		}
		for _, i := range batch.members {
			for range sequences[i].rows {
				result[i] = append(result[i], flat[:e.config.DVocab:e.config.DVocab])
				flat = flat[e.config.DVocab:]
			}
		}
	}
	return result, nil
}

// close releases weights, programs and files.
func (e *maskedEngine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fill.Finalize()
	e.cache.Finalize()
	errs := []error{e.files.Close()}
	for _, tensor := range e.loaded {
		errs = append(errs, tensor.FinalizeAll())
	}
	e.loaded = nil
	return errors.Join(errs...)
}
