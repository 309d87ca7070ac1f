package gradient

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// Part is part of a batch.
type Part struct {
	IDs     []int32 // [windows, length]
	Length  int     // tokens of a window
	Places  []int32 // [n, 2]: window and position of each token to predict, window by window; nil: every token's successor
	Targets []int32 // [windows, length] or, where there are places, [n]
}

// Windows is how many windows a part has.
func (p Part) Windows() int { return len(p.IDs) / p.Length }

// window computes one window's share: the loss, summed, with gradients times weight.
type window interface {
	window(w *worker, ids, positions, targets []int32, weight float32) float64
}

// Model computes losses and gradients.
type Model struct {
	window
	sizes   []int
	layers  []*dense
	weights [][]float32
	workers []*worker
}

// Load takes the weights of a step, in the order of the parameters. Nobody may change them until the gradients are
// there.
func (m *Model) Load(weights [][]float32) {
	m.weights = weights
	for _, d := range m.layers {
		d.load(weights)
	}
}

// Workers makes room for so many parts at a time.
func (m *Model) Workers(n int) {
	for len(m.workers) < n {
		m.workers = append(m.workers, newWorker(m.sizes))
	}
}

// Gradient returns a part's mean loss, in nats a predicted token, and its gradient, in the order of the parameters,
// which holds until the next call with the same worker. Calls with different workers may run at the same time.
func (m *Model) Gradient(worker int, p Part) (loss float64, gradients [][]float32) {
	w := m.workers[worker]
	w.begin(m.weights)
	weight := 1 / float32(len(p.Targets))
	places := 0
	for i := range p.Windows() {
		ids := p.IDs[i*p.Length:][:p.Length]
		if p.Places == nil {
			loss += m.window.window(w, ids, nil, p.Targets[i*p.Length:][:p.Length], weight)
			continue
		}
		var positions []int32
		first := places
		for ; places < len(p.Targets) && int(p.Places[2*places]) == i; places++ {
			positions = append(positions, p.Places[2*places+1])
		}
		loss += m.window.window(w, ids, positions, p.Targets[first:places], weight)
	}
	w.end()
	return loss / float64(len(p.Targets)), w.gradients
}

// parameters are the places of parameters by name.
type parameters struct {
	places map[string]int
	err    error
}

// of is the place of a parameter.
func (p *parameters) of(name string) int {
	i, ok := p.places[name]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("the model has no parameter %q", name)
	}
	return i
}

// newModel sorts the parameters.
func newModel(params []transformer.Param) (*Model, *parameters) {
	m := &Model{}
	p := &parameters{places: map[string]int{}}
	for i, param := range params {
		n := 1
		for _, d := range param.Shape {
			n *= d
		}
		m.sizes = append(m.sizes, n)
		p.places[param.Name] = i
	}
	return m, p
}

// dense adds a layer to those that Load packs.
func (m *Model) dense(in int, transpose bool, parts ...densePart) *dense {
	d := newDense(in, transpose, parts...)
	m.layers = append(m.layers, d)
	return d
}
