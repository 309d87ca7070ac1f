package models

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/internal/queue"
)

// Neurons, layers and hooks asked at the same time, some calls cancelled, are each answered as if alone.
func TestConcurrentNeurons(t *testing.T) {
	m, err := Open(filepath.Join(goldenModels, "solu"), Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	type question struct {
		layer, index int
		hook         string
		prompts      [][]int
		want         [][]float32
	}
	questions := make([]question, 24)
	for i := range questions {
		q := question{layer: rng.IntN(3), index: rng.IntN(m.config.DMLP),
			hook: []string{"hook_pre", "hook_mid", "hook_post"}[rng.IntN(3)]}
		for range 1 + rng.IntN(30) {
			var ids []int
			for range 1 + rng.IntN(6) {
				ids = append(ids, rng.IntN(m.config.DVocab))
			}
			q.prompts = append(q.prompts, ids)
		}
		if q.want, err = m.Activations(t.Context(), q.layer, q.hook, q.index, q.prompts, nil); err != nil {
			t.Fatal(err)
		}
		questions[i] = q
	}
	var wg sync.WaitGroup
	for caller := range 64 {
		q := questions[caller%len(questions)]
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if caller%5 == 0 {
				go cancel()
			}
			got, err := m.Activations(ctx, q.layer, q.hook, q.index, q.prompts, nil)
			switch {
			case caller%5 == 0 && errors.Is(err, context.Canceled):
			case err != nil:
				t.Error(err)
			case !slices.EqualFunc(got, q.want, slices.Equal):
				t.Errorf("layer %d neuron %d at %s: differs among others", q.layer, q.index, q.hook)
			}
		})
	}
	wg.Wait()
}

// Close under way: calls are answered or told that the model is closed, and later ones are told so.
func TestClose(t *testing.T) {
	m, err := Open(filepath.Join(goldenModels, "solu"), Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for index := range 8 {
		calls.Go(func() {
			for {
				if _, err := m.Activations(context.Background(), 1, "", index, [][]int{{0, 5, 6}}, nil); err != nil {
					if !errors.Is(err, queue.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	if _, err := m.LayerActivations(t.Context(), 1, "", [][]int{{0}}); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("asked after Close: %v", err)
	}
}
