package models

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// maskedEngine runs a masked model in batches.
type maskedEngine struct {
	config   transformer.BERT
	shapes   maskedShapes
	weights  *weights
	programs *programs
	running  chan struct{} // one token for each batch on the backend

	processor *maskedProcessor // runs texts where the backend is the processor itself, nil elsewhere
}

// newMaskedEngine checks the files' header against the configuration; it reads no weights yet.
func newMaskedEngine(backend compute.Backend, info backends.Info, config maskedConfig, files safetensors.Weights) (*maskedEngine, error) {
	found, err := maskedLayout(config, files)
	if err != nil {
		return nil, err
	}
	e := &maskedEngine{
		config:   config.BERT,
		shapes:   newMaskedShapes(config.BERT),
		weights:  newWeights(backend, files, found),
		programs: newPrograms(),
		running:  make(chan struct{}, inFlight),
	}
	if info.Name == backends.Go {
		e.processor = newMaskedProcessor(config.BERT, e.weights)
	}
	return e, nil
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

// fillGraph gives the logits [n, d_vocab] of n rows alone; inputs are ids, lengths, and which rows [n], counted over
// batch and sequence.
func (e *maskedEngine) fillGraph(w transformer.Weights, inputs []*graph.Node) []*graph.Node {
	x := e.body(w, inputs[0], inputs[1], nil)
	x = graph.Gather(graph.Reshape(x, -1, e.config.DModel), graph.InsertAxes(inputs[2], -1))
	asked := x.Shape().Dimensions[0]
	if missing := e.shapes.bodyRows - asked; missing > 0 {
		empty := graph.Zeros(x.Graph(), shapes.Make(x.DType(), missing, e.config.DModel))
		x = graph.Concatenate([]*graph.Node{x, empty}, 0)
	}
	x = graph.Slice(e.config.Transform(w, x), graph.AxisRange(0, asked))
	return []*graph.Node{e.config.Decode(w, x)}
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

// logits runs the sequences, batched and some batches at a time, and returns result[i][k], the logits [d_vocab] of row
// k of sequence i.
func (e *maskedEngine) logits(ctx context.Context, sequences []maskedSequence) ([][][]float32, error) {
	for _, sequence := range sequences {
		if err := e.check(sequence.ids); err != nil {
			return nil, err
		}
	}
	result := make([][][]float32, len(sequences))
	if e.processor != nil {
		return result, e.onProcessor(ctx, sequences, result)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for _, batch := range e.shapes.batches(sequences) {
		select {
		case <-ctx.Done():
			continue
		case e.running <- struct{}{}:
		}
		wait.Go(func() {
			defer func() { <-e.running }()
			if ctx.Err() != nil {
				return
			}
			if err := e.fill(batch, result); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return result, nil
}

// onProcessor puts the logits of the sequences into result without programs, some texts at a time.
func (e *maskedEngine) onProcessor(ctx context.Context, sequences []maskedSequence, result [][][]float32) error {
	for first := 0; first < len(sequences); {
		tokens, end := 0, first
		for end < len(sequences) && (end == first || tokens+len(sequences[end].ids) <= maskedBatchTokens) {
			tokens += len(sequences[end].ids)
			end++
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e.running <- struct{}{}:
		}
		logits, err := e.processor.logits(ctx, sequences[first:end])
		<-e.running
		if err != nil {
			return err
		}
		for ; first < end; first++ {
			n := len(sequences[first].rows)
			result[first], logits = logits[:n:n], logits[n:]
		}
	}
	return nil
}

// fill runs one batch and puts its logits where they belong in result.
func (e *maskedEngine) fill(b maskedBatch, result [][][]float32) error {
	ids, lengths, rows := b.tensors()
	key := programKey{kind: fmt.Sprintf("fill %d", len(rows)), groups: b.size, rows: b.seq}
	return e.run(key, e.fillGraph, b, [][]int32{ids, lengths, rows}, func(_ int, flat []float32) {
		for _, i := range b.members {
			for range b.sequences[i].rows {
				result[i] = append(result[i], slices.Clone(flat[:e.config.DVocab]))
				flat = flat[e.config.DVocab:]
			}
		}
	})
}

// run runs a program of that key on a batch's inputs, the first of which is [size, seq] and the others flat.
func (e *maskedEngine) run(key programKey, build buildFunc, b maskedBatch, inputs [][]int32, read func(i int, flat []float32)) error {
	dims := []shapes.Shape{shapes.Make(dtypes.Int32, b.size, b.seq)}
	values := []any{inputs[0]}
	for _, input := range inputs[1:] {
		dims = append(dims, shapes.Make(dtypes.Int32, len(input)))
		values = append(values, input)
	}
	p, err := e.programs.get(key, func() (*program, error) { return e.weights.compile(key.kind, dims, build) })
	if err != nil {
		return err
	}
	return e.weights.run(p, dims, values, func(i int, flat any) { read(i, flat.([]float32)) })
}

// close releases weights and files.
func (e *maskedEngine) close() error { return e.weights.close() }
