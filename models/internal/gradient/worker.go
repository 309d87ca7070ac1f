package gradient

import "github.com/neuron2graph/neuron2graph/models/internal/kernels"

// worker is what one goroutine computes with.
type worker struct {
	weights   [][]float32 // the parameters, as they are
	gradients [][]float32 // of the same shapes
	scratch   []float32
	matrices  map[shape]*kernels.Matrix
	merges    map[*dense][]float32 // gradients of layers that were made one
	rows      map[string][]float32
}

func newWorker(sizes []int) *worker {
	w := &worker{matrices: map[shape]*kernels.Matrix{}, merges: map[*dense][]float32{}, rows: map[string][]float32{}}
	for _, n := range sizes {
		w.gradients = append(w.gradients, make([]float32, n))
	}
	return w
}

// begin clears the gradients.
func (w *worker) begin(weights [][]float32) {
	w.weights = weights
	for _, g := range w.gradients {
		clear(g)
	}
	for _, g := range w.merges {
		clear(g)
	}
}

// end hands merged gradients to their parts.
func (w *worker) end() {
	for d, merged := range w.merges {
		d.spread(merged, w.gradients)
	}
}

// shape tells matrices to pack into apart.
type shape struct {
	use     string
	in, out int
}

// matrix is a matrix of that shape to pack into; it holds until the next call with the same use and shape.
func (w *worker) matrix(use string, in, out int) *kernels.Matrix {
	key := shape{use, in, out}
	m, ok := w.matrices[key]
	if !ok {
		m = kernels.NewMatrix(in, out)
		w.matrices[key] = m
	}
	return m
}

// packed packs rows of x [rows, width].
func (w *worker) packed(x []float32, rows, width int) *kernels.Matrix {
	m := w.matrix("rows", rows, width)
	m.Pack(x, width)
	return m
}

// merged is where the gradient of a merged weight is summed.
func (w *worker) merged(d *dense) []float32 {
	g, ok := w.merges[d]
	if !ok {
		g = make([]float32, d.in*d.out)
		w.merges[d] = g
	}
	return g
}

// buffer is memory of that name and size, kept between windows; its content is whatever it was.
func (w *worker) buffer(name string, n int) []float32 {
	if cap(w.rows[name]) < n {
		w.rows[name] = make([]float32, n)
	}
	return w.rows[name][:n]
}
