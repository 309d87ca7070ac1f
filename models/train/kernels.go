package train

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// onKernels is the machine that computes on the processor, with gradients written out: package gradient and the
// optimizer below, which does what [update] does.
type onKernels struct {
	model *gradient.Model
	each  []*orthogonalizer // by parameter; nil where AdamW moves it
}

func newOnKernels(model *gradient.Model, params []parameter) *onKernels {
	m := &onKernels{model: model}
	model.Workers(shards)
	for _, p := range params {
		var o *orthogonalizer
		if p.muon {
			o = newOrthogonalizer(p.Shape)
		}
		m.each = append(m.each, o)
	}
	return m
}

func (m *onKernels) read(*trainer) error { return nil }

func (m *onKernels) written() {}

func (m *onKernels) step(t *trainer, parts []gradient.Part, rate float64) (float64, error) {
	m.model.Load(t.weights)
	losses := make([]float64, len(parts))
	gradients := make([][][]float32, len(parts))
	var wait sync.WaitGroup
	for shard, part := range parts {
		wait.Go(func() { losses[shard], gradients[shard] = m.model.Gradient(shard, part) })
	}
	wait.Wait()
	var loss float64
	for _, l := range losses {
		loss += l / float64(len(parts))
	}
	if err := t.finite(loss); err != nil {
		return 0, err
	}
	// The mean of the parts' gradients takes the place of the first one's.
	mean, squares := gradients[0], make([]float64, len(t.params))
	inParallel(len(t.params), func(i int) {
		for _, other := range gradients[1:] {
			kernels.Add(mean[i], other[i])
		}
		share := 1 / float32(len(parts))
		for k, v := range mean[i] {
			v *= share
			mean[i][k] = v
			squares[i] += float64(v) * float64(v)
		}
	})
	var sum float64
	for _, s := range squares {
		sum += s
	}
	clip := float32(1 / max(1, math.Sqrt(sum)/gradientCap))
	inParallel(len(t.params), func(i int) { m.move(t, i, mean[i], clip, rate) })
	return loss, nil
}

// move updates a parameter and its moments; its gradient is used up.
func (m *onKernels) move(t *trainer, i int, gradient []float32, clip float32, rate float64) {
	p, weights, first := t.params[i], t.weights[i], t.first[i]
	if p.fixed {
		return
	}
	direction := gradient
	if o := m.each[i]; o != nil {
		for k, g := range gradient {
			g *= clip
			first[k] = first[k]*muonBeta + g
			direction[k] = first[k]*muonBeta + g
		}
		o.apply(direction)
	} else {
		second, step := t.second[i], float64(t.done+1)
		unbiasFirst, unbiasSecond := float32(1/(1-math.Pow(adamBeta1, step))), float32(1/(1-math.Pow(adamBeta2, step)))
		for k, g := range gradient {
			g *= clip
			f, s := first[k]*adamBeta1+g*(1-adamBeta1), second[k]*adamBeta2+g*g*(1-adamBeta2)
			first[k], second[k] = f, s
			direction[k] = f * unbiasFirst / (float32(math.Sqrt(float64(s*unbiasSecond))) + adamEpsilon)
		}
	}
	pace := float32(rate)
	if p.pace != 0 {
		pace *= float32(p.pace)
	}
	if len(p.Shape) >= 2 {
		for k, w := range weights {
			weights[k] = w - pace*(direction[k]+weightDecay*w)
		}
		if p.columnNorm != 0 {
			normalizeColumns(weights, p.Shape[1], p.columnNorm)
		}
		return
	}
	kernels.AddScaled(weights, direction, -pace)
}

// inParallel calls f for 0 … n-1, a few at a time. Calls share nothing that is written.
func inParallel(n int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range shards {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}

// orthogonalizer does what [orthogonal] does to the matrices of a parameter.
type orthogonalizer struct {
	rows, columns     int // of each matrix
	least, most       int // the smaller of the two, and the other
	x, gram, poly     []float32
	turned, square, y *kernels.Matrix
}

func newOrthogonalizer(shape []int) *orthogonalizer {
	o := &orthogonalizer{rows: shape[len(shape)-2], columns: shape[len(shape)-1]}
	o.least, o.most = min(o.rows, o.columns), max(o.rows, o.columns)
	o.x, o.gram, o.poly = make([]float32, o.least*o.most), make([]float32, o.least*o.least),
		make([]float32, o.least*o.least)
	o.turned, o.square, o.y = kernels.NewMatrix(o.most, o.least), kernels.NewMatrix(o.least, o.least),
		kernels.NewMatrix(o.least, o.most)
	return o
}

// apply replaces each matrix of a stack.
func (o *orthogonalizer) apply(stack []float32) {
	const a, b, c = 3.4445, -4.7750, 2.0315
	n := o.rows * o.columns
	for ; len(stack) > 0; stack = stack[n:] {
		matrix := stack[:n]
		if o.rows > o.columns {
			transpose(o.x, matrix, o.rows, o.columns)
		} else {
			copy(o.x, matrix)
		}
		norm := math.Sqrt(float64(kernels.Dot(o.x, o.x)))
		scale(o.x, float32(1/(norm+1e-7)))
		for range 5 {
			o.turned.PackTransposed(o.x, o.most)
			o.turned.Mul(o.gram, o.x, o.least)
			o.square.Pack(o.gram, o.least)
			o.square.Mul(o.poly, o.gram, o.least)
			for i, g := range o.gram {
				o.poly[i] = b*g + c*o.poly[i]
			}
			// x becomes a·x + poly·x.
			o.y.Pack(o.x, o.most)
			scale(o.x, a)
			o.y.Product(o.x, o.most, kernels.Rows{Data: o.poly, Row: o.least, Term: 1}, o.least, 0, o.least, o.most, true)
		}
		scale(o.x, float32(muonRMS*math.Sqrt(float64(o.most))))
		if o.rows > o.columns {
			transpose(matrix, o.x, o.columns, o.rows)
		} else {
			copy(matrix, o.x)
		}
	}
}

// transpose writes the transpose of a matrix [rows, columns] to dst.
func transpose(dst, x []float32, rows, columns int) {
	for r := range rows {
		for c, v := range x[r*columns:][:columns] {
			dst[c*rows+r] = v
		}
	}
}

// scale multiplies x by a number.
func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}
