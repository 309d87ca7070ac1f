package train

import (
	"math/rand/v2"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
)

// BenchmarkStep is one optimizer step of the embedded causal model, on the kernels, GoMLX's graphs in pure Go, and XLA
// where a plugin is.
func BenchmarkStep(b *testing.B) {
	for _, backend := range []string{backends.Go, graphsOnGo, backends.XLACPU, backends.XLACUDA} {
		b.Run(backend, func(b *testing.B) {
			opts := CausalOptions{Backend: backend}
			tagged.Fill(&opts)
			shape := causalShape(opts)
			t := newTrainer(causalMachine(b, opts, shape), causalParameters(shape), opts.Seed)
			w := &windows{length: opts.Context}
			r := rand.New(rand.NewPCG(1, 2))
			for range opts.Batch * opts.Context {
				w.ids = append(w.ids, int32(r.IntN(opts.Vocabulary)))
			}
			step := func() {
				half := opts.Batch / shards
				picked := w.spread(opts.Batch)
				if _, err := t.step([]gradient.Part{causalBatch(w, picked[:half], 0), causalBatch(w, picked[half:], 0)},
					opts.LearningRate); err != nil {
					b.Fatal(err)
				}
			}
			step() // compiles
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64(b.N*opts.Batch*opts.Context)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkStepMasked is one optimizer step of the embedded masked model on the kernels.
func BenchmarkStepMasked(b *testing.B) {
	opts := MaskedOptions{}
	tagged.Fill(&opts)
	shape := maskedShape(opts)
	parameters := maskedParameters(shape)
	model, err := gradient.NewBERT(shape, params(parameters))
	if err != nil {
		b.Fatal(err)
	}
	t := newTrainer(newOnKernels(model, parameters), parameters, opts.Seed)
	w := &windows{length: opts.Context - 2}
	r := rand.New(rand.NewPCG(1, 2))
	for range opts.Batch * w.length {
		w.ids = append(w.ids, int32(r.IntN(opts.Vocabulary)))
	}
	m := masker{vocabulary: opts.Vocabulary, asked: int(predictedShare * float64(w.length))}
	picked, half := w.spread(opts.Batch), opts.Batch/shards
	for b.Loop() {
		if _, err := t.step([]gradient.Part{m.batch(w, picked[:half], r, maskedShare, 0),
			m.batch(w, picked[half:], r, maskedShare, 0)}, opts.LearningRate); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*opts.Batch*w.length)/b.Elapsed().Seconds(), "tokens/s")
}
