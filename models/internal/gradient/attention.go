package gradient

import "github.com/neuron2graph/neuron2graph/models/internal/kernels"

// attention is scaled dot-product attention of one window (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).
// Queries, keys and values lie beside one another in rows of 3·heads·d_head.
type attention struct {
	heads, dHead int
	causal       bool // a row sees itself and those before it
}

// rowsAtOnce is how many rows go through one product. A causal product computes no more than those rows see.
const rowsAtOnce = 6

// blocks calls f for blocks of rows [from, from+n). The last one begins early enough to be whole where it can, so some
// rows are computed twice, to the same.
func blocks(rows int, f func(from, n int)) {
	for from := 0; from < rows; from += rowsAtOnce {
		if rows >= rowsAtOnce {
			from = min(from, rows-rowsAtOnce)
		}
		f(from, min(rowsAtOnce, rows-from))
	}
}

// seen is how many rows the last of a block sees, of all.
func (a attention) seen(from, n, rows int) int {
	if a.causal {
		return min(rows, from+n)
	}
	return rows
}

// seenBy clears what row r of a pattern must not give to a product over a block, and returns the rest.
func (a attention) seenBy(row []float32, r int) []float32 {
	if !a.causal {
		return row
	}
	clear(row[r+1 : min(len(row), r+2*rowsAtOnce)])
	return row[:r+1]
}

// apply writes each head's pattern to patterns [heads, rows, rows] and what it takes from the values to z [rows,
// heads·d_head].
func (a attention) apply(w *worker, z, patterns, qkv []float32, rows int, factor float32) {
	width := a.heads * a.dHead
	stride := 3 * width
	for h := range a.heads {
		q, k, v := qkv[h*a.dHead:], qkv[width+h*a.dHead:], qkv[2*width+h*a.dHead:]
		pattern := patterns[h*rows*rows:][:rows*rows]
		keys := w.matrix("keys", a.dHead, rows)
		keys.PackTransposed(k, stride)
		values := w.matrix("values", rows, a.dHead)
		values.Pack(v, stride)
		blocks(rows, func(from, n int) {
			seen := a.seen(from, n, rows)
			keys.Product(pattern[from*rows:], rows, kernels.Rows{Data: q[from*stride:], Row: stride, Term: 1}, n, 0, a.dHead,
				seen, false)
			for r := from; r < from+n; r++ {
				p := a.seenBy(pattern[r*rows:][:rows], r)
				kernels.Softmax(p, p, factor)
			}
			values.Product(z[from*width+h*a.dHead:], width, kernels.Rows{Data: pattern[from*rows:], Row: rows, Term: 1}, n, 0,
				seen, a.dHead, false)
		})
	}
}

// derive writes the derivatives by queries, keys and values to dqkv, from those by z.
func (a attention) derive(w *worker, dqkv, dz, patterns, qkv []float32, rows int, factor float32) {
	width := a.heads * a.dHead
	stride := 3 * width
	for h := range a.heads {
		q, k, v := qkv[h*a.dHead:], qkv[width+h*a.dHead:], qkv[2*width+h*a.dHead:]
		dq, dk, dv := dqkv[h*a.dHead:], dqkv[width+h*a.dHead:], dqkv[2*width+h*a.dHead:]
		dzh := dz[h*a.dHead:]
		pattern, dPattern := patterns[h*rows*rows:][:rows*rows], w.buffer("pattern", rows*rows)

		values := w.matrix("values", a.dHead, rows)
		values.PackTransposed(v, stride)
		keys := w.matrix("keys", rows, a.dHead)
		keys.Pack(k, stride)
		blocks(rows, func(from, n int) {
			seen := a.seen(from, n, rows)
			values.Product(dPattern[from*rows:], rows, kernels.Rows{Data: dzh[from*width:], Row: width, Term: 1}, n, 0, a.dHead,
				seen, false)
			for r := from; r < from+n; r++ {
				d := a.seenBy(dPattern[r*rows:][:rows], r)
				kernels.SoftmaxBack(d, d, pattern[r*rows:][:len(d)], factor)
			}
			keys.Product(dq[from*stride:], stride, kernels.Rows{Data: dPattern[from*rows:], Row: rows, Term: 1}, n, 0, seen,
				a.dHead, false)
		})
		for _, product := range []struct {
			to, of  []float32
			stride  int
			through []float32
		}{{dk, q, stride, dPattern}, {dv, dzh, width, pattern}} {
			of := w.matrix("rows", rows, a.dHead)
			of.Pack(product.of, product.stride)
			blocks(rows, func(from, n int) {
				first := 0
				if a.causal {
					first = from
				}
				of.Product(product.to[from*stride:], stride, kernels.Rows{Data: product.through[from:], Row: 1, Term: rows}, n,
					first, rows, a.dHead, false)
			})
		}
	}
}
