package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/queue"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// engine answers what neurons do on prompts with no work that nobody reads: it stops at the site asked, computes equal
// prefixes of a call's prompts once, brings only what was asked back from the device, and merges what concurrent callers
// wait for into full batches.
type engine struct {
	config    Config
	weights   *weights
	programs  *programs
	bucketing bucketing
	limit     int // rows of a group, unless a prompt is longer
	queue     *queue.Queue[task, piece]
	processor *processor // runs forests where the backend is the processor itself, nil elsewhere
}

const (
	inFlight = 2 // batches at a time: one's loose ends are another's work
	// Of a batch for a compiled program: rows that are worth a batch of their own, and the most of a batch and of a group.
	leastRows   = 256
	deviceRows  = 16384
	deviceGroup = 256
)

// newEngine chooses how the backend is used.
func newEngine(c Config, w *weights, info backends.Info) *engine {
	e := &engine{config: c, weights: w, programs: newPrograms(), bucketing: bucketing{deviceRows}, limit: deviceGroup}
	if info.Name == backends.Go {
		e.processor, e.limit = newProcessor(c, w), forestRows(c)
	}
	e.queue = e.newQueue()
	return e
}

// forestRows is how many rows the processor takes at a time: a few seconds' work, since it looks for the end of a context
// all the while, and the more of a call come together the more they share.
func forestRows(c Config) int {
	const work, least, most = 240e9, 512, 8192
	// A block's matrix products: queries, keys, values and output (4·d²) and the MLP, two operations an element.
	perRow := 2 * float64(c.Layers) * float64(4*c.DModel*c.DModel+2*c.DModel*c.DMLP)
	return int(min(max(work/perRow, least), most))
}

// body builds embedding and the blocks before a layer over the rows of a batch.
func (e *engine) body(w transformer.Weights, layer int, ids, positions, ancestor *graph.Node) *graph.Node {
	x := e.config.Embed(w, ids, positions, nil)
	for l := range layer {
		x = e.config.Block(w, l, x, e.config.Tree(l, positions, ancestor), nil)
	}
	return x
}

// column builds the program that reads one neuron a row: [slots, rows].
func (e *engine) column(layer int, hook string) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		ids, positions, ancestor, index := in[0], in[1], in[2], in[3]
		x := e.body(w, layer, ids, positions, ancestor)
		site := e.config.Site(w, layer, hook, x, e.config.Tree(layer, positions, ancestor))
		width := site.Shape().Dimensions[2]
		site = graph.Reshape(site, -1)
		rows := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, ids.Shape().Size()), 0)
		place := graph.Add(graph.MulScalar(rows, float64(width)), graph.Reshape(index, -1))
		return []*graph.Node{graph.Gather(site, graph.InsertAxes(place, -1))}
	}
}

// wide builds the program that reads every neuron of a layer: [slots, rows, d_mlp].
func (e *engine) wide(layer int, hook string) buildFunc {
	return func(w transformer.Weights, in []*graph.Node) []*graph.Node {
		ids, positions, ancestor := in[0], in[1], in[2]
		x := e.body(w, layer, ids, positions, ancestor)
		return []*graph.Node{e.config.Site(w, layer, hook, x, e.config.Tree(layer, positions, ancestor))}
	}
}

// build returns the program of a task.
func (e *engine) build(t task) buildFunc {
	if t.kind == wideTask {
		return e.wide(t.layer, t.hook)
	}
	return e.column(t.layer, t.hook)
}

// run plants the requests and runs the groups beside those of other callers. read is told where in a batch's output,
// [rows, width] flat, a group's rows begin; calls for different groups come at the same time.
func (e *engine) run(ctx context.Context, t task, requests []request, read func(g *group, first int, flat []float32)) error {
	groups := plant(requests, e.limit)
	slices.SortStableFunc(groups, func(x, y *group) int { return cmp.Compare(len(y.ids), len(x.ids)) })
	pieces := make([]piece, len(groups))
	for i, g := range groups {
		pieces[i] = piece{group: g, read: func(first int, flat []float32) { read(g, first, flat) }}
	}
	return e.queue.Do(ctx, t, pieces)
}

// runBatch runs pieces of one task as one batch.
func (e *engine) runBatch(t task, pieces []piece) error {
	b := batch{groups: make([]*group, len(pieces))}
	for i, p := range pieces {
		b.groups[i] = p.group
		b.rows = max(b.rows, e.bucketing.rows(len(p.group.ids)))
	}
	b.slots = e.bucketing.slots(len(pieces))
	square := []int{b.slots, b.rows}
	inputs := []shapes.Shape{
		shapes.Make(dtypes.Int32, square...), shapes.Make(dtypes.Int32, square...),
		shapes.Make(dtypes.Bool, b.slots, b.rows, b.rows),
	}
	ids, positions, index, ancestor := b.tensors()
	values := []any{ids, positions, ancestor}
	if t.kind == columnTask {
		inputs = append(inputs, shapes.Make(dtypes.Int32, square...))
		values = append(values, index)
	}
	key := programKey{kind: t.kind, layer: t.layer, hook: t.hook, groups: b.slots, rows: b.rows}
	p, err := e.programs.get(key, func() (*program, error) {
		return e.weights.compile(fmt.Sprintf("%s of layer %d", t.hook, t.layer), inputs, e.build(t))
	})
	if err != nil {
		return err
	}
	return e.weights.run(p, inputs, values, func(_ int, flat any) {
		for slot, piece := range pieces {
			piece.read(slot*b.rows, flat.([]float32))
		}
	})
}

// activations answers [Causal.Activations]; the caller has checked the requests.
func (e *engine) activations(ctx context.Context, layer int, hook string, requests []request) ([][]float32, error) {
	if e.processor != nil {
		return e.onProcessor(ctx, layer, hook, requests)
	}
	result := make([][]float32, len(requests))
	err := e.run(ctx, task{columnTask, layer, hook}, requests, func(g *group, first int, flat []float32) {
		for _, m := range g.members {
			if requests[m.request].positions == nil {
				for _, row := range m.rows {
					result[m.request] = append(result[m.request], flat[first+int(row)])
				}
				continue
			}
			result[m.request] = make([]float32, len(requests[m.request].positions))
			for k, p := range requests[m.request].positions {
				result[m.request][k] = flat[first+int(m.rows[p])]
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// layerActivations answers [Causal.LayerActivations].
func (e *engine) layerActivations(ctx context.Context, layer int, hook string, requests []request) ([][][]float32, error) {
	if e.processor != nil {
		return e.allOnProcessor(ctx, layer, hook, requests)
	}
	result := make([][][]float32, len(requests))
	width := e.config.DMLP
	err := e.run(ctx, task{wideTask, layer, hook}, requests, func(g *group, first int, flat []float32) {
		for _, m := range g.members {
			result[m.request] = make([][]float32, len(m.rows))
			for p, row := range m.rows {
				at := (first + int(row)) * width
				result[m.request][p] = slices.Clone(flat[at : at+width])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// close ends what waits and what runs, and releases the weights.
func (e *engine) close() error {
	e.queue.Close()
	return e.weights.close()
}

// checkPrompt refuses what the model cannot run.
func (c Config) checkPrompt(ids []int) error {
	if len(ids) == 0 {
		return errors.New("the prompt is empty: give at least the BOS token")
	}
	if len(ids) > c.Positions {
		return fmt.Errorf("the prompt has %d tokens with BOS, but the model's context is %d: shorten it", len(ids), c.Positions)
	}
	for i, id := range ids {
		if id < 0 || id >= c.DVocab {
			return fmt.Errorf("token id %d at position %d lies outside the model's vocabulary of %d", id, i, c.DVocab)
		}
	}
	return nil
}
