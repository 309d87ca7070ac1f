package gradient

import "github.com/neuron2graph/neuron2graph/models/internal/kernels"

// dense is a dense layer's weight, packed for both ways. Layers that read the same input are made one.
type dense struct {
	in, out   int
	forth     *kernels.Matrix // [in, out] with its bias
	back      *kernels.Matrix // [out, in]
	transpose bool            // the parameters are [out, in] rather than [in, out]
	parts     []densePart
}

// densePart is one weight of a dense layer: an index of the parameters or a stack of matrices in one.
type densePart struct {
	weight, bias int // indices of the parameters
	first, width int // columns of the output
	stack        int // matrices [in, width/stack] on one another; 1 where there is one
}

// newDense is a layer of parameters [in, out], or [out, in].
func newDense(in int, transpose bool, parts ...densePart) *dense {
	d := &dense{in: in, transpose: transpose, parts: parts}
	for _, p := range parts {
		d.out = max(d.out, p.first+p.width)
	}
	d.forth, d.back = kernels.NewMatrix(in, d.out), kernels.NewMatrix(d.out, in)
	return d
}

// load packs the weights.
func (d *dense) load(weights [][]float32) {
	for _, p := range d.parts {
		var bias []float32
		if p.bias >= 0 {
			bias = weights[p.bias]
		}
		width := p.width / p.stack
		for i := range p.stack {
			weight := weights[p.weight][i*d.in*width:][:d.in*width]
			var b []float32
			if bias != nil {
				b = bias[i*width:][:width]
			}
			first := p.first + i*width
			if d.transpose {
				d.forth.SetTransposed(first, width, weight, b)
				d.back.SetPart(first, 0, d.in, weight)
				continue
			}
			d.forth.Set(first, width, weight, b)
			d.back.SetPart(first, 0, d.in, turned(weight, d.in, width))
		}
	}
}

// turned is the transpose of a matrix [rows, columns].
func turned(x []float32, rows, columns int) []float32 {
	t := make([]float32, len(x))
	for r := range rows {
		for c, v := range x[r*columns:][:columns] {
			t[c*rows+r] = v
		}
	}
	return t
}

// apply writes x·W + b to y [rows, out].
func (d *dense) apply(y, x []float32, rows int) { d.forth.Mul(y, x, rows) }

// derive adds to the gradients of the weights and biases what rows of inputs x and derivatives dy [rows, out] give, and
// writes the derivatives of the inputs to dx, unless it is nil.
func (d *dense) derive(w *worker, dx, x, dy []float32, rows int) {
	if dx != nil {
		d.back.Mul(dx, dy, rows)
	}
	if d.transpose {
		inputs := w.packed(x, rows, d.in)
		for _, p := range d.parts {
			w.scratch = inputs.AddTransposed(w.gradients[p.weight], dy[p.first:], d.out, p.width, w.scratch)
		}
	} else if p := d.parts[0]; len(d.parts) == 1 && p.stack == 1 {
		w.scratch = w.packed(dy, rows, d.out).AddTransposed(w.gradients[p.weight], x, d.in, d.in, w.scratch)
	} else {
		all := w.merged(d)
		w.scratch = w.packed(dy, rows, d.out).AddTransposed(all, x, d.in, d.in, w.scratch)
	}
	for _, p := range d.parts {
		if p.bias < 0 {
			continue
		}
		for r := range rows {
			kernels.Add(w.gradients[p.bias], dy[r*d.out+p.first:][:p.width])
		}
	}
}

// spread adds the gradient of a merged weight [in, out] to those of its parts.
func (d *dense) spread(merged []float32, gradients [][]float32) {
	for _, p := range d.parts {
		width := p.width / p.stack
		for i := range p.stack {
			to := gradients[p.weight][i*d.in*width:]
			for k := range d.in {
				kernels.Add(to[k*width:][:width], merged[k*d.out+p.first+i*width:][:width])
			}
		}
	}
}

// norm is a LayerNorm with a weight and a bias, both indices of the parameters.
type norm struct{ weight, bias int }

// apply writes the normalised rows of x to n, one over their divisors to inverse, and weight and bias applied to y.
func (l norm) apply(w *worker, y, n, inverse, x []float32, width int, epsilon float64) {
	for r := range inverse {
		at := r * width
		row := n[at:][:width]
		inverse[r] = kernels.Normalize(row, x[at:][:width], epsilon)
		l.affine(w, y[at:][:width], row)
	}
}

// affine writes n·weight + bias to y.
func (l norm) affine(w *worker, y, n []float32) {
	copy(y, n)
	kernels.Mul(y, w.weights[l.weight])
	kernels.Add(y, w.weights[l.bias])
}

// derive replaces dy by the derivative by x, and adds to the gradients of weight and bias.
func (l norm) derive(w *worker, dy, n, inverse []float32, width int) {
	for r, i := range inverse {
		d, row := dy[r*width:][:width], n[r*width:][:width]
		kernels.MulAdd(w.gradients[l.weight], d, row)
		kernels.Add(w.gradients[l.bias], d)
		kernels.Mul(d, w.weights[l.weight])
		kernels.NormalizeBack(d, d, row, i)
	}
}
