package models

import (
	"context"
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/queue"
	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// maskedEngine runs a masked model in batches.
type maskedEngine struct {
	config   transformer.BERT
	shapes   maskedShapes
	weights  *weights
	programs *programs
	queue    *queue.Queue[maskedTask, maskedPiece]

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
		shapes:   maskedShapes{config.Positions},
		weights:  newWeights(backend, files, found),
		programs: newPrograms(),
	}
	if info.Name == backends.Go {
		e.processor = newMaskedProcessor(config.BERT, e.weights)
	}
	e.queue = queue.New(queue.Config[maskedTask, maskedPiece]{Workers: inFlight, Calls: mostCalls, Choose: e.shapes.choose, Run: e.runBatch})
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
	return []*graph.Node{e.config.Unembed(w, x)}
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

// logits runs the sequences beside those of other callers and returns result[i][k], the logits [d_vocab] of row k of
// sequence i.
func (e *maskedEngine) logits(ctx context.Context, sequences []maskedSequence) ([][][]float32, error) {
	for _, sequence := range sequences {
		if err := e.check(sequence.ids); err != nil {
			return nil, err
		}
	}
	result := make([][][]float32, len(sequences))
	byLength := map[maskedTask][]maskedPiece{}
	for i, sequence := range sequences {
		if len(sequence.rows) == 0 {
			continue
		}
		var t maskedTask
		if e.processor == nil {
			t.seq = e.shapes.length(len(sequence.ids))
		}
		byLength[t] = append(byLength[t], maskedPiece{sequence: sequence, logits: &result[i]})
	}
	// Each length is a call of its own, since a call's pieces are of one task.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for t, pieces := range byLength {
		wait.Go(func() {
			if err := e.queue.Do(ctx, t, pieces); err != nil {
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

// runBatch runs texts of one padded length, or a batch that its caller has filled.
func (e *maskedEngine) runBatch(ctx context.Context, t maskedTask, pieces []maskedPiece) error {
	if t.alone {
		return pieces[0].alone()
	}
	sequences := make([]maskedSequence, len(pieces))
	for i, p := range pieces {
		sequences[i] = p.sequence
	}
	logits, err := e.fill(ctx, maskedBatch{sequences, t.seq})
	if err != nil {
		return err
	}
	for _, p := range pieces {
		n := len(p.sequence.rows)
		*p.logits, logits = logits[:n:n], logits[n:]
	}
	return nil
}

// fill returns the logits of the rows asked of a batch, one after the other.
func (e *maskedEngine) fill(ctx context.Context, b maskedBatch) (logits [][]float32, err error) {
	if e.processor != nil {
		return e.processor.logits(ctx, b.sequences)
	}
	ids, lengths, rows := b.tensors()
	key := programKey{kind: fmt.Sprintf("fill %d", len(rows)), groups: len(lengths), rows: b.seq}
	err = e.run(key, e.fillGraph, b, [][]int32{ids, lengths, rows}, func(_ int, flat []float32) {
		logits = splitRows(flat, len(rows))
	})
	return logits, err
}

// run runs a program of that key on a batch's inputs, the first of which is [size, seq] and the others flat.
func (e *maskedEngine) run(key programKey, build buildFunc, b maskedBatch, inputs [][]int32, read func(i int, flat []float32)) error {
	dims := []shapes.Shape{shapes.Make(dtypes.Int32, b.size(), b.seq)}
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

// close ends what waits and what runs, and releases weights and files.
func (e *maskedEngine) close() error {
	e.queue.Close()
	return e.weights.close()
}
