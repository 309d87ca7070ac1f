package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// hidden runs a group as a batch of its own. Which neurons are edited how is part of the program; which rows, which
// index and by what number are inputs.
func (r *programRunner) hidden(_ context.Context, g *group, asked []int32) (x []float32, err error) {
	b := batch{groups: []*group{g}, slots: 1, rows: r.bucketing.rows(len(g.ids))}
	ids, positions, _, ancestor := b.tensors()
	rows := slices.Clone(asked)
	for len(rows) != powerOfTwo(max(len(rows), 8)) {
		rows = append(rows, asked[0])
	}
	inputs := []shapes.Shape{
		shapes.Make(dtypes.Int32, 1, b.rows), shapes.Make(dtypes.Int32, 1, b.rows),
		shapes.Make(dtypes.Bool, 1, b.rows, b.rows), shapes.Make(dtypes.Int32, len(rows)),
	}
	values := []any{ids, positions, ancestor, rows}
	edits := g.distinctEdits()
	var names []string
	for _, e := range edits {
		names = append(names, transformer.BlockName(e.Layer, e.Hook)+" "+string(e.Op))
		mask := make([]bool, b.rows)
		for row, mark := range g.marks {
			mask[row] = slices.ContainsFunc(g.edits[mark], e.same)
		}
		inputs = append(inputs, shapes.Make(dtypes.Int32, 1), shapes.Make(dtypes.Float32, 1),
			shapes.Make(dtypes.Bool, 1, b.rows))
		values = append(values, []int32{int32(e.Index)}, []float32{e.Value}, mask)
	}
	key := programKey{kind: fmt.Sprintf("hidden %d", len(rows)), layers: strings.Join(names, ","), groups: 1, rows: b.rows}
	p, err := r.cached.get(key, func() (*program, error) {
		return r.parameters.compile("residual stream", inputs, r.hiddenGraph(edits))
	})
	if err != nil {
		return nil, err
	}
	return x, r.parameters.run(p, inputs, values, func(_ int, flat any) {
		x = slices.Clone(flat.([]float32)[:len(asked)*r.shape.DModel])
	})
}

// distinctEdits are all edits of the group's rows.
func (g *group) distinctEdits() (list []Edit) {
	for _, edits := range g.edits {
		for _, e := range edits {
			if !slices.ContainsFunc(list, e.same) {
				list = append(list, e)
			}
		}
	}
	return list
}

// hiddenGraph gives the residual stream behind the last layer on some rows, [n, d_model]; inputs are ids, positions,
// ancestors, rows, and of each edit its neuron, number and rows.
func (r *programRunner) hiddenGraph(edits []Edit) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		ids, positions, ancestor, rows := in[0], in[1], in[2], in[3]
		hook := func(name string, x *graph.Node) *graph.Node {
			for i, e := range edits {
				if name == transformer.BlockName(e.Layer, "mlp."+e.Hook) {
					x = editNode(e.Op, x, in[4+3*i], in[5+3*i], in[6+3*i])
				}
			}
			return x
		}
		x := r.shape.Embed(w, ids, positions, nil)
		for l := range r.shape.Layers {
			x = r.shape.Block(w, l, x, r.shape.Tree(l, positions, ancestor), hook)
		}
		return []*graph.Node{graph.Gather(graph.Reshape(x, -1, r.shape.DModel), graph.InsertAxes(rows, -1))}
	}
}

// editNode changes neuron index [1] of x [batch, row, d_mlp] by a number [1] where mask [batch, row] says so.
func editNode(op Op, x, index, number, mask *graph.Node) *graph.Node {
	dims := x.Shape().Dimensions
	neuron := graph.Iota(x.Graph(), shapes.Make(dtypes.Int32, 1, 1, dims[2]), 2)
	here := graph.Equal(neuron, graph.Reshape(index, 1, 1, 1))
	here = graph.LogicalAnd(graph.BroadcastToDims(here, dims...),
		graph.BroadcastToDims(graph.InsertAxes(mask, -1), dims...))
	edited := graph.BroadcastToDims(graph.Reshape(number, 1, 1, 1), dims...)
	switch op {
	case Scale:
		edited = graph.Mul(x, edited)
	case Add:
		edited = graph.Add(x, edited)
	}
	return graph.Where(here, edited, x)
}

// unembed runs rows padded to a power of two.
func (r *programRunner) unembed(_ context.Context, dst, x []float32, n int, normed bool) error {
	padded := powerOfTwo(max(n, 8))
	x = append(slices.Clone(x), make([]float32, (padded-n)*r.shape.DModel)...)
	inputs := []shapes.Shape{shapes.Make(dtypes.Float32, padded, r.shape.DModel)}
	shape := r.shape
	shape.NoFinalNorm = shape.NoFinalNorm || !normed
	p, err := r.cached.get(programKey{kind: fmt.Sprintf("unembed, norm %v", normed), rows: padded},
		func() (*program, error) {
			return r.parameters.compile("logits", inputs, func(w transformer.Weights, in []*graph.Node) []*graph.Node {
				return []*graph.Node{shape.Unembed(w, in[0], nil)}
			})
		})
	if err != nil {
		return err
	}
	return r.parameters.run(p, inputs, []any{x}, func(_ int, flat any) { copy(dst, flat.([]float32)[:n*r.shape.DVocab]) })
}
