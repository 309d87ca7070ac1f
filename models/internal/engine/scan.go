package engine

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// scan is a search for the highest activation of every neuron of some layers in every window.
type scan struct {
	layers  []int
	hook    string
	windows [][]int
	first   int           // position that counts
	highest [][][]float32 // [layer][window][neuron]
	where   [][][]int32
}

// Scan finds the highest activation of every neuron of some layers in every window: highest[l][i][n] is the maximum of
// neuron n of layers[l] over the positions of windows[i] from first on, and where[l][i][n] its position, the first of
// equals. A window without such a position has -Inf at position 0.
func (e *Causal) Scan(ctx context.Context, layers []int, hook string, windows [][]int, first int) (highest [][][]float32, where [][][]int32, err error) {
	s := &scan{layers, hook, windows, first, make([][][]float32, len(layers)), make([][][]int32, len(layers))}
	for l := range layers {
		s.highest[l], s.where[l] = make([][]float32, len(windows)), make([][]int32, len(windows))
	}
	return s.highest, s.where, e.queue.Do(ctx, task{kind: aloneTask}, e.runner.scan(s))
}

// scan runs windows of like length together, each padded behind its end.
func (r *programRunner) scan(s *scan) []piece {
	order := make([]int, len(s.windows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(s.windows[b]) - len(s.windows[a]) })
	var batches []piece
	for len(order) > 0 {
		seq := min(r.bucketing.rows(len(s.windows[order[0]])), r.shape.Positions)
		n := max(1, min(len(order), r.bucketing.most/seq))
		members := order[:n]
		order = order[n:]
		batches = append(batches, piece{alone: func(context.Context) error { return r.scanBatch(s, members, seq) }})
	}
	return batches
}

// scanBatch runs some windows and stores their maxima.
func (r *programRunner) scanBatch(s *scan, members []int, seq int) error {
	slots := r.bucketing.slots(len(members))
	ids, lengths := make([]int32, slots*seq), make([]int32, slots)
	for slot, i := range members {
		for p, id := range s.windows[i] {
			ids[slot*seq+p] = int32(id)
		}
		lengths[slot] = int32(len(s.windows[i]))
	}
	inputs := []shapes.Shape{shapes.Make(dtypes.Int32, slots, seq), shapes.Make(dtypes.Int32, slots)}
	key := programKey{kind: "scan", hook: s.hook, first: s.first, layers: joinInts(s.layers), groups: slots, rows: seq}
	p, err := r.cached.get(key, func() (*program, error) {
		return r.parameters.compile("scan of "+s.hook, inputs, r.scanGraph(s.layers, s.hook, s.first))
	})
	if err != nil {
		return err
	}
	width := r.shape.DMLP
	return r.parameters.run(p, inputs, []any{ids, lengths}, func(output int, flat any) {
		layer := output / 2
		for slot, i := range members {
			switch flat := flat.(type) {
			case []float32:
				s.highest[layer][i] = slices.Clone(flat[slot*width : (slot+1)*width])
			case []int32:
				s.where[layer][i] = slices.Clone(flat[slot*width : (slot+1)*width])
			}
		}
	})
}

// scanGraph gives, for each layer, the maxima [slots, d_mlp] and their positions.
func (r *programRunner) scanGraph(layers []int, hook string, first int) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		ids, lengths := in[0], in[1]
		g, dims := ids.Graph(), ids.Shape().Dimensions
		position := graph.Iota(g, shapes.Make(dtypes.Int32, dims[0], dims[1], 1), 1)
		counts := graph.LogicalAnd(
			graph.GreaterOrEqual(position, graph.Scalar(g, dtypes.Int32, float64(first))),
			graph.LessThan(position, graph.InsertAxes(lengths, -1, -1)))

		last := slices.Max(layers)
		sites := map[int]*graph.Node{}
		x := r.shape.Embed(w, ids, nil, nil)
		for layer := range last {
			x = r.shape.Block(w, layer, x, r.shape.Causal(layer), func(name string, value *graph.Node) *graph.Node {
				if name == transformer.BlockName(layer, "mlp."+hook) {
					sites[layer] = value
				}
				return value
			})
		}
		sites[last] = r.shape.Site(w, last, "mlp."+hook, x, r.shape.Causal(last))

		var outputs []*graph.Node
		for _, layer := range layers {
			site := sites[layer]
			none := graph.Scalar(g, dtypes.Float32, math.Inf(-1))
			masked := graph.Where(graph.BroadcastToDims(counts, site.Shape().Dimensions...), site, none)
			outputs = append(outputs, graph.ReduceMax(masked, 1), graph.ArgMax(masked, 1, dtypes.Int32))
		}
		return outputs
	}
}

// joinInts writes a list as a key.
func joinInts(list []int) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}
