package train

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
)

// objective builds the loss of a part of a batch, a scalar, from the part's inputs: ids, targets and, where there are
// any, places. What is made small is the loss and the penalty, which may be nil.
type objective func(w transformer.Weights, inputs []*Node) (loss, penalty *Node)

// graphs is the machine that computes with GoMLX, on any backend. Parts of a batch are computed side by side.
type graphs struct {
	backend   compute.Backend
	shards    int
	gradients *Exec
	optimizer *Exec

	weights, first, second []*tensors.Tensor // nil where the trainer's own are newer
}

// newGraphs compiles nothing yet: programs are built for the shapes they first meet.
func newGraphs(backend compute.Backend, params []parameter, objective objective, shards int) (*graphs, error) {
	m := &graphs{backend: backend, shards: shards}
	n := len(params)
	var err error
	if m.gradients, err = NewExec(backend, func(in []*Node) []*Node {
		loss, penalty := objective(lookup(params, in), in[n:])
		sum := loss
		if penalty != nil {
			sum = Add(loss, penalty)
		}
		return append([]*Node{loss}, Gradient(sum, in[:n]...)...)
	}); err != nil {
		return nil, fmt.Errorf("building the gradient: %w", err)
	}
	m.optimizer, err = NewExec(backend, func(in []*Node) []*Node {
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
	return m, nil
}

// lookup finds parameters among the nodes of a graph.
func lookup(params []parameter, nodes []*Node) transformer.Weights {
	byName := make(map[string]*Node, len(params))
	for i, p := range params {
		byName[p.Name] = nodes[i]
	}
	return func(name string) *Node { return byName[name] }
}

func tensor(values []float32, shape []int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

// inputs are a part's tensors.
func inputs(p gradient.Part) []*tensors.Tensor {
	list := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(p.IDs, p.Windows(), p.Length),
		tensors.FromFlatDataAndDimensions(p.Targets, len(p.Targets)),
	}
	if p.Places != nil {
		list = append(list, tensors.FromFlatDataAndDimensions(p.Places, len(p.Targets), 2))
	}
	return list
}

func (m *graphs) step(t *trainer, parts []gradient.Part, rate float64) (float64, error) {
	n := len(t.params)
	if m.weights == nil {
		for i, p := range t.params {
			m.weights = append(m.weights, tensor(t.weights[i], p.Shape))
			m.first = append(m.first, tensor(t.first[i], p.Shape))
			m.second = append(m.second, tensor(t.second[i], secondShape(p)))
		}
	}
	for _, w := range m.weights {
		if err := w.MaterializeOnDevice(m.backend, false, 0); err != nil {
			return 0, fmt.Errorf("moving the weights to the backend: %w", err)
		}
	}
	results := make([][]*tensors.Tensor, m.shards)
	errs := make([]error, m.shards)
	var wait sync.WaitGroup
	for shard, part := range parts {
		wait.Go(func() { results[shard], errs[shard] = m.gradients.Call(arguments(m.weights, inputs(part))...) })
	}
	wait.Wait()
	var loss float64
	groups := [][]*tensors.Tensor{m.weights, m.first, m.second}
	for shard := range parts {
		if errs[shard] != nil {
			return 0, fmt.Errorf("computing the gradient: %w", errs[shard])
		}
		loss += float64(tensors.ToScalar[float32](results[shard][0])) / float64(m.shards)
		groups = append(groups, results[shard][1:])
	}
	if err := t.finite(loss); err != nil {
		return 0, err
	}
	args := []any{float32(rate), float32(t.done + 1)}
	moved, err := m.optimizer.Call(append(args, arguments(groups...)...)...)
	if err != nil {
		return 0, fmt.Errorf("updating the weights: %w", err)
	}
	for _, group := range groups {
		release(group)
	}
	m.weights, m.first, m.second = moved[:n], moved[n:2*n], moved[2*n:]
	return loss, nil
}

func (m *graphs) read(t *trainer) error {
	if m.weights == nil {
		return nil
	}
	for _, group := range []struct {
		from []*tensors.Tensor
		to   [][]float32
	}{{m.weights, t.weights}, {m.first, t.first}, {m.second, t.second}} {
		for i, from := range group.from {
			values, err := tensors.CopyFlatData[float32](from)
			if err != nil {
				return fmt.Errorf("reading %s: %w", t.params[i].Name, err)
			}
			group.to[i] = values
		}
	}
	return nil
}

func (m *graphs) written() { m.weights, m.first, m.second = nil, nil, nil }

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
