package main

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// speed is how fast a model answers for one batch size.
type speed struct {
	Model            string
	Backend          string // empty is the one that is checked
	Prompts, Tokens  int    // of each prompt
	First            float64
	Median           float64 // seconds of a call
	Runs             int
	FirstWithWeights bool // the first call of the process: reading weights is part of First
}

// speedModel is a model of random weights whose speed is measured.
type speedModel struct {
	name  string
	shape transformer.Decoder
	model func(transformer.Decoder) (config string, shapes []transformer.Param)
}

// speedModels are of the sizes of the short paper's model and of GPT-2 small.
var speedModels = []speedModel{
	{"solu-6l-768", transformer.Decoder{Layers: 6, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 48262,
		Positions: 1024, Activation: "solu_ln"}, lensModel},
	{"gpt2-small", transformer.Decoder{Layers: 12, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 50257,
		Positions: 1024}, gpt2Model},
}

// quick is a tiny model of the kind.
func (sm speedModel) quick() transformer.Decoder {
	shape := sm.shape
	shape.Layers, shape.DModel, shape.Heads, shape.DMLP, shape.DVocab = 2, 128, 2, 256, 1000
	return shape
}

// promptTokens is the length of the prompts, that of a pruned text with its context.
const promptTokens = 32

// batchSizes are the prompts of a call.
var batchSizes = []int{1, 8, 32, 128, 512}

// slow is how long a call may take for larger batches still to be tried.
const slow = 8 * time.Second

// measureSpeed is the part that measures a model, on the backend that is checked or on another.
func measureSpeed(sm speedModel, backend string) func(context.Context, settings, func(finding) error) error {
	return func(ctx context.Context, s settings, found func(finding) error) (err error) {
		folder, err := os.MkdirTemp("", "gpucheck")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		shape, sizes, enough := sm.shape, batchSizes, 3*time.Second
		if s.quick {
			shape, sizes, enough = sm.quick(), sizes[:2], 0
		}
		config, shapes := sm.model(shape)
		if err := writeRandom(folder, config, shapes); err != nil {
			return err
		}
		watch := watchMemory()
		defer watch.stop()
		m, err := models.Open(folder, models.Options{Backend: cmp.Or(backend, s.backend)})
		if err != nil {
			return err
		}
		defer m.Close()
		for i, prompts := range sizes {
			figure, err := measure(ctx, m, prompts, enough)
			if err != nil {
				return err
			}
			figure.Model, figure.Backend, figure.FirstWithWeights = sm.name, backend, i == 0
			if err := found(finding{Speed: &figure}); err != nil {
				return err
			}
			if figure.Median > slow.Seconds() {
				break
			}
		}
		used := watch.stop()
		used.Model, used.Backend = sm.name, backend
		return found(finding{Memory: &used})
	}
}

// measure reads one neuron of the last layer on distinct prompts, again and again until that was enough time.
func measure(ctx context.Context, m *models.Causal, prompts int, enough time.Duration) (speed, error) {
	random := rand.New(rand.NewPCG(3, uint64(prompts)))
	ids := make([][]int, prompts)
	for i := range ids {
		for range promptTokens {
			ids[i] = append(ids[i], random.IntN(m.Config().DVocab))
		}
	}
	call := func() (float64, error) {
		began := time.Now()
		_, err := m.Activations(ctx, m.Config().Layers-1, "", 5, ids, nil)
		return time.Since(began).Seconds(), err
	}
	figure := speed{Prompts: prompts, Tokens: promptTokens}
	var err error
	if figure.First, err = call(); err != nil {
		return speed{}, err
	}
	const most = 50
	var times []float64
	for total := 0.0; len(times) == 0 || total < enough.Seconds() && len(times) < most; {
		seconds, err := call()
		if err != nil {
			return speed{}, err
		}
		times = append(times, seconds)
		total += seconds
	}
	slices.Sort(times)
	figure.Median, figure.Runs = times[len(times)/2], len(times)
	return figure, nil
}
