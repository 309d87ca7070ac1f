package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// parameter is one trained tensor.
type parameter struct {
	transformer.Param
	muon   bool    // updated by Muon rather than AdamW
	pace   float64 // multiplies its learning rate; 0 is 1
	spread float64 // standard deviation of its initial values
	start  float64 // their mean
	// pattern, where there is one, is added to the initial values.
	pattern func(values []float32)
}

// initial draws the values a parameter starts from.
func (p parameter) initial(seed uint64, index int) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(index)+1<<32))
	values := make([]float32, size(p.Shape))
	for i := range values {
		values[i] = float32(p.start + p.spread*r.NormFloat64())
	}
	if p.pattern != nil {
		p.pattern(values)
	}
	return values
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// objective builds the loss of a part of a batch, a scalar, from the part's inputs.
type objective func(w transformer.Weights, inputs []*Node) *Node

// trainer holds the weights and the optimizer's moments on a backend, and the programs that move them.
type trainer struct {
	backend compute.Backend
	params  []parameter
	shards  int
	done    int // steps taken

	weights, first, second []*tensors.Tensor

	gradients *Exec
	optimizer *Exec
}

// newTrainer compiles nothing yet: programs are built for the shapes they first meet. A batch is cut into as many parts
// as there are shards; their gradients are computed side by side and averaged in a fixed order.
func newTrainer(backend compute.Backend, params []parameter, objective objective, shards int, seed uint64) (*trainer, error) {
	t := &trainer{backend: backend, params: params, shards: shards}
	for i, p := range params {
		t.weights = append(t.weights, tensor(p.initial(seed, i), p.Shape))
		t.first = append(t.first, tensor(make([]float32, size(p.Shape)), p.Shape))
		t.second = append(t.second, tensor(make([]float32, size(secondShape(p))), secondShape(p)))
	}
	n := len(params)
	lookup := func(nodes []*Node) transformer.Weights {
		byName := make(map[string]*Node, n)
		for i, p := range params {
			byName[p.Name] = nodes[i]
		}
		return func(name string) *Node { return byName[name] }
	}
	var err error
	if t.gradients, err = NewExec(backend, func(in []*Node) []*Node {
		loss := objective(lookup(in), in[n:])
		return append([]*Node{loss}, Gradient(loss, in[:n]...)...)
	}); err != nil {
		return nil, fmt.Errorf("building the gradient: %w", err)
	}
	t.optimizer, err = NewExec(backend, func(in []*Node) []*Node {
		rate, step, in := in[0], in[1], in[2:]
		mean := make([]*Node, n)
		for i := range n {
			mean[i] = in[3*n+i]
			for shard := 1; shard < shards; shard++ {
				mean[i] = Add(mean[i], in[(3+shard)*n+i])
			}
			mean[i] = DivScalar(mean[i], float64(shards))
		}
		w, m, v := update(params, rate, step, in[:n], in[n:2*n], in[2*n:3*n], mean)
		return append(append(w, m...), v...)
	})
	if err != nil {
		return nil, fmt.Errorf("building the optimizer: %w", err)
	}
	return t, nil
}

func tensor(values []float32, shape []int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

// step takes one step with the batch's parts, one for each shard, each with the objective's inputs. It returns the mean
// loss before the step.
func (t *trainer) step(parts [][]*tensors.Tensor, rate float64) (float64, error) {
	n := len(t.params)
	for _, w := range t.weights {
		if err := w.MaterializeOnDevice(t.backend, false, 0); err != nil {
			return 0, fmt.Errorf("moving the weights to the backend: %w", err)
		}
	}
	results := make([][]*tensors.Tensor, t.shards)
	errs := make([]error, t.shards)
	var wait sync.WaitGroup
	for shard, part := range parts {
		wait.Go(func() { results[shard], errs[shard] = t.gradients.Call(arguments(t.weights, part)...) })
	}
	wait.Wait()
	var loss float64
	groups := [][]*tensors.Tensor{t.weights, t.first, t.second}
	for shard := range parts {
		if errs[shard] != nil {
			return 0, fmt.Errorf("computing the gradient: %w", errs[shard])
		}
		loss += float64(tensors.ToScalar[float32](results[shard][0])) / float64(t.shards)
		groups = append(groups, results[shard][1:])
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, fmt.Errorf("the loss is %v after %d steps: the training has diverged, try a lower learning rate", loss, t.done)
	}
	args := []any{float32(rate), float32(t.done + 1)}
	moved, err := t.optimizer.Call(append(args, arguments(groups...)...)...)
	if err != nil {
		return 0, fmt.Errorf("updating the weights: %w", err)
	}
	for _, group := range groups {
		release(group)
	}
	t.weights, t.first, t.second = moved[:n], moved[n:2*n], moved[2*n:]
	t.done++
	return loss, nil
}

// arguments strings groups of tensors together for a call.
func arguments(groups ...[]*tensors.Tensor) []any {
	var args []any
	for _, group := range groups {
		for _, t := range group {
			args = append(args, t)
		}
	}
	return args
}

// release frees tensors that nobody reads any more, without waiting for the garbage collector.
func release(group []*tensors.Tensor) {
	for _, t := range group {
		t.FinalizeAll()
	}
}
