package n2g

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// goldenExamples are the examples of every third golden neuron.
func goldenExamples(t *testing.T) []Examples {
	t.Helper()
	files, _ := filepath.Glob("../testdata/golden/neurons/neuron_*")
	var list []Examples
	for i := 0; i < len(files); i += 3 {
		ref := readGoldenGraph[refNeuron](t, "neurons/"+filepath.Base(files[i]))
		list = append(list, Examples{Site: Site{Layer: ref.Layer, Index: ref.Neuron}, MaxActivation: ref.MaxAct,
			Prompts: ref.Prompts})
	}
	if len(list) < 9 {
		t.Fatalf("only %d golden neurons", len(list))
	}
	return list
}

// TestExplanationsDoNotDependOnConcurrency: explained one at a time and 64 at a time, with some given up half-way, a
// neuron's Explanation is the same to the last byte, every stage included.
func TestExplanationsDoNotDependOnConcurrency(t *testing.T) {
	const inFlight = 64
	neurons := goldenExamples(t)
	if testing.Short() {
		neurons = neurons[:3]
	}
	model, masked := openGolden(t, "distilbert")
	explain := func(ctx context.Context, i int) ([]byte, error) {
		e, err := Explain(ctx, model, masked, neurons[i], Options{Stages: true})
		if err != nil {
			return nil, err
		}
		return json.Marshal(e)
	}
	want := make([][]byte, len(neurons))
	for i := range neurons {
		var err error
		if want[i], err = explain(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for range inFlight {
		i, giveUp := rng.IntN(len(neurons)), rng.IntN(4) == 0
		after := time.Duration(rng.IntN(1000)) * time.Millisecond
		wg.Go(func() {
			ctx := t.Context()
			if giveUp {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, after)
				defer cancel()
			}
			got, err := explain(ctx, i)
			switch {
			case giveUp && errors.Is(err, context.DeadlineExceeded):
			case err != nil:
				t.Error(err)
			case !bytes.Equal(got, want[i]):
				t.Errorf("layer %d neuron %d differs when %d are explained at a time", neurons[i].Site.Layer, neurons[i].Site.Index,
					inFlight)
			}
		})
	}
	wg.Wait()
}
