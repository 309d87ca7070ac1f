package engine

import (
	"math"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// summarise sums what a query of each head pays of its attention to some places of the row's path, [head].
func (r *pass) summarise(w *worker, heads kernels.Heads, q, keys []float32, stride int, row int32,
	summary string) []float32 {
	path := w.path
	first := 0
	if heads.Window > 0 {
		first = max(0, len(path)-heads.Window)
	}
	ids := make([]int32, len(path))
	for p, at := len(path)-1, row; p >= 0; p, at = p-1, r.forest.parent[at] {
		ids[p] = r.forest.ids[at]
	}
	counts := make([]bool, len(path))
	for p := range path {
		counts[p] = transformer.Counts(summary, ids, p)
	}
	sums := make([]float32, heads.Heads)
	scores := make([]float64, len(path))
	for head := range heads.Heads {
		own := q[head*heads.DHead : (head+1)*heads.DHead]
		shared := head / (heads.Heads / heads.KVHeads)
		top := math.Inf(-1)
		for p := first; p < len(path); p++ {
			key := keys[int(path[p])*stride+shared*heads.DHead:][:heads.DHead]
			score := float32(0)
			for i, v := range own {
				score += v * key[i]
			}
			scores[p] = float64(score * heads.Scale)
			top = max(top, scores[p])
		}
		total, sum := 0.0, 0.0
		for p := first; p < len(path); p++ {
			e := math.Exp(scores[p] - top)
			total += e
			if counts[p] {
				sum += e
			}
		}
		sums[head] = float32(sum / total)
	}
	return sums
}
