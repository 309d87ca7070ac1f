package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// hidden runs a group as a batch of its own.
func (r *programRunner) hidden(_ context.Context, g *group, asked []int32) (x []float32, err error) {
	b := batch{groups: []*group{g}, slots: 1, rows: r.bucketing.rows(len(g.ids))}
	e := extent{slots: 1, rows: b.rows}
	ids, positions, ancestor := b.tensors()
	s, err := r.start(e, ids, positions, ancestor, nil)
	if err != nil {
		return nil, err
	}
	defer s.free()
	edits := g.distinctEdits()
	for l := range r.shape.Layers {
		var made []Edit
		for _, edit := range edits {
			if edit.Layer == l {
				made = append(made, edit)
			}
		}
		inputs, err := r.editInputs(b, g, made)
		if err == nil {
			_, _, err = s.block(l, r.blockPlan(e, l, showNothing, made), inputs...)
		}
		free(inputs...)
		if err != nil {
			return nil, err
		}
	}
	d := r.shape.DModel
	x = make([]float32, 0, len(asked)*d)
	stream := s.x
	s.x = nil // read frees it
	err = r.read(stream, func(flat []float32) {
		for _, row := range asked {
			x = append(x, flat[int(row)*d:(int(row)+1)*d]...)
		}
	})
	return x, err
}

// editInputs are index, number and rows of each edit of a layer.
func (r *programRunner) editInputs(b batch, g *group, edits []Edit) (inputs []compute.Buffer, err error) {
	give := func(flat any, shape shapes.Shape) {
		if err != nil {
			return
		}
		var buffer compute.Buffer
		buffer, err = r.upload(flat, shape)
		inputs = append(inputs, buffer)
	}
	for _, edit := range edits {
		mask := make([]bool, b.rows)
		for row, mark := range g.marks {
			mask[row] = slices.ContainsFunc(g.edits[mark], edit.same)
		}
		give([]int32{int32(edit.Index)}, shapes.Make(dtypes.Int32, 1))
		if edit.Op == Replace {
			width := r.shape.Width(edit.Hook)
			rows := make([]float32, b.rows*width)
			for row, here := range mask {
				if here {
					copy(rows[row*width:(row+1)*width], edit.Rows[g.depth[row]])
				}
			}
			give(rows, shapes.Make(dtypes.Float32, 1, b.rows, width))
		} else {
			give([]float32{edit.Value}, shapes.Make(dtypes.Float32, 1))
		}
		give(mask, shapes.Make(dtypes.Bool, 1, b.rows))
	}
	return inputs, err
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

// editNode changes neuron index [1] of x [batch, row, d_mlp] by a number [1] where mask [batch, row] says so, or puts
// rows in its place.
func editNode(op Op, x, index, number, mask *graph.Node) *graph.Node {
	dims := x.Shape().Dimensions
	if op == Replace { // number is [batch, row, width]
		flat := graph.Reshape(x, dims[0], dims[1], -1)
		here := graph.BroadcastToDims(graph.InsertAxes(mask, -1), flat.Shape().Dimensions...)
		return graph.Reshape(graph.Where(here, number, flat), dims...)
	}
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
	logits := plan{programKey{kind: fmt.Sprintf("unembed, norm %v", normed), rows: padded}, inputs,
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			return []*graph.Node{shape.Unembed(w, in[0], nil)}, nil
		}}
	input, err := r.upload(x, inputs[0])
	if err != nil {
		return err
	}
	defer free(input)
	outputs, _, err := r.device.run(logits, 0, input)
	if err != nil {
		return err
	}
	return r.read(outputs[0], func(flat []float32) { copy(dst, flat[:n*r.shape.DVocab]) })
}
