package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// programRunner runs groups as compiled programs, their attention under a mask of ancestors.
type programRunner struct {
	*device
	shape     transformer.Decoder
	first     []int // of the layers that share a layer's programs
	bucketing bucketing
}

// Of a batch on a device of its own: rows that are worth a batch of their own, and the most of a batch and of a group.
const (
	leastRows   = 256
	deviceRows  = 16384
	deviceGroup = 256
)

func newProgramRunner(shape transformer.Decoder, p *parameters) *programRunner {
	return &programRunner{
		device: newDevice(p, func(l int) string { return transformer.BlockName(l, "") }),
		shape:  shape, first: firstOfKind(shape, p),
		bucketing: newBucketing(shape, p.backend.HasSharedBuffers()),
	}
}

func (r *programRunner) limit() int    { return r.bucketing.limit() }
func (r *programRunner) programs() int { return int(r.cached.compiled.Load()) }

func (r *programRunner) choose(waiting []piece, shares int) []int {
	return r.bucketing.choose(waiting, shares)
}

// run runs pieces of one task as one batch.
func (r *programRunner) run(_ context.Context, t task, pieces []piece) error {
	b, asked, most := batch{groups: make([]*group, len(pieces))}, make([][]int32, len(pieces)), 0
	for i, p := range pieces {
		b.groups[i], asked[i] = p.group, p.rows
		b.rows = max(b.rows, r.bucketing.rows(len(p.group.ids)))
		most = max(most, len(p.rows))
	}
	b.slots = r.bucketing.slots(len(pieces), b.rows)
	e := extent{slots: b.slots, rows: b.rows}
	narrow := r.bucketing.asked(most, b.rows)
	if narrow == 0 {
		for i, g := range b.groups {
			asked[i] = iota32(len(g.ids))
		}
	}
	n := cmp.Or(narrow, b.rows)
	site := r.sitePlan(e, narrow, t)
	ids, positions, ancestor := b.tensors()
	s, err := r.start(e, ids, positions, ancestor, nil)
	if err != nil {
		return err
	}
	defer s.free()
	if err := s.blocks(t.layer); err != nil {
		return err
	}
	var more []compute.Buffer
	defer func() { free(more...) }()
	give := func(flat any) {
		if err == nil {
			var buffer compute.Buffer
			buffer, err = r.upload(flat, site.inputs[len(r.streamInputs(e))+len(more)])
			more = append(more, buffer)
		}
	}
	rows, index := b.asked(asked, n)
	if narrow > 0 {
		give(rows)
	}
	if kind, ok := transformer.PatternSummary(t.hook); ok {
		give(b.counts(kind, asked, n))
	}
	width := r.shape.Width(t.hook)
	if t.kind == columnTask {
		give(index)
		width = 1
	}
	if err != nil {
		return err
	}
	outputs, _, err := r.device.run(site, t.layer, s.inputs(more...)...)
	if err != nil {
		return err
	}
	return r.read(outputs[0], func(output []float32) {
		for slot, piece := range pieces {
			values := output[slot*n*width:]
			if narrow > 0 {
				piece.read(slices.Clone(values[:len(piece.rows)*width]))
				continue
			}
			read := make([]float32, 0, len(piece.rows)*width)
			for _, row := range piece.rows {
				read = append(read, values[int(row)*width:(int(row)+1)*width]...)
			}
			piece.read(read)
		}
	})
}

// cache runs a prompt alone, padded to a bucket behind its end, where no token sees it.
func (r *programRunner) cache(_ context.Context, ids []int) (*Cache, error) {
	e := extent{slots: 1, rows: min(r.bucketing.rows(len(ids)), r.shape.Positions), plain: true}
	padded := make([]int32, e.rows)
	for i, id := range ids {
		padded[i] = int32(id)
	}
	cache := &Cache{Values: map[string][][]float32{}}
	keep := keeper(func(name string, value compute.Buffer) error {
		return r.read(value, func(flat []float32) { cache.Values[name] = splitRows(flat, e.rows)[:len(ids)] })
	})
	s, err := r.start(e, padded, nil, nil, keep)
	if err != nil {
		return nil, err
	}
	defer s.free()
	for l := range r.shape.Layers {
		values, p, err := s.block(l, r.blockPlan(e, l, showAll, nil))
		if err == nil {
			err = keep.all(values, r.layer(l), p.outputs)
		}
		if err != nil {
			return nil, err
		}
	}
	head := plan{e.key("head", 0, showAll), r.streamInputs(e),
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			return shown(showAll, "", func(hook transformer.Hook) *graph.Node { return r.shape.Unembed(w, in[0], hook) })
		}}
	outputs, p, err := r.device.run(head, 0, s.x)
	if err != nil {
		return nil, err
	}
	err = r.read(outputs[0], func(flat []float32) { cache.Logits = splitRows(flat, e.rows)[:len(ids)] })
	if err != nil {
		free(outputs[1:]...)
		return nil, err
	}
	return cache, keep.all(outputs[1:], "", p.outputs)
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
