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

// maskedPrograms runs texts as compiled programs.
type maskedPrograms struct {
	shape      transformer.BERT
	parameters *parameters
	cached     *programs
	host       bool // whether the processor computes
}

func newMaskedPrograms(shape transformer.BERT, p *parameters) *maskedPrograms {
	return &maskedPrograms{shape, p, newPrograms(), p.backend.HasSharedBuffers()}
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
	key := programKey{kind: fmt.Sprintf("fill %d", len(rows)), groups: len(lengths), rows: b.task.padded}
	err = r.run(key, r.fillGraph, b, [][]int32{ids, lengths, rows}, func(_ int, flat []float32) {
		logits = splitRows(flat, len(rows))
	})
	return logits, err
}

// body runs embedding and blocks: ids [batch, seq], lengths [batch] to [batch, seq, d_model].
func (r *maskedPrograms) body(w transformer.Weights, ids, lengths *graph.Node, hook transformer.Hook) *graph.Node {
	x := r.shape.Embed(w, ids, hook)
	attention := transformer.Bidirectional(lengths)
	for l := range r.shape.Layers {
		x = r.shape.Block(w, l, x, attention, hook)
	}
	return x
}

// fillGraph gives the logits [n, d_vocab] of n rows alone; inputs are ids, lengths, and which rows [n], counted over
// batch and sequence.
func (r *maskedPrograms) fillGraph(w transformer.Weights, inputs []*graph.Node) []*graph.Node {
	x := r.body(w, inputs[0], inputs[1], nil)
	x = graph.Gather(graph.Reshape(x, -1, r.shape.DModel), graph.InsertAxes(inputs[2], -1))
	return []*graph.Node{r.shape.Unembed(w, x)}
}

// run runs a program of that key on a batch's inputs, the first of which is [size, seq] and the others flat.
func (r *maskedPrograms) run(key programKey, build buildFunc, b maskedBatch, inputs [][]int32,
	read func(i int, flat []float32)) error {
	dims := []shapes.Shape{shapes.Make(dtypes.Int32, b.size(), b.task.padded)}
	values := []any{inputs[0]}
	for _, input := range inputs[1:] {
		dims = append(dims, shapes.Make(dtypes.Int32, len(input)))
		values = append(values, input)
	}
	p, err := r.cached.get(key, func() (*program, error) { return r.parameters.compile(key.kind, dims, build) })
	if err != nil {
		return err
	}
	return r.parameters.run(p, dims, values, func(i int, flat any) { read(i, flat.([]float32)) })
}

// cache runs a text alone.
func (r *maskedPrograms) cache(ids []int) (*Cache, error) {
	b := maskedBatch{[]Sequence{{IDs: ids, Rows: []int{0}}}, maskedTask{padded: r.task(len(ids)).padded, places: 1}}
	padded, lengths, _ := b.tensors()
	names := r.cacheNames()
	cache := &Cache{Values: map[string][][]float32{}}
	key := programKey{kind: "cache", groups: b.size(), rows: b.task.padded}
	err := r.run(key, r.cacheGraph, b, [][]int32{padded, lengths}, func(i int, flat []float32) {
		rows := splitRows(flat, b.size()*b.task.padded)[:len(ids):len(ids)]
		if i == len(names) {
			cache.Logits = rows
		} else {
			cache.Values[names[i]] = rows
		}
	})
	if err != nil {
		return nil, err
	}
	return cache, nil
}

// cacheGraph gives every value of cacheNames, in that order, and the logits of every row; inputs are ids and lengths.
func (r *maskedPrograms) cacheGraph(w transformer.Weights, inputs []*graph.Node) []*graph.Node {
	values := map[string]*graph.Node{}
	x := r.body(w, inputs[0], inputs[1], func(name string, x *graph.Node) *graph.Node { values[name] = x; return x })
	var outputs []*graph.Node
	for _, name := range r.cacheNames() {
		outputs = append(outputs, values[name])
	}
	return append(outputs, r.shape.Unembed(w, graph.Reshape(x, -1, r.shape.DModel)))
}

// cacheNames lists the hook points of the model.
func (r *maskedPrograms) cacheNames() []string {
	names := []string{"hook_full_embed"}
	for l := range r.shape.Layers {
		for _, hook := range []string{"hook_normalized_resid_mid", "mlp.hook_pre", "mlp.hook_post",
			"hook_normalized_resid_post"} {
			names = append(names, transformer.BlockName(l, hook))
		}
	}
	return names
}
