package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/queue"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// Masked runs a masked model in batches.
type Masked struct {
	shape      transformer.BERT
	parameters *parameters
	runner     maskedRunner
	exploring  *maskedPrograms // which keeps every value on the way
	queue      *queue.Queue[maskedTask, maskedPiece]
}

// maskedRunner is a way to compute.
type maskedRunner interface {
	// task is that of a text of n tokens.
	task(n int) maskedTask
	// logits are those of the rows asked of texts of one task, one after the other.
	logits(ctx context.Context, sequences []Sequence, t maskedTask) ([][]float32, error)
}

// NewMasked prepares a model of a shape on a backend. No weights are read yet.
func NewMasked(shape transformer.BERT, backend compute.Backend, info backends.Info, files safetensors.Weights,
	l weights.Layout) (*Masked, error) {
	e := &Masked{shape: shape, parameters: newParameters(backend, files, l)}
	e.exploring = newMaskedPrograms(shape, e.parameters)
	e.runner = e.exploring
	if info.Name == backends.Go {
		kernels, err := newMaskedKernels(shape, e.parameters)
		if err != nil {
			return nil, err
		}
		e.runner = kernels
	}
	e.queue = queue.New(queue.Config[maskedTask, maskedPiece]{Workers: inFlight, Calls: mostCalls, Choose: chooseMasked,
		Run: e.run})
	return e, nil
}

// UsePrograms makes the model answer through compiled programs on every backend; for tests, before anything is asked.
func (e *Masked) UsePrograms() { e.runner = e.exploring }

// Programs is how many programs were compiled so far.
func (e *Masked) Programs() int { return int(e.exploring.cached.compiled.Load()) }

// Close ends what waits and what runs, and releases weights and files.
func (e *Masked) Close() error {
	e.queue.Close()
	return e.parameters.close()
}

// check refuses a sequence that the model cannot run.
func (e *Masked) check(ids []int) error {
	if len(ids) == 0 || len(ids) > e.shape.Positions {
		return fmt.Errorf("%d tokens, but the model reads from 1 to %d", len(ids), e.shape.Positions)
	}
	for i, id := range ids {
		if id < 0 || id >= e.shape.DVocab {
			return fmt.Errorf("token id %d at position %d lies outside the model's vocabulary of %d", id, i, e.shape.DVocab)
		}
	}
	return nil
}

// Logits runs the sequences beside those of other callers and returns result[i][k], the logits [d_vocab] of row k of
// sequence i.
func (e *Masked) Logits(ctx context.Context, sequences []Sequence) ([][][]float32, error) {
	for _, sequence := range sequences {
		if err := e.check(sequence.IDs); err != nil {
			return nil, err
		}
	}
	result := make([][][]float32, len(sequences))
	byLength := map[maskedTask][]maskedPiece{}
	for i, sequence := range sequences {
		if len(sequence.Rows) == 0 {
			continue
		}
		t := e.runner.task(len(sequence.IDs))
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

// run runs texts of one padded length, or a batch that its caller has filled.
func (e *Masked) run(ctx context.Context, t maskedTask, pieces []maskedPiece) error {
	if t.alone {
		return pieces[0].alone()
	}
	sequences := make([]Sequence, len(pieces))
	for i, p := range pieces {
		sequences[i] = p.sequence
	}
	logits, err := e.runner.logits(ctx, sequences, t)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		n := len(p.sequence.Rows)
		*p.logits, logits = logits[:n:n], logits[n:]
	}
	return nil
}

// RunWithCache runs one text and keeps every value, and the logits of the word at each position.
func (e *Masked) RunWithCache(ctx context.Context, ids []int) (cache *Cache, err error) {
	if err := e.check(ids); err != nil {
		return nil, err
	}
	return cache, e.queue.Do(ctx, maskedTask{alone: true}, []maskedPiece{{alone: func() (err error) {
		cache, err = e.exploring.cache(ids)
		return err
	}}})
}
