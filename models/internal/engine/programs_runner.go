package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// programRunner runs groups as compiled programs, one for each site and padded shape, their attention under a mask of
// ancestors.
type programRunner struct {
	shape      transformer.Decoder
	parameters *parameters
	cached     *programs
	bucketing  bucketing
}

// Of a batch for a compiled program: rows that are worth a batch of their own, and the most of a batch and of a group.
const (
	leastRows   = 256
	deviceRows  = 16384
	deviceGroup = 256
)

func newProgramRunner(shape transformer.Decoder, p *parameters) *programRunner {
	return &programRunner{shape: shape, parameters: p, cached: newPrograms(),
		bucketing: bucketing{most: deviceRows, host: p.backend.HasSharedBuffers()}}
}

func (r *programRunner) limit() int    { return deviceGroup }
func (r *programRunner) programs() int { return int(r.cached.compiled.Load()) }

func (r *programRunner) choose(waiting []piece, shares int) []int {
	return r.bucketing.choose(waiting, shares)
}

// run runs pieces of one task as one batch.
func (r *programRunner) run(_ context.Context, t task, pieces []piece) error {
	b := batch{groups: make([]*group, len(pieces))}
	for i, p := range pieces {
		b.groups[i] = p.group
		b.rows = max(b.rows, r.bucketing.rows(len(p.group.ids)))
	}
	b.slots = r.bucketing.slots(len(pieces))
	square := []int{b.slots, b.rows}
	inputs := []shapes.Shape{
		shapes.Make(dtypes.Int32, square...), shapes.Make(dtypes.Int32, square...),
		shapes.Make(dtypes.Bool, b.slots, b.rows, b.rows),
	}
	ids, positions, index, ancestor := b.tensors()
	values := []any{ids, positions, ancestor}
	width := r.shape.Width(t.hook)
	if kind, ok := transformer.PatternSummary(t.hook); ok {
		inputs = append(inputs, shapes.Make(dtypes.Bool, b.slots, b.rows, b.rows))
		values = append(values, b.counts(kind))
	}
	if t.kind == columnTask {
		inputs = append(inputs, shapes.Make(dtypes.Int32, square...))
		values = append(values, index)
		width = 1
	}
	key := programKey{kind: t.kind, layer: t.layer, hook: t.hook, groups: b.slots, rows: b.rows}
	p, err := r.cached.get(key, func() (*program, error) {
		return r.parameters.compile(fmt.Sprintf("%s of layer %d", t.hook, t.layer), inputs, r.build(t))
	})
	if err != nil {
		return err
	}
	return r.parameters.run(p, inputs, values, func(_ int, output any) {
		for slot, piece := range pieces {
			rows := output.([]float32)[slot*b.rows*width:]
			asked := make([]float32, 0, len(piece.rows)*width)
			for _, row := range piece.rows {
				asked = append(asked, rows[int(row)*width:(int(row)+1)*width]...)
			}
			piece.read(asked)
		}
	})
}

// build returns the program of a task.
func (r *programRunner) build(t task) buildFunc {
	if t.kind == wideTask {
		return r.wide(t.layer, t.hook)
	}
	return r.column(t.layer, t.hook)
}

// body builds embedding and the blocks before a layer over the rows of a batch.
func (r *programRunner) body(w transformer.Weights, layer int, ids, positions, ancestor *graph.Node) *graph.Node {
	x := r.shape.Embed(w, ids, positions, nil)
	for l := range layer {
		x = r.shape.Block(w, l, x, r.shape.Tree(l, positions, ancestor), nil)
	}
	return x
}

// column builds the program that reads one place of a hook point a row: [slots, rows]; index is its last input.
func (r *programRunner) column(layer int, hook string) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		site, index := r.site(w, layer, hook, in), in[len(in)-1]
		width := site.Shape().Dimensions[2]
		rows := graph.Iota(site.Graph(), shapes.Make(dtypes.Int32, in[0].Shape().Size()), 0)
		place := graph.Add(graph.MulScalar(rows, float64(width)), graph.Reshape(index, -1))
		return []*graph.Node{graph.Gather(graph.Reshape(site, -1), graph.InsertAxes(place, -1))}
	}
}

// wide builds the program that reads every place of a hook point: [slots, rows, width].
func (r *programRunner) wide(layer int, hook string) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		return []*graph.Node{r.site(w, layer, hook, in)}
	}
}

// site builds a hook point, [slots, rows, width]; inputs are ids, positions, ancestors, and for a summary of attention
// which of these count.
func (r *programRunner) site(w transformer.Weights, layer int, hook string, in []*graph.Node) *graph.Node {
	ids, positions, ancestor := in[0], in[1], in[2]
	x := r.body(w, layer, ids, positions, ancestor)
	dims := ids.Shape().Dimensions
	if _, ok := transformer.PatternSummary(hook); ok {
		var sums *graph.Node
		attention := r.shape.TreePattern(layer, positions, ancestor, func(pattern *graph.Node) {
			counts := graph.BroadcastToDims(graph.InsertAxes(in[3], 1), pattern.Shape().Dimensions...)
			sums = graph.ReduceSum(graph.Where(counts, pattern, graph.ZerosLike(pattern)), -1) // [slots, head, row]
		})
		r.shape.Site(w, layer, transformer.HookZ, x, attention)
		return graph.TransposeAllAxes(sums, 0, 2, 1)
	}
	site := r.shape.Site(w, layer, hook, x, r.shape.Tree(layer, positions, ancestor))
	return graph.Reshape(site, dims[0], dims[1], -1)
}

// cache runs a prompt alone, padded to a bucket behind its end, where no token sees it.
func (r *programRunner) cache(_ context.Context, ids []int) (*Cache, error) {
	seq := min(r.bucketing.rows(len(ids)), r.shape.Positions)
	padded := make([]int32, seq)
	for i, id := range ids {
		padded[i] = int32(id)
	}
	inputs := []shapes.Shape{shapes.Make(dtypes.Int32, 1, seq)}
	p, err := r.cached.get(programKey{kind: "cache", groups: 1, rows: seq}, func() (*program, error) {
		var names []string
		p, err := r.parameters.compile("all hooks", inputs, func(w transformer.Weights, in []*graph.Node) []*graph.Node {
			var values []*graph.Node
			logits := r.shape.Forward(w, in[0], func(name string, x *graph.Node) *graph.Node {
				names, values = append(names, name), append(values, graph.Reshape(x, seq, -1))
				return x
			})
			return append(values, graph.Reshape(logits, seq, -1))
		})
		if err == nil {
			p.outputs = names
		}
		return p, err
	})
	if err != nil {
		return nil, err
	}
	cache := &Cache{Values: map[string][][]float32{}}
	err = r.parameters.run(p, inputs, []any{padded}, func(i int, flat any) {
		rows := splitRows(flat.([]float32), seq)[:len(ids)]
		if i < len(p.outputs) {
			cache.Values[p.outputs[i]] = rows
		} else {
			cache.Logits = rows
		}
	})
	return cache, err
}

// splitRows copies a flat matrix into rows.
func splitRows(flat []float32, rows int) [][]float32 {
	flat = slices.Clone(flat)
	width := len(flat) / rows
	split := make([][]float32, rows)
	for i := range split {
		split[i] = flat[i*width : (i+1)*width : (i+1)*width]
	}
	return split
}
