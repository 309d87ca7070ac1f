package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// engine answers what neurons do on prompts with no work that nobody reads: it stops at the site asked, computes equal
// prefixes of a call's prompts once, and brings only what was asked back from the device.
type engine struct {
	config    Config
	weights   *weights
	programs  *programs
	bucketing bucketing
	limit     int           // rows of a group, unless a prompt is longer
	running   chan struct{} // one token for each batch on the backend
}

// Batches are sized to take about a second of one CPU pair, so that cancelling is quick, within limits that keep the
// matrices large and the memory small.
const (
	batchWork   = 60e9 // floating point operations
	leastRows   = 256
	mostRows    = 4096
	inFlight    = 2 // two batches at a time fill the gaps that single-threaded operations leave
	deviceRows  = 16384
	deviceGroup = 256
)

// newEngine sizes batches for the backend: one whose memory the host shares runs on the CPU.
func newEngine(c Config, w *weights, info backends.Info) *engine {
	e := &engine{config: c, weights: w, programs: newPrograms(), running: make(chan struct{}, inFlight)}
	// A block's matrix products: queries, keys, values and output (4·d²) and the MLP, two operations an element.
	perRow := 2 * float64(c.Layers) * float64(4*c.DModel*c.DModel+2*c.DModel*c.DMLP)
	most := int(min(max(batchWork/perRow, leastRows), mostRows))
	if info.Name == backends.Go {
		e.bucketing, e.limit = goBuckets(c, most, info.SIMD), panel
	} else {
		e.bucketing, e.limit = coarseBuckets(deviceRows), deviceGroup
	}
	return e
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

// forestRun is one way to run a forest: a program, and what becomes of its output, [slots·rows, width] flat.
type forestRun struct {
	kind    string
	layer   int
	hook    string
	build   buildFunc
	indexed bool // whether the program takes the neurons' indices
	read    func(b batch, flat []float32)
}

// run plants the requests and runs all batches, some at a time.
func (e *engine) run(ctx context.Context, requests []request, r forestRun) error {
	batches := e.bucketing.batches(plant(requests, e.limit))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, b := range batches {
		select {
		case <-ctx.Done():
		case e.running <- struct{}{}:
			wg.Go(func() {
				defer func() { <-e.running }()
				if ctx.Err() != nil {
					return
				}
				if err := e.runBatch(b, r); err != nil {
					cancel(err)
				}
			})
		}
		if ctx.Err() != nil {
			break
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// runBatch runs one batch. Each batch's results go to requests of its own, so batches may be read at the same time.
func (e *engine) runBatch(b batch, r forestRun) error {
	square := []int{b.slots, b.rows}
	inputs := []shapes.Shape{
		shapes.Make(dtypes.Int32, square...), shapes.Make(dtypes.Int32, square...),
		shapes.Make(dtypes.Bool, b.slots, b.rows, b.rows),
	}
	ids, positions, index, ancestor := b.tensors()
	values := []any{ids, positions, ancestor}
	if r.indexed {
		inputs = append(inputs, shapes.Make(dtypes.Int32, square...))
		values = append(values, index)
	}
	key := programKey{kind: r.kind, layer: r.layer, hook: r.hook, groups: b.slots, rows: b.rows}
	p, err := e.programs.get(key, func() (*program, error) {
		return e.weights.compile(fmt.Sprintf("%s of layer %d", r.hook, r.layer), inputs, r.build)
	})
	if err != nil {
		return err
	}
	return e.weights.run(p, inputs, values, func(_ int, flat any) { r.read(b, flat.([]float32)) })
}

// each calls f for every member of the batch with the flat number of each of its rows.
func (b batch) each(f func(request int, rows []int)) {
	for slot, g := range b.groups {
		for _, m := range g.members {
			rows := make([]int, len(m.rows))
			for p, row := range m.rows {
				rows[p] = slot*b.rows + int(row)
			}
			f(m.request, rows)
		}
	}
}

// activations answers [Causal.Activations]; the caller has checked the requests.
func (e *engine) activations(ctx context.Context, layer int, hook string, requests []request) ([][]float32, error) {
	result := make([][]float32, len(requests))
	err := e.run(ctx, requests, forestRun{"column", layer, hook, e.column(layer, hook), true, func(b batch, flat []float32) {
		b.each(func(i int, rows []int) {
			if requests[i].positions == nil {
				for _, row := range rows {
					result[i] = append(result[i], flat[row])
				}
				return
			}
			result[i] = make([]float32, len(requests[i].positions))
			for k, p := range requests[i].positions {
				result[i][k] = flat[rows[p]]
			}
		})
	}})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// layerActivations answers [Causal.LayerActivations].
func (e *engine) layerActivations(ctx context.Context, layer int, hook string, requests []request) ([][][]float32, error) {
	result := make([][][]float32, len(requests))
	width := e.config.DMLP
	err := e.run(ctx, requests, forestRun{"wide", layer, hook, e.wide(layer, hook), false, func(b batch, flat []float32) {
		b.each(func(i int, rows []int) {
			result[i] = make([][]float32, len(rows))
			for p, row := range rows {
				result[i][p] = slices.Clone(flat[row*width : (row+1)*width])
			}
		})
	}})
	if err != nil {
		return nil, err
	}
	return result, nil
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
