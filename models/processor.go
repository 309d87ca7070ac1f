package models

import (
	"context"
	"math"
	"sync"

	"github.com/neuron2graph/neuron2graph/models/kernels"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// processor runs forests of texts with package kernels instead of a compiled program: what the engine uses where the
// backend is the processor itself. It needs no shapes to be padded, attention walks the texts' own paths, and at the
// site's layer only the rows that are asked run past the keys and values.
//
// It computes what [transformer.Decoder]'s graph functions do, to which tests compare it.
type processor struct {
	config     Config
	layers     []layerWeights
	embeddings func() (embeddings, error)
	crew       crew
}

func newProcessor(c Config, w *weights) *processor {
	return &processor{
		config: c, layers: newLayerWeights(c, w), embeddings: sync.OnceValues(w.embeddings),
		crew: crew{dModel: c.DModel, width: c.Heads * c.DHead, dMLP: c.DMLP, gated: c.Gated},
	}
}

// pass is one run of a forest.
type pass struct {
	*processor
	ctx    context.Context
	forest *group
	// slot[row] is the place of the row's token and position among the distinct ones: before layer 0 has mixed any
	// positions, rows of the same token and position are equal, whatever stands before them.
	slot     []int32
	x        []float32 // the residual stream, [row, d_model]
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

// watcher is told of count rows of a pass, from row from on, at a place of a layer's MLP: w.pre is [count, d_mlp].
type watcher func(w *worker, layer int, hook string, from, count int)

// run takes the forest to the MLP of a layer and shows it the rows asked, in parts, several at a time.
func (p *processor) run(ctx context.Context, forest *group, layer int, asked []int32, visit visitor) error {
	return p.runWatched(ctx, forest, layer, nil, asked, visit)
}

// runWatched is run, and tells watch of all rows at the places of the MLPs before that of the layer.
func (p *processor) runWatched(ctx context.Context, forest *group, layer int, watch watcher, asked []int32, visit visitor) error {
	r := &pass{processor: p, ctx: ctx, forest: forest, watch: watch, workers: p.crew.hire()}
	defer p.crew.dismiss(r.workers)
	r.turn()
	kv, err := r.embed()
	if err != nil {
		return err
	}
	for l := range layer {
		if kv, err = r.layer(l, kv); err != nil {
			return err
		}
	}
	return r.site(layer, kv, asked, visit)
}

// turn computes the angles of rotary positions, as far as the forest reaches.
func (r *pass) turn() {
	c := r.config
	half := c.RotaryDims / 2
	deepest := 0
	for _, position := range r.forest.depth {
		deepest = max(deepest, int(position))
	}
	r.cos, r.sin = make([]float32, (deepest+1)*half), make([]float32, (deepest+1)*half)
	for i := range half {
		frequency := float32(math.Pow(c.RotaryBase, -2*float64(i)/float64(c.RotaryDims)))
		for position := range deepest + 1 {
			sin, cos := math.Sincos(float64(float32(position) * frequency))
			r.cos[position*half+i], r.sin[position*half+i] = float32(cos), float32(sin)
		}
	}
}

// embed fills x, and computes the keys and values of layer 0 for each distinct token and position.
func (r *pass) embed() (*keyValues, error) {
	c := r.config
	table, err := r.embeddings()
	if err != nil {
		return nil, err
	}
	weights, err := r.layers[0].attention()
	if err != nil {
		return nil, err
	}
	type place struct{ id, depth int32 }
	slots := map[place]int32{}
	var first []int32 // row of each slot
	r.slot = make([]int32, len(r.forest.ids))
	for row, id := range r.forest.ids {
		key := place{id, r.forest.depth[row]}
		slot, ok := slots[key]
		if !ok {
			slot = int32(len(first))
			slots[key] = slot
			first = append(first, int32(row))
		}
		r.slot[row] = slot
	}
	r.x = make([]float32, len(r.forest.ids)*c.DModel)
	for row, id := range r.forest.ids {
		x := r.x[row*c.DModel : (row+1)*c.DModel]
		copy(x, table.tokens[int(id)*c.DModel:])
		if table.positions != nil {
			kernels.Add(x, table.positions[(int(r.forest.depth[row])+c.PositionOffset)*c.DModel:][:c.DModel])
		}
	}
	kv := &keyValues{values: make([]float32, len(first)*weights.keyValues.Out()), at: r.slot}
	return kv, r.workers.each(r.ctx, len(first), func(w *worker, from, to int) {
		r.gather(w.x, first[from:to])
		r.keyValues(w, weights, w.x, first[from:to], kv.values[from*weights.keyValues.Out():])
	})
}

// gather copies rows of the stream to x.
func (r *pass) gather(x []float32, rows []int32) {
	d := r.config.DModel
	for i, row := range rows {
		copy(x[i*d:(i+1)*d], r.x[int(row)*d:])
	}
}

// keyValues computes those of rows whose stream is x.
func (r *pass) keyValues(w *worker, weights *attentionWeights, x []float32, rows []int32, dst []float32) {
	r.norm(w.normed, x, len(rows), weights.norm)
	weights.keyValues.Mul(dst, w.normed, len(rows))
	width := weights.keyValues.Out()
	for i, row := range rows {
		r.rotate(dst[i*width:i*width+width/2], row)
	}
}

// rotate applies the row's position to its queries or keys.
func (r *pass) rotate(x []float32, row int32) {
	if half := r.config.RotaryDims / 2; half > 0 {
		at := int(r.forest.depth[row]) * half
		kernels.Rotate(x, r.config.DHead, r.cos[at:at+half], r.sin[at:at+half])
	}
}

// norm normalises rows of the stream.
func (r *pass) norm(dst, x []float32, rows int, n normWeights) {
	d := r.config.DModel
	for at := 0; at < rows*d; at += d {
		if r.config.RMSNorm {
			kernels.RMSNorm(dst[at:at+d], x[at:at+d], n.weight, r.config.Epsilon)
		} else {
			kernels.LayerNorm(dst[at:at+d], x[at:at+d], n.weight, n.bias, r.config.Epsilon)
		}
	}
}

// layer runs a whole layer, and computes the keys and values of the next.
func (r *pass) layer(l int, kv *keyValues) (*keyValues, error) {
	attention, err := r.layers[l].attention()
	if err != nil {
		return nil, err
	}
	in, err := r.layers[l].in()
	if err != nil {
		return nil, err
	}
	out, err := r.layers[l].out()
	if err != nil {
		return nil, err
	}
	following, err := r.layers[l+1].attention()
	if err != nil {
		return nil, err
	}
	rows := iota32(len(r.forest.ids))
	width := following.keyValues.Out()
	next := &keyValues{values: make([]float32, len(rows)*width)}
	return next, r.workers.each(r.ctx, len(rows), func(w *worker, from, to int) {
		n, d := to-from, r.config.DModel
		x := r.x[from*d : to*d]
		r.attend(w, l, attention, kv, x, rows[from:to])
		if r.config.ParallelResidual {
			r.norm(w.normed, x, n, in.norm)
			kernels.Add(x, w.out[:n*d])
		} else {
			kernels.Add(x, w.out[:n*d])
			r.norm(w.normed, x, n, in.norm)
		}
		r.mlp(w, in, n, func(hook string) {
			if r.watch != nil {
				r.watch(w, l, hook, from, n)
			}
		})
		out.Mul(w.out, w.pre, n)
		kernels.Add(x, w.out[:n*d])
		r.keyValues(w, following, x, rows[from:to], next.values[from*width:])
	})
}

// site runs the layer of a site for the rows asked alone.
func (r *pass) site(l int, kv *keyValues, asked []int32, visit visitor) error {
	attention, err := r.layers[l].attention()
	if err != nil {
		return err
	}
	in, err := r.layers[l].in()
	if err != nil {
		return err
	}
	return r.workers.each(r.ctx, len(asked), func(w *worker, from, to int) {
		n := to - from
		r.gather(w.x, asked[from:to])
		if !r.config.ParallelResidual {
			r.attend(w, l, attention, kv, w.x, asked[from:to])
			kernels.Add(w.x[:n*r.config.DModel], w.out[:n*r.config.DModel])
		}
		r.norm(w.normed, w.x, n, in.norm)
		visit(w, from, n)
	})
}

// attend computes to w.out what attention adds to rows whose stream is x.
func (r *pass) attend(w *worker, l int, weights *attentionWeights, kv *keyValues, x []float32, rows []int32) {
	c := r.config
	heads := kernels.Heads{
		Heads: c.Heads, KVHeads: c.KeyHeads(), DHead: c.DHead, Scale: float32(c.QueryScale()), Window: c.Window(l),
	}
	width, stride := c.Heads*c.DHead, weights.keyValues.Out()
	r.norm(w.normed, x, len(rows), weights.norm)
	weights.query.Mul(w.q, w.normed, len(rows))
	last := int32(-1)
	for i, row := range rows {
		q := w.q[i*width : (i+1)*width]
		r.rotate(q, row)
		r.follow(w, kv, row, last)
		last = row
		w.scores = heads.Attend(w.z[i*width:(i+1)*width], q, kv.values, kv.values[stride/2:], stride, w.path, w.scores)
	}
	weights.out.Mul(w.out, w.z, len(rows))
}

// follow writes the places of the row's text up to it to w.path, which is that of the row last.
func (r *pass) follow(w *worker, kv *keyValues, row, last int32) {
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

// mlp takes the n rows in w.normed through the MLP up to what its way out multiplies, in w.pre, and calls at for each
// place on the way while w.pre holds its values.
func (p *processor) mlp(w *worker, weights *inWeights, n int, at func(hook string)) {
	width := p.config.DMLP
	weights.pre.Mul(w.pre, w.normed, n)
	at(transformer.HookPre)
	for row := 0; row < n*width; row += width {
		p.activate(w.pre[row:row+width], w.scratch)
	}
	if weights.linear != nil {
		weights.linear.Mul(w.linear, w.normed, n)
		kernels.Mul(w.pre[:n*width], w.linear[:n*width])
	}
	at(transformer.HookMid)
	if p.config.NormalizedMLP() {
		for row := 0; row < n*width; row += width {
			kernels.LayerNorm(w.pre[row:row+width], w.pre[row:row+width], nil, nil, p.config.Epsilon)
		}
	}
	at(transformer.HookPost)
}

// activate applies the activation function to a row.
func (p *processor) activate(x, scratch []float32) {
	switch p.config.Activation {
	case "solu", "solu_ln":
		kernels.SoLU(x, scratch)
	case "gelu":
		kernels.GELU(x, scratch)
	case "gelu_new":
		kernels.GELUTanh(x, scratch)
	case "relu":
		kernels.ReLU(x)
	case "silu":
		kernels.SiLU(x, scratch)
	}
}

// iota32 is 0, 1, 2 … n−1.
func iota32(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}
