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

// drawGroup plants random prompts for a neuron and asks some of their positions.
func drawGroup(rng *rand.Rand, index, prompts, vocabulary int) (*group, []request) {
	requests := make([]request, prompts)
	for i := range requests {
		for range 1 + rng.IntN(6) {
			requests[i].ids = append(requests[i].ids, rng.IntN(vocabulary))
		}
		requests[i].index = index
		requests[i].positions = []int{rng.IntN(len(requests[i].ids))}
	}
	return plant(requests, 1<<20)[0], requests
}

func TestChooseForest(t *testing.T) {
	waiting := func(rows ...int) (list []piece) {
		for _, n := range rows {
			list = append(list, piece{group: &group{ids: make([]int32, n)}})
		}
		return list
	}
	const enough, most = 100, 150
	for _, test := range []struct {
		rows []int
		want []int
	}{
		{[]int{10}, []int{0}},
		{[]int{1000, 10}, []int{0}},              // one of more than most runs alone
		{[]int{40, 40, 40, 40}, []int{0, 1, 2}},  // enough
		{[]int{90, 90, 30, 10}, []int{0, 2}},     // one too large is passed over
		{[]int{10, 20, 30}, []int{0, 1, 2}},      // nobody waits for more
		{[]int{60, 100, 20, 70}, []int{0, 2, 3}}, // to the last row
		{[]int{100, 1}, []int{0}},                // exactly enough
	} {
		if got := chooseForest(waiting(test.rows...), enough, most); !slices.Equal(got, test.want) {
			t.Errorf("of groups of %d rows %d are chosen, want %d", test.rows, got, test.want)
		}
	}
}

// Groups of different neurons give one by one what they give as one forest.
func TestJoinedForests(t *testing.T) {
	m, err := Open(filepath.Join(goldenModels, "solu"), Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	var pieces []piece
	var got, want [][]float32
	for i := range 7 {
		g, requests := drawGroup(rng, 5*i%3, 1+rng.IntN(20), 40)
		asked, _ := g.asked(requests)
		alone, err := m.engine.processor.column(t.Context(), g, 1, "hook_mid", asked)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, alone)
		pieces = append(pieces, piece{group: g, asked: asked, read: func(first int, values []float32) {
			got = append(got, values[first:first+len(asked)])
		}})
	}
	if err := m.engine.runForest(t.Context(), task{columnTask, 1, "hook_mid"}, pieces); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("joined:\n%v, one by one:\n%v", got, want)
	}
}

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
		q := question{layer: rng.IntN(3), index: rng.IntN(m.config.DMLP), hook: []string{"hook_pre", "hook_mid", "hook_post"}[rng.IntN(3)]}
		_, requests := drawGroup(rng, q.index, 1+rng.IntN(30), m.config.DVocab)
		for _, r := range requests {
			q.prompts = append(q.prompts, r.ids)
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
