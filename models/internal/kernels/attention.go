package kernels

import "math"

// Heads is the shape of a layer's attention: Heads queries of DHead elements share KVHeads keys and values.
type Heads struct {
	Heads, KVHeads, DHead int
	Scale                 float32 // multiplies query·key
	Window                int     // how many rows of the path are seen, counted from its end; 0: all
}

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
	n := (len(path) + 7) &^ 7 // whole vectors
	if cap(scratch) < n {
		scratch = make([]float32, 2*n)
	}
	p, padding := scratch[:n], scratch[len(path):n]
	share := h.Heads / h.KVHeads
	for head := range h.Heads {
		from, kv := head*h.DHead, head/share*h.DHead
		scores(p, q[from:from+h.DHead], keys[kv:], stride, path)
		for i := range padding {
			padding[i] = float32(math.Inf(-1))
		}
		scale(p, p, 0, h.Scale)
		total := exps(p, p, largest(p))
		out := z[from : from+h.DHead]
		mix(out, p, values[kv:], stride, path)
		scale(out, out, 0, 1/total)
	}
	return scratch
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
		first, second := x[:half], x[half:2*half]
		for i, c := range cos {
			a, b := first[i], second[i]
			first[i], second[i] = a*c-b*sin[i], b*c+a*sin[i]
		}
	}
}
