package train

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// BenchmarkStep is one optimizer step of the embedded causal model.
func BenchmarkStep(b *testing.B) {
	opts := CausalOptions{Backend: "go"}
	if err := setDefaults(&opts); err != nil {
		b.Fatal(err)
	}
	backend, _, err := backends.Open(opts.Backend)
	if err != nil {
		b.Fatal(err)
	}
	shape := causalShape(opts)
	t, err := newTrainer(backend, causalParameters(shape), causalObjective(shape), shards, opts.Seed)
	if err != nil {
		b.Fatal(err)
	}
	w := &windows{length: opts.Context}
	r := rand.New(rand.NewPCG(1, 2))
	for range opts.Batch * opts.Context {
		w.ids = append(w.ids, int32(r.IntN(opts.Vocabulary)))
	}
	step := func() {
		half := opts.Batch / shards
		picked := w.spread(opts.Batch)
		if _, err := t.step([][]*tensors.Tensor{causalBatch(w, picked[:half], 0), causalBatch(w, picked[half:], 0)}, opts.LearningRate); err != nil {
			b.Fatal(err)
		}
	}
	step() // compiles
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.N*opts.Batch*opts.Context)/b.Elapsed().Seconds(), "tokens/s")
}
