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

// maskedPrograms runs texts as compiled programs.
type maskedPrograms struct {
	*device
	shape transformer.BERT
	host  bool // whether the processor computes
}

func newMaskedPrograms(shape transformer.BERT, p *parameters) *maskedPrograms {
	return &maskedPrograms{newDevice(p, func(l int) string { return transformer.BERTModule(l, "") }), shape,
		p.backend.HasSharedBuffers()}
}

// maskedLengths are the sequence lengths that programs are compiled for, and hostLengths those where the processor
// computes, for which a program takes longer to compile than a few texts to run. A text's own length alone decides
// which it is padded to.
var (
	maskedLengths = []int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}
	hostLengths   = []int{32, 64, 128, 256, 512}
)

// hostTokens is how many tokens a program runs on the processor, as long as its texts are shorter: always as many, so
// that there is one program for each length, and a text is computed in the same shape whatever runs beside it.
const hostTokens = 128

func (r *maskedPrograms) task(n int) maskedTask {
	lengths := maskedLengths
	if r.host {
		lengths = hostLengths
	}
	padded := r.shape.Positions
	if i, _ := slices.BinarySearch(lengths, n); i < len(lengths) {
		padded = min(padded, lengths[i])
	}
	if !r.host {
		return maskedTask{padded: padded}
	}
	return maskedTask{padded: padded, places: max(1, hostTokens/padded)}
}

func (r *maskedPrograms) logits(_ context.Context, sequences []Sequence, t maskedTask) (logits [][]float32, err error) {
	b := maskedBatch{sequences, t}
	ids, lengths, rows := b.tensors()
	e := extent{slots: len(lengths), rows: t.padded}
	fill := r.fill(e, len(rows))
	s, err := r.start(e, ids, lengths, nil)
	if err != nil {
		return nil, err
	}
	defer s.free()
	for l := range r.shape.Layers {
		if err := s.block(l, nil); err != nil {
			return nil, err
		}
	}
	which, err := r.upload(rows, fill.inputs[1])
	if err != nil {
		return nil, err
	}
	defer free(which)
	outputs, _, err := r.run(fill, 0, s.x, which)
	if err != nil {
		return nil, err
	}
	err = r.read(outputs[0], func(flat []float32) { logits = splitRows(flat, len(rows)) })
	return logits, err
}

// maskedStream is a batch on its way through the layers: what it holds lies on the backend.
type maskedStream struct {
	*maskedPrograms
	extent
	x, lengths compute.Buffer // [batch, seq, d_model] and [batch]
}

func (s *maskedStream) free() { free(s.x, s.lengths) }

// start runs the embedding; keep gets the values at its hook points, unless it is nil.
func (r *maskedPrograms) start(e extent, ids, lengths []int32, keep keeper) (s *maskedStream, err error) {
	s = &maskedStream{maskedPrograms: r, extent: e}
	defer func() {
		if err != nil {
			s.free()
		}
	}()
	if s.lengths, err = r.upload(lengths, shapes.Make(dtypes.Int32, e.slots)); err != nil {
		return nil, err
	}
	input, err := r.upload(ids, e.ints())
	if err != nil {
		return nil, err
	}
	defer free(input)
	outputs, p, err := r.run(r.embedding(e, showIf(keep != nil)), 0, input)
	if err != nil {
		return nil, err
	}
	s.x = outputs[0]
	return s, keep.all(outputs[1:], "", p.outputs)
}

// block takes the stream through a layer.
func (s *maskedStream) block(layer int, keep keeper) error {
	outputs, p, err := s.run(s.maskedPrograms.block(s.extent, showIf(keep != nil)), layer, s.x, s.lengths)
	if err != nil {
		return err
	}
	free(s.x)
	s.x = outputs[0]
	return keep.all(outputs[1:], transformer.BlockName(layer, ""), p.outputs)
}

// embedding is the program of words and positions, [batch, seq, d_model], and what it shows.
func (r *maskedPrograms) embedding(e extent, show string) plan {
	return plan{e.key("embedding", 0, show), []shapes.Shape{e.ints()},
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			return shown(show, "", func(hook transformer.Hook) *graph.Node { return r.shape.Embed(w, in[0], hook) })
		}}
}

// block is the program of every layer, and what it shows.
func (r *maskedPrograms) block(e extent, show string) plan {
	return plan{e.key("layer", 0, show),
		[]shapes.Shape{e.stream(r.shape.DModel), shapes.Make(dtypes.Int32, e.slots)},
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			return shown(show, transformer.BlockName(0, ""), func(hook transformer.Hook) *graph.Node {
				return r.shape.Block(w, 0, in[0], transformer.Bidirectional(in[1]), hook)
			})
		}}
}

// fill gives the logits [n, d_vocab] of n rows alone, which are told as places counted over batch and sequence.
func (r *maskedPrograms) fill(e extent, n int) plan {
	return plan{e.key(fmt.Sprintf("fill %d", n), 0, ""),
		[]shapes.Shape{e.stream(r.shape.DModel), shapes.Make(dtypes.Int32, n)},
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			x := graph.Gather(graph.Reshape(in[0], -1, r.shape.DModel), graph.InsertAxes(in[1], -1))
			return []*graph.Node{r.shape.Unembed(w, x)}, nil
		}}
}

// cache runs a text alone.
func (r *maskedPrograms) cache(ids []int) (*Cache, error) {
	b := maskedBatch{[]Sequence{{IDs: ids, Rows: []int{0}}}, maskedTask{padded: r.task(len(ids)).padded, places: 1}}
	padded, lengths, _ := b.tensors()
	e := extent{slots: 1, rows: b.task.padded}
	cache := &Cache{Values: map[string][][]float32{}}
	keep := keeper(func(name string, output compute.Buffer) error {
		return r.read(output, func(flat []float32) { cache.Values[name] = splitRows(flat, e.rows)[:len(ids)] })
	})
	s, err := r.start(e, padded, lengths, keep)
	if err != nil {
		return nil, err
	}
	defer s.free()
	for l := range r.shape.Layers {
		if err := s.block(l, keep); err != nil {
			return nil, err
		}
	}
	logits := plan{e.key("logits", 0, ""), []shapes.Shape{e.stream(r.shape.DModel)},
		func(w transformer.Weights, in []*graph.Node) ([]*graph.Node, []string) {
			return []*graph.Node{r.shape.Unembed(w, graph.Reshape(in[0], -1, r.shape.DModel))}, nil
		}}
	outputs, _, err := r.run(logits, 0, s.x)
	if err != nil {
		return nil, err
	}
	return cache, r.read(outputs[0], func(flat []float32) { cache.Logits = splitRows(flat, e.rows)[:len(ids)] })
}
