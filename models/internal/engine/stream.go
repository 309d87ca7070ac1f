package engine

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// extent is the shape of a batch for programs.
type extent struct {
	slots, rows int
	// plain says that each slot is a text from its first token on, and not a forest of them: rows need no positions then,
	// and see what stands before them.
	plain bool
}

// ints, bools and stream are the shapes of one number a row, of pairs of rows, and of the residual stream.
func (e extent) ints() shapes.Shape  { return shapes.Make(dtypes.Int32, e.slots, e.rows) }
func (e extent) bools() shapes.Shape { return shapes.Make(dtypes.Bool, e.slots, e.rows, e.rows) }
func (e extent) stream(dModel int) shapes.Shape {
	return shapes.Make(dtypes.Float32, e.slots, e.rows, dModel)
}

// of is a batch of another number of rows.
func (e extent) of(rows int) extent {
	e.rows = rows
	return e
}

// key is that of a program for batches of this shape.
func (e extent) key(kind string, layer int, hook string) programKey {
	if e.plain {
		kind = "plain " + kind
	}
	return programKey{kind: kind, layer: layer, hook: hook, groups: e.slots, rows: e.rows}
}

// stream is a batch on its way through the layers: what it holds lies on the backend.
type stream struct {
	*programRunner
	extent
	x       compute.Buffer   // the residual stream, [slots, rows, d_model]
	context []compute.Buffer // positions and ancestors, none of plain texts
}

// start runs the embedding; keep gets the values at its hook points, unless it is nil.
func (r *programRunner) start(e extent, ids, positions []int32, ancestor []bool, keep keeper) (s *stream, err error) {
	s = &stream{programRunner: r, extent: e}
	defer func() {
		if err != nil {
			s.free()
		}
	}()
	input, err := r.upload(ids, e.ints())
	if err != nil {
		return nil, err
	}
	defer free(input)
	inputs := []compute.Buffer{input}
	if !e.plain {
		s.context = make([]compute.Buffer, 2)
		if s.context[0], err = r.upload(positions, e.ints()); err != nil {
			return nil, err
		}
		if s.context[1], err = r.upload(ancestor, e.bools()); err != nil {
			return nil, err
		}
		inputs = append(inputs, s.context[0])
	}
	outputs, p, err := r.device.run(r.embedding(e, showIf(keep != nil)), 0, inputs...)
	if err != nil {
		return nil, err
	}
	s.x = outputs[0]
	return s, keep.all(outputs[1:], "", p.outputs)
}

// free gives back what the stream holds.
func (s *stream) free() {
	free(s.x)
	free(s.context...)
}

// inputs are what programs of the stream begin with.
func (s *stream) inputs(more ...compute.Buffer) []compute.Buffer {
	return append(append([]compute.Buffer{s.x}, s.context...), more...)
}

// block takes the stream through a layer, and returns what a plan of it shows beside.
func (s *stream) block(layer int, of plan, more ...compute.Buffer) ([]compute.Buffer, *program, error) {
	outputs, p, err := s.device.run(of, layer, s.inputs(more...)...)
	if err != nil {
		return nil, nil, err
	}
	free(s.x)
	s.x = outputs[0]
	return outputs[1:], p, nil
}

// blocks takes the stream through the layers before one.
func (s *stream) blocks(behind int) error {
	for l := range behind {
		if _, _, err := s.block(l, s.blockPlan(s.extent, l, showNothing, nil)); err != nil {
			return err
		}
	}
	return nil
}

// streamInputs are the shapes of [stream.inputs].
func (r *programRunner) streamInputs(e extent) []shapes.Shape {
	if e.plain {
		return []shapes.Shape{e.stream(r.shape.DModel)}
	}
	return []shapes.Shape{e.stream(r.shape.DModel), e.ints(), e.bools()}
}

// attention is a layer's for inputs of that shape, and what follows these.
func (r *programRunner) attention(e extent, layer int, in []*graph.Node) (transformer.Attention, []*graph.Node) {
	if e.plain {
		return r.shape.Causal(layer), in[1:]
	}
	return r.shape.Tree(layer, forest(in)), in[3:]
}

// forest is that of inputs of a batch that is not plain.
func forest(in []*graph.Node) transformer.Forest {
	return transformer.Forest{Queries: in[1], Keys: in[1], Sees: in[2]}
}

// embedding is the program of tokens and positions, [slots, rows, d_model], and what it shows.
func (r *programRunner) embedding(e extent, show string) plan {
	inputs := []shapes.Shape{e.ints(), e.ints()}
	if e.plain {
		inputs = inputs[:1]
	}
	return plan{e.key("embedding", 0, show), inputs,
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			var positions *graph.Node
			if !e.plain {
				positions = in[1]
			}
			return shown(show, "", func(hook transformer.Hook) *graph.Node {
				return r.shape.Embed(w, in[0], positions, hook)
			})
		}}
}

// blockPlan is the program of a whole layer: the stream behind it, and what it shows. Which neurons are edited how is
// part of the program; which index, by what number and on which rows are inputs, in this order for each edit.
func (r *programRunner) blockPlan(e extent, layer int, show string, edits []Edit) plan {
	layer = r.first[layer]
	key, inputs := e.key("layer", layer, show), r.streamInputs(e)
	var names []string
	for _, edit := range edits {
		names = append(names, edit.Hook+" "+string(edit.Op))
		number := shapes.Make(dtypes.Float32, 1)
		if edit.Op == Replace {
			number = shapes.Make(dtypes.Float32, e.slots, e.rows, r.shape.Width(edit.Hook))
		}
		inputs = append(inputs, shapes.Make(dtypes.Int32, 1), number, shapes.Make(dtypes.Bool, e.slots, e.rows))
	}
	key.edits = strings.Join(names, ",")
	return plan{key, inputs, func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
		attention, of := r.attention(e, layer, in)
		return shown(show, r.layer(layer), func(hook transformer.Hook) *graph.Node {
			return r.shape.Block(w, layer, in[0], attention, func(name string, x *graph.Node) *graph.Node {
				for i, edit := range edits {
					if name == transformer.BlockName(layer, edit.Hook) {
						x = editNode(edit.Op, x, of[3*i], of[3*i+1], of[3*i+2])
					}
				}
				return hook(name, x)
			})
		})
	}}
}

// sitePlan is the program of a hook point of a layer on every row, [slots, rows, width], or, where asked is not 0, on
// so many that are told, [slots, asked, width]; of a columnTask, of one place a row, [slots, rows or asked]. Inputs are
// the rows asked, for a summary of attention what counts for each, of a columnTask the index of each.
func (r *programRunner) sitePlan(e extent, asked int, t task) plan {
	layer := r.first[t.layer]
	inputs := r.streamInputs(e)
	n := e.rows
	if asked > 0 {
		n = asked
		inputs = append(inputs, e.of(asked).ints())
	}
	_, summary := transformer.PatternSummary(t.hook)
	if summary {
		inputs = append(inputs, shapes.Make(dtypes.Bool, e.slots, n, e.rows))
	}
	if t.kind == columnTask {
		inputs = append(inputs, e.of(n).ints())
	}
	key := e.key(t.kind, layer, t.hook)
	key.asked = asked
	return plan{key, inputs, func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
		attention, of := r.attention(e, layer, in)
		var rows, site *graph.Node
		if asked > 0 {
			rows, of = of[0], of[1:]
			attention = r.shape.Tree(layer, forest(in).Rows(rows))
		}
		if summary {
			f := forest(in)
			if rows != nil {
				f = f.Rows(rows)
			}
			site = r.summary(w, layer, in[0], rows, of[0], f)
		} else {
			site = graph.Reshape(r.shape.Site(w, layer, t.hook, in[0], rows, attention), e.slots, n, -1)
		}
		if t.kind == columnTask {
			site = column(site, in[len(in)-1])
		}
		return []*graph.Node{site}, nil
	}}
}

// summary sums a layer's attention pattern over the rows that count [slots, row, rows], [slots, row, head].
func (r *programRunner) summary(w transformer.Weights, layer int, x, rows, count *graph.Node,
	f transformer.Forest) (sums *graph.Node) {
	attention := r.shape.TreePattern(layer, f, func(pattern *graph.Node) {
		counts := graph.BroadcastToDims(graph.InsertAxes(count, 1), pattern.Shape().Dimensions...)
		sums = graph.ReduceSum(graph.Where(counts, pattern, graph.ZerosLike(pattern)), -1) // [slots, head, row]
	})
	r.shape.Site(w, layer, transformer.HookZ, x, rows, attention)
	return graph.TransposeAllAxes(sums, 0, 2, 1)
}

// column takes one place a row of site [slots, rows, width]: index is [slots, rows].
func column(site, index *graph.Node) *graph.Node {
	dims := site.Shape().Dimensions
	rows := graph.Iota(site.Graph(), shapes.Make(dtypes.Int32, dims[0]*dims[1]), 0)
	place := graph.Add(graph.MulScalar(rows, float64(dims[2])), graph.Reshape(index, -1))
	return graph.Reshape(graph.Gather(graph.Reshape(site, -1), graph.InsertAxes(place, -1)), dims[0], dims[1])
}

// firstOfKind gives for each layer the first that differs from it in nothing but the values of its parameters.
func firstOfKind(c transformer.Decoder, w *parameters) []int {
	parameters := c.Parameters()
	known := map[string]int{}
	first := make([]int, c.Layers)
	for l := range first {
		kind := fmt.Sprint(c.Window(l), c.QueryScale(l))
		for _, p := range parameters {
			if name, ok := strings.CutPrefix(p.Name, transformer.BlockName(l, "")); ok {
				if shape, ok := w.shape(p.Name); ok {
					kind += fmt.Sprint(name, shape.Dimensions)
				}
			}
		}
		if _, ok := known[kind]; !ok {
			known[kind] = l
		}
		first[l] = known[kind]
	}
	return first
}
