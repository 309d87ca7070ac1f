package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// Scan finds the highest activation of every neuron of some layers in every window, for mining a corpus: windows are
// ids with BOS in front, highest[l][i][n] is the maximum of neuron n of layers[l] over the positions of windows[i] but
// BOS's, and where[l][i][n] its position, the first of equals. A window of BOS alone has -Inf at position 0.
//
// One pass serves all layers and stops at the last; only the maxima leave the device.
func (m *Causal) Scan(ctx context.Context, layers []int, hook string, windows [][]int) (highest [][][]float32, where [][][]int32, err error) {
	if len(layers) == 0 {
		return nil, nil, errors.New("no layer to scan: name at least one")
	}
	var point string
	for _, layer := range layers {
		if point, err = m.config.point(layer, hook); err != nil {
			return nil, nil, err
		}
	}
	for i, ids := range windows {
		if err := m.config.checkPrompt(ids); err != nil {
			return nil, nil, fmt.Errorf("window %d: %w", i+1, err)
		}
	}
	highest, where, err = m.engine.scan(ctx, layers, point, windows)
	if err != nil {
		return nil, nil, fmt.Errorf("scan %d windows: %w", len(windows), err)
	}
	return highest, where, nil
}

// scan runs windows of like length together, each padded behind its end.
func (e *engine) scan(ctx context.Context, layers []int, hook string, windows [][]int) (highest [][][]float32, where [][][]int32, err error) {
	highest, where = make([][][]float32, len(layers)), make([][][]int32, len(layers))
	for l := range layers {
		highest[l], where[l] = make([][]float32, len(windows)), make([][]int32, len(windows))
	}
	if e.processor != nil {
		return highest, where, e.scanOnProcessor(ctx, layers, hook, windows, highest, where)
	}
	order := make([]int, len(windows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(windows[b]) - len(windows[a]) })

	var batches []piece
	for len(order) > 0 {
		seq := min(e.bucketing.rows(len(windows[order[0]])), e.config.Positions)
		n := max(1, min(len(order), e.bucketing.most/seq))
		members := order[:n]
		order = order[n:]
		batches = append(batches, piece{alone: func(context.Context) error { return e.scanBatch(layers, hook, windows, members, seq, highest, where) }})
	}
	return highest, where, e.queue.Do(ctx, task{kind: aloneTask}, batches)
}

// scanBatch runs some windows and stores their maxima.
func (e *engine) scanBatch(layers []int, hook string, windows [][]int, members []int, seq int, highest [][][]float32, where [][][]int32) error {
	slots := e.bucketing.slots(len(members))
	ids, lengths := make([]int32, slots*seq), make([]int32, slots)
	for slot, i := range members {
		for p, id := range windows[i] {
			ids[slot*seq+p] = int32(id)
		}
		lengths[slot] = int32(len(windows[i]))
	}
	inputs := []shapes.Shape{shapes.Make(dtypes.Int32, slots, seq), shapes.Make(dtypes.Int32, slots)}
	key := programKey{kind: "scan", hook: hook, layers: joinInts(layers), groups: slots, rows: seq}
	p, err := e.programs.get(key, func() (*program, error) {
		return e.weights.compile("scan of "+hook, inputs, e.scanGraph(layers, hook))
	})
	if err != nil {
		return err
	}
	width := e.config.DMLP
	return e.weights.run(p, inputs, []any{ids, lengths}, func(output int, flat any) {
		layer := output / 2
		for slot, i := range members {
			switch flat := flat.(type) {
			case []float32:
				highest[layer][i] = slices.Clone(flat[slot*width : (slot+1)*width])
			case []int32:
				where[layer][i] = slices.Clone(flat[slot*width : (slot+1)*width])
			}
		}
	})
}

// scanGraph gives, for each layer, the maxima [slots, d_mlp] and their positions.
func (e *engine) scanGraph(layers []int, hook string) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		ids, lengths := in[0], in[1]
		g, dims := ids.Graph(), ids.Shape().Dimensions
		position := graph.Iota(g, shapes.Make(dtypes.Int32, dims[0], dims[1], 1), 1)
		counts := graph.LogicalAnd(
			graph.GreaterThan(position, graph.Scalar(g, dtypes.Int32, 0)),
			graph.LessThan(position, graph.InsertAxes(lengths, -1, -1)))

		last := slices.Max(layers)
		sites := map[int]*graph.Node{}
		x := e.config.Embed(w, ids, nil, nil)
		for layer := range last {
			x = e.config.Block(w, layer, x, e.config.Causal(layer), func(name string, value *graph.Node) {
				if name == transformer.BlockName(layer, "mlp."+hook) {
					sites[layer] = value
				}
			})
		}
		sites[last] = e.config.Site(w, last, hook, x, e.config.Causal(last))

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
