package kernels

import "math"

// Heads is the shape of a layer's attention: Heads queries of DHead elements share KVHeads keys and values.
type Heads struct {
	Heads, KVHeads, DHead int
	Scale                 float32 // multiplies query·key
	Window                int     // how many rows of the path are seen, counted from its end; 0: all
}

// mostTogether is how many queries of shared keys and values are taken at a time at most.
const mostTogether = 3

// Attend writes to z [heads·d_head] what a query q of that shape takes from the rows of path, itself the last: keys and
// values hold a row's at path[p]·stride, [kv_heads·d_head] each. It returns scratch, grown as needed.
func (h Heads) Attend(z, q, keys, values []float32, stride int, path []int32, scratch []float32) []float32 {
	if h.Window > 0 && len(path) > h.Window {
		path = path[len(path)-h.Window:]
	}
	width := h.KVHeads * h.DHead
	for _, row := range path { // what follows does not check
		_, _ = keys[int(row)*stride:][:width], values[int(row)*stride:][:width]
	}
	n := wholeVectors(len(path))
	share := h.Heads / h.KVHeads
	most := together(share, h.DHead)
	if cap(scratch) < most*n {
		scratch = make([]float32, 2*most*n)
	}
	for head := 0; head < h.Heads; {
		kv := head / share * h.DHead
		count := min(most, share-head%share)
		if count > 1 {
			count = together(count, h.DHead)
		}
		from, to := head*h.DHead, (head+count)*h.DHead
		p := scratch[:count*n]
		groupScores(p, n, count, q[from:to], keys[kv:], stride, path)
		var totals [mostTogether]float32
		for i := range count {
			totals[i] = h.exponentials(p[i*n:(i+1)*n], len(path))
		}
		groupMix(z[from:to], p, n, count, values[kv:], stride, path)
		for i := range count {
			out := z[from+i*h.DHead:][:h.DHead]
			scale(out, out, 0, 1/totals[i])
		}
		head += count
	}
	return scratch
}

// exponentials makes the first so many of a row of scores their soft-max but for the divisor, which it returns.
func (h Heads) exponentials(p []float32, rows int) float32 {
	padding := p[rows:]
	for i := range padding {
		padding[i] = float32(math.Inf(-1))
	}
	scale(p, p, 0, h.Scale)
	return exps(p, p, largest(p))
}

// scoresPlain writes q·k to dst for the keys of the rows on the path.
func scoresPlain(dst, q, keys []float32, stride int, path []int32) {
	for j, row := range path {
		dst[j] = dotPlain(q, keys[int(row)*stride:][:len(q)], 0)
	}
}

// mixPlain writes Σ p·v to z for the values of the rows on the path.
func mixPlain(z, p, values []float32, stride int, path []int32) {
	clear(z)
	for j, row := range path {
		addScaledPlain(z, values[int(row)*stride:][:len(z)], p[j])
	}
}

// Rotate turns the first 2·len(cos) dimensions of each head of x [heads·d_head] by a position's angles (RoPE, Su et al.
// 2021, section 3.4.2): dimension i and its partner len(cos) further form a plane.
func Rotate(x []float32, dHead int, cos, sin []float32) {
	half := len(cos)
	for ; len(x) >= dHead; x = x[dHead:] {
		rotate(x[:half], x[half:2*half], cos, sin)
	}
}
