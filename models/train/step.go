package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
)

// parameter is one trained tensor.
type parameter struct {
	transformer.Param
	muon  bool    // updated by Muon rather than AdamW
	pace  float64 // multiplies its learning rate; 0 is 1
	fixed bool    // keeps its initial values
	// columnNorm, if not 0, is what each column of the matrix is brought back to after every step.
	columnNorm float64
	spread     float64 // standard deviation of its initial values
	start      float64 // their mean
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
	if p.columnNorm != 0 {
		normalizeColumns(values, p.Shape[1], p.columnNorm)
	}
	return values
}

// normalizeColumns scales each column of a matrix, row by row in values, to a Euclidean norm.
func normalizeColumns(values []float32, columns int, norm float64) {
	squares := make([]float64, columns)
	for i, v := range values {
		squares[i%columns] += float64(v) * float64(v)
	}
	for i := range values {
		if s := squares[i%columns]; s > 0 {
			values[i] = float32(float64(values[i]) * norm / math.Sqrt(s))
		}
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// params lists names and shapes.
func params(list []parameter) []transformer.Param {
	out := make([]transformer.Param, len(list))
	for i, p := range list {
		out[i] = p.Param
	}
	return out
}

// trainer holds the weights and the optimizer's moments, and the machine that moves them.
type trainer struct {
	params  []parameter
	done    int // steps taken
	machine machine

	// Where the machine has moved them, these are up to date only after its read.
	weights, first, second [][]float32
}

// machine computes steps.
type machine interface {
	// step takes a trainer's next step with the parts of a batch and returns the mean loss before it.
	step(t *trainer, parts []gradient.Part, rate float64) (float64, error)
	// read brings the trainer's weights and moments up to date.
	read(t *trainer) error
	// written tells that they were changed from outside.
	written()
}

// newTrainer starts from random weights.
func newTrainer(m machine, params []parameter, seed uint64) *trainer {
	t := &trainer{params: params, machine: m}
	for i, p := range params {
		t.weights = append(t.weights, p.initial(seed, i))
		t.first = append(t.first, make([]float32, size(p.Shape)))
		t.second = append(t.second, make([]float32, size(secondShape(p))))
	}
	return t
}

// step takes one step with the batch's parts. It returns the mean loss before the step.
func (t *trainer) step(parts []gradient.Part, rate float64) (float64, error) {
	loss, err := t.machine.step(t, parts, rate)
	if err != nil {
		return 0, err
	}
	t.done++
	return loss, nil
}

// finite refuses a loss that is no number.
func (t *trainer) finite(loss float64) error {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("the loss is %v after %d steps: the training has diverged, try a lower learning rate", loss, t.done)
	}
	return nil
}
