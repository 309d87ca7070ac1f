package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// kernelRunner runs forests of texts with package kernels instead of a compiled program: what the engine uses where the
// backend is the processor itself. It needs no shapes to be padded, attention walks the texts' own paths, and at the
// site's layer only the rows that are asked run past the keys and values.
//
// It computes what [transformer.Decoder]'s graph functions do, to which tests compare it.
type kernelRunner struct {
	shape      transformer.Decoder
	blocks     []layerWeights
	embeddings func() (embeddings, error)
	final      func() (*finalWeights, error)
	activate   func(x, scratch []float32)
	pool       pool
}

func newKernelRunner(c transformer.Decoder, w *parameters) (*kernelRunner, error) {
	activate, err := activation(c.Activation)
	if err != nil {
		return nil, err
	}
	return &kernelRunner{
		activate: activate,
		shape:    c, blocks: newLayerWeights(c, w), embeddings: sync.OnceValues(w.embeddings),
		final: sync.OnceValues(func() (*finalWeights, error) { return w.final(c) }),
		pool:  pool{dModel: c.DModel, width: c.Heads * c.DHead, dMLP: c.DMLP, gated: c.Gated},
	}, nil
}

// activation is the kernel of an activation function.
func activation(name string) (func(x, scratch []float32), error) {
	// The LayerNorm of solu_ln is a step of the MLP.
	f := kernels.Activation(strings.TrimSuffix(name, "_ln"))
	if f == nil || !transformer.KnownActivation(name) {
		return nil, fmt.Errorf("the activation function %q is not among those known: %s", name,
			strings.Join(transformer.Activations(), ", "))
	}
	return f, nil
}

// pass is one run of a forest.
type pass struct {
	*kernelRunner
	ctx    context.Context
	forest *group
	// slot[row] is the place of the row's token and position among the distinct ones: before layer 0 has mixed any
	// positions, rows of the same token and position are equal, whatever stands before them.
	slot     []int32
	x        []float32 // the residual stream, [row, d_model]
	borrowed []*[]float32
	spare    []float32 // for the next layer's keys and values
	cos, sin []float32 // of rotary positions, [position, dims/2]
	workers  workers
	watch    watcher
}

// keyValues are the keys and values of a layer: at[row] is the place of a row's, nil where that is the row itself.
type keyValues struct {
	values []float32 // [place, 2, kv_heads·d_head]
	at     []int32
}

// visitor is told of count rows asked of a pass, from place at on of those asked: w.normed is [count, d_model], what
// enters the MLP.
type visitor func(w *worker, at, count int)

// watcher is told of the values [count, …] that rows from row from on have at a hook point of a layer, -1 outside the
// layers. Calls come from several goroutines; values are valid only until the call returns.
type watcher func(layer int, hook string, from, count int, values []float32)

// pass calls f with a pass that has workers.
func (k *kernelRunner) pass(ctx context.Context, forest *group, watch watcher, f func(r *pass) error) error {
	r := &pass{kernelRunner: k, ctx: ctx, forest: forest, watch: watch, workers: k.pool.workers()}
	defer k.pool.putBack(r.workers)
	defer func() {
		for _, block := range r.borrowed {
			k.pool.memory.Put(block)
		}
	}()
	r.rotations()
	return f(r)
}

// floats are n elements of arbitrary values that the pass may use to its end.
func (r *pass) floats(n int) []float32 {
	block := r.pool.borrow(n)
	r.borrowed = append(r.borrowed, block)
	return *block
}

// layers runs the embedding and so many layers. It returns the keys and values of the next, nil behind the last.
func (r *pass) layers(n int) (*keyValues, error) {
	kv, err := r.embed()
	for l := 0; l < n && err == nil; l++ {
		kv, err = r.layer(l, kv)
	}
	return kv, err
}

// show tells the watcher, if there is one.
func (r *pass) show(layer int, hook string, from, count int, values []float32) {
	if r.watch != nil {
		r.watch(layer, hook, from, count, values)
	}
}

// rotations computes the angles of rotary positions, as far as the forest reaches.
func (r *pass) rotations() {
	c := r.shape
	half := c.RotaryDims / 2
	deepest := 0
	for _, position := range r.forest.depth {
		deepest = max(deepest, int(position))
	}
	r.cos, r.sin = make([]float32, (deepest+1)*half), make([]float32, (deepest+1)*half)
	scale := 1.0
	if c.RotaryScale != 0 {
		scale = c.RotaryScale
	}
	for i, frequency := range c.Frequencies() {
		for position := range deepest + 1 {
			sin, cos := math.Sincos(float64(float32(position) * frequency))
			sin, cos = sin*scale, cos*scale
			r.cos[position*half+i], r.sin[position*half+i] = float32(cos), float32(sin)
		}
	}
}

// embed fills x, and computes the keys and values of layer 0 for each distinct token and position.
func (r *pass) embed() (*keyValues, error) {
	c := r.shape
	table, err := r.embeddings()
	if err != nil {
		return nil, err
	}
	weights, err := r.blocks[0].attention()
	if err != nil {
		return nil, err
	}
	type place struct{ id, depth, row int32 }
	slots := map[place]int32{}
	apart := r.forest.marks != nil && r.editsEmbedding()
	var first []int32 // row of each slot
	r.slot = make([]int32, len(r.forest.ids))
	for row, id := range r.forest.ids {
		key := place{id: id, depth: r.forest.depth[row]}
		if apart {
			key.row = int32(row)
		}
		slot, ok := slots[key]
		if !ok {
			slot = int32(len(first))
			slots[key] = slot
			first = append(first, int32(row))
		}
		r.slot[row] = slot
	}
	r.x = r.floats(len(r.forest.ids) * c.DModel)
	for row, id := range r.forest.ids {
		x := r.x[row*c.DModel : (row+1)*c.DModel]
		copy(x, table.tokens[int(id)*c.DModel:])
		r.show(-1, "hook_embed", row, 1, x)
		if table.positions != nil {
			position := table.positions[(int(r.forest.depth[row])+c.PositionOffset)*c.DModel:][:c.DModel]
			r.show(-1, "hook_pos_embed", row, 1, position)
			kernels.Add(x, position)
		}
		r.edit(0, transformer.HookResidPre, x, []int32{int32(row)})
	}
	size := len(r.forest.ids) * weights.keyValues.Out()
	r.spare = r.floats(size)
	kv := &keyValues{values: r.floats(size), at: r.slot}
	return kv, r.workers.each(r.ctx, len(first), func(w *worker, from, to int) {
		r.gather(w.x, first[from:to])
		r.keyValues(w, 0, weights, w.x, first[from:to], kv.values[from*weights.keyValues.Out():])
	})
}

// editsEmbedding says whether rows of equal token and position may differ before layer 0.
func (r *pass) editsEmbedding() bool {
	return slices.ContainsFunc(r.forest.edits, func(edits []Edit) bool {
		return slices.ContainsFunc(edits,
			func(e Edit) bool { return e.Layer == 0 && e.Hook == transformer.HookResidPre })
	})
}

// gather copies rows of the stream to x.
func (r *pass) gather(x []float32, rows []int32) {
	d := r.shape.DModel
	for i, row := range rows {
		copy(x[i*d:(i+1)*d], r.x[int(row)*d:])
	}
}

// keyValues computes those of a layer for rows whose stream is x.
func (r *pass) keyValues(w *worker, l int, weights *attentionWeights, x []float32, rows []int32, dst []float32) {
	r.norm(w.normed, x, len(rows), weights.norm)
	weights.keyValues.Mul(dst, w.normed, len(rows))
	width := weights.keyValues.Out()
	for i, row := range rows {
		keys, values := dst[i*width:i*width+width/2], dst[i*width+width/2:(i+1)*width]
		r.show(l, "attn.hook_k", int(row), 1, keys)
		r.show(l, "attn.hook_v", int(row), 1, values)
		r.rotate(keys, row)
	}
}

// rotate applies the row's position to its queries or keys.
func (r *pass) rotate(x []float32, row int32) {
	if half := r.shape.RotaryDims / 2; half > 0 {
		at := int(r.forest.depth[row]) * half
		kernels.Rotate(x, r.shape.DHead, r.cos[at:at+half], r.sin[at:at+half])
	}
}

// norm normalises rows of the stream.
func (k *kernelRunner) norm(dst, x []float32, rows int, n normWeights) {
	k.normWith(dst, x, rows, n, k.shape.RMSNorm)
}

// normWith normalises rows of the stream by RMSNorm or LayerNorm.
func (k *kernelRunner) normWith(dst, x []float32, rows int, n normWeights, rms bool) {
	d := k.shape.DModel
	for at := 0; at < rows*d; at += d {
		if rms {
			kernels.RMSNorm(dst[at:at+d], x[at:at+d], n.weight, k.shape.Epsilon)
		} else {
			kernels.LayerNorm(dst[at:at+d], x[at:at+d], n.weight, n.bias, k.shape.Epsilon)
		}
	}
}

// blockWeights are those of a layer that a block needs up to where it stops.
type blockWeights struct {
	attention *attentionWeights
	in        *inWeights
	out       *kernels.Matrix
}

// weights reads what a layer needs up to a hook point, everything for "".
func (k *kernelRunner) weights(l int, stop string) (b blockWeights, err error) {
	if b.attention, err = k.blocks[l].attention(); err != nil || strings.HasPrefix(stop, "attn.") ||
		stop == transformer.HookAttnOut {
		return b, err
	}
	if stop == transformer.HookResidPre || stop == transformer.HookResidMid {
		return b, nil
	}
	if b.in, err = k.blocks[l].in(); err != nil || strings.HasPrefix(stop, "mlp.") || stop == transformer.HookMLPIn {
		return b, err
	}
	b.out, err = k.blocks[l].out()
	return b, err
}

// layer runs a whole layer, and computes the keys and values of the next.
func (r *pass) layer(l int, kv *keyValues) (*keyValues, error) {
	b, err := r.weights(l, "")
	if err != nil {
		return nil, err
	}
	rows := iota32(len(r.forest.ids))
	var following *attentionWeights
	var next *keyValues
	if l+1 < len(r.blocks) {
		if following, err = r.blocks[l+1].attention(); err != nil {
			return nil, err
		}
		next = &keyValues{values: r.spare}
		r.spare = kv.values
	}
	return next, r.workers.each(r.ctx, len(rows), func(w *worker, from, to int) {
		x := r.x[from*r.shape.DModel : to*r.shape.DModel]
		r.block(w, l, b, kv, x, rows[from:to], from, "")
		if following != nil {
			r.keyValues(w, l+1, following, x, rows[from:to], next.values[from*following.keyValues.Out():])
		}
	})
}

// last runs the last layer for the rows asked alone: their stream behind it, [row, d_model].
func (r *pass) last(kv *keyValues, asked []int32) ([]float32, error) {
	l, d := len(r.blocks)-1, r.shape.DModel
	b, err := r.weights(l, "")
	if err != nil {
		return nil, err
	}
	x := make([]float32, len(asked)*d)
	return x, r.workers.each(r.ctx, len(asked), func(w *worker, from, to int) {
		part := x[from*d : to*d]
		r.gather(part, asked[from:to])
		r.block(w, l, b, kv, part, asked[from:to], from, "")
	})
}

// reach runs a layer up to a hook point for the rows asked alone, and shows visit their values there, [count, width],
// from place at on of those asked; several parts at the same time.
func (r *pass) reach(l int, hook string, kv *keyValues, asked []int32,
	visit func(at, count int, values []float32)) error {
	b, err := r.weights(l, hook)
	if err != nil {
		return err
	}
	r.watch = func(_ int, reached string, at, count int, values []float32) {
		if reached == hook {
			visit(at, count, values)
		}
	}
	return r.workers.each(r.ctx, len(asked), func(w *worker, from, to int) {
		x := w.x[:(to-from)*r.shape.DModel]
		r.gather(x, asked[from:to])
		r.block(w, l, b, kv, x, asked[from:to], from, hook)
	})
}

// block takes rows whose stream is x through a layer, in place, and stops behind a hook point, if one is named; at is
// what the watcher is told they begin with.
func (r *pass) block(w *worker, l int, b blockWeights, kv *keyValues, x []float32, rows []int32, at int, stop string) {
	n, d := len(rows), r.shape.DModel
	reached := func(hook string, values []float32) bool {
		r.edit(l, hook, values, rows)
		r.show(l, hook, at, n, values)
		return hook == stop
	}
	if reached(transformer.HookResidPre, x) {
		return
	}
	if r.shape.ParallelResidual {
		if !r.shape.BesideAttention(stop) && r.attend(w, l, b.attention, kv, x, rows, at, stop) {
			return
		}
		r.norm(w.normed, x, n, b.in.norm)
		kernels.Add(x, w.out[:n*d])
	} else {
		if r.attend(w, l, b.attention, kv, x, rows, at, stop) {
			return
		}
		kernels.Add(x, w.out[:n*d])
		if reached(transformer.HookResidMid, x) {
			return
		}
		r.norm(w.normed, x, n, b.in.norm)
	}
	if reached(transformer.HookMLPIn, w.normed[:n*d]) {
		return
	}
	stopped := false
	r.mlp(w, b.in, n, func(hook string, values []float32) bool {
		stopped = reached("mlp."+hook, values)
		return !stopped
	})
	if stopped {
		return
	}
	b.out.Mul(w.out, w.pre, n)
	if reached(transformer.HookMLPOut, w.out[:n*d]) {
		return
	}
	kernels.Add(x, w.out[:n*d])
	reached(transformer.HookResidPost, x)
}

// toMLP leaves in w.normed what enters the MLP for the rows asked alone, and calls visit, in parts, several at a time.
func (r *pass) toMLP(l int, kv *keyValues, asked []int32, visit visitor) error {
	b, err := r.weights(l, "mlp.")
	if err != nil {
		return err
	}
	return r.workers.each(r.ctx, len(asked), func(w *worker, from, to int) {
		n, d := to-from, r.shape.DModel
		x := w.x[:n*d]
		r.gather(x, asked[from:to])
		if !r.shape.ParallelResidual { // else beside attention
			r.attend(w, l, b.attention, kv, x, asked[from:to], from, "")
			kernels.Add(x, w.out[:n*d])
		}
		r.norm(w.normed, x, n, b.in.norm)
		visit(w, from, n)
	})
}

// attend computes to w.out what attention adds to rows whose stream is x, and says whether it stopped at a hook point
// before; at is what the watcher is told they begin with.
func (r *pass) attend(w *worker, l int, weights *attentionWeights, kv *keyValues, x []float32, rows []int32, at int,
	stop string) bool {
	c := r.shape
	heads := kernels.Heads{
		Heads: c.Heads, KVHeads: c.KeyHeads(), DHead: c.DHead, Scale: float32(c.QueryScale(l)), Window: c.Window(l),
	}
	width, stride := c.Heads*c.DHead, weights.keyValues.Out()
	r.norm(w.normed, x, len(rows), weights.norm)
	r.show(l, "ln1.hook_normalized", at, len(rows), w.normed)
	weights.query.Mul(w.q, w.normed, len(rows))
	r.show(l, "attn.hook_q", at, len(rows), w.q)
	summary, summarised := transformer.PatternSummary(stop)
	var sums []float32
	last := int32(-1)
	for i, row := range rows {
		q := w.q[i*width : (i+1)*width]
		r.rotate(q, row)
		r.findPath(w, kv, row, last)
		last = row
		if summarised {
			sums = append(sums, r.summarise(w, heads, q, kv.values, stride, row, summary)...)
			continue
		}
		w.scores = heads.Attend(w.z[i*width:(i+1)*width], q, kv.values, kv.values[stride/2:], stride, w.path, w.scores)
	}
	if summarised {
		r.show(l, stop, at, len(rows), sums)
		return true
	}
	r.edit(l, transformer.HookZ, w.z[:len(rows)*width], rows)
	r.show(l, transformer.HookZ, at, len(rows), w.z)
	if stop == transformer.HookZ {
		return true
	}
	weights.out.Mul(w.out, w.z, len(rows))
	r.edit(l, transformer.HookAttnOut, w.out[:len(rows)*c.DModel], rows)
	r.show(l, transformer.HookAttnOut, at, len(rows), w.out)
	return stop == transformer.HookAttnOut
}

// findPath writes the places of the row's text up to it to w.path, which is that of the row last.
func (r *pass) findPath(w *worker, kv *keyValues, row, last int32) {
	position := int(r.forest.depth[row])
	if parent := r.forest.parent[row]; parent == last && parent >= 0 {
		w.path = append(w.path[:position], kv.place(row))
		return
	}
	for len(w.path) <= position {
		w.path = append(w.path, 0)
	}
	w.path = w.path[:position+1]
	for ; position >= 0; position-- {
		w.path[position] = kv.place(row)
		row = r.forest.parent[row]
	}
}

// place is where a row's keys and values lie.
func (kv *keyValues) place(row int32) int32 {
	if kv.at == nil {
		return row
	}
	return kv.at[row]
}

// mlp takes the n rows in w.normed through the MLP up to what its way out multiplies, in w.pre, and shows at the values
// at each hook point on the way, [n, d_mlp], until it wants no more.
func (k *kernelRunner) mlp(w *worker, weights *inWeights, n int, at func(hook string, values []float32) (more bool)) {
	width := k.shape.DMLP
	pre := w.pre[:n*width]
	weights.pre.Mul(pre, w.normed, n)
	if !at(transformer.HookPre, pre) {
		return
	}
	if weights.linear != nil {
		weights.linear.Mul(w.linear, w.normed, n)
		if !at(transformer.HookPreLinear, w.linear[:n*width]) {
			return
		}
	}
	for row := 0; row < n*width; row += width {
		k.activate(pre[row:row+width], w.scratch)
		if weights.linear != nil {
			kernels.Mul(pre[row:row+width], w.linear[row:row+width])
		}
	}
	if !at(transformer.HookMid, pre) {
		return
	}
	if k.shape.NormalizedMLP() {
		for row := 0; row < n*width; row += width {
			kernels.LayerNorm(pre[row:row+width], pre[row:row+width], nil, nil, k.shape.Epsilon)
		}
	}
	at(transformer.HookPost, pre)
}

// iota32 is 0, 1, 2 … n−1.
func iota32(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}
