package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// layerWeights are one layer's parameters as package kernels takes them. Each part is read when it is first needed: the
// layer of a site never needs its out.
type layerWeights struct {
	attention func() (*attentionWeights, error)
	in        func() (*inWeights, error)
	out       func() (*kernels.Matrix, error)
}

// attentionWeights are the norm before attention and its projections. Keys and values of a row lie beside each other.
type attentionWeights struct {
	norm             normWeights
	query, keyValues *kernels.Matrix
	out              *kernels.Matrix
}

// inWeights are the norm before the MLP and the way into it; linear is nil where the MLP is not gated.
type inWeights struct {
	norm        normWeights
	pre, linear *kernels.Matrix
}

// normWeights are a norm's weight and bias, nil where it has none.
type normWeights struct{ weight, bias []float32 }

// embeddings are the tables of tokens and of positions, nil where there is none. They lie in the backend's memory,
// which programs use too.
type embeddings struct{ tokens, positions []float32 }

// newLayerWeights prepares reading.
func newLayerWeights(c transformer.Decoder, w *parameters) []layerWeights {
	layers := make([]layerWeights, c.Layers)
	for l := range layers {
		layers[l] = layerWeights{
			attention: sync.OnceValues(func() (*attentionWeights, error) { return w.attention(c, l) }),
			in:        sync.OnceValues(func() (*inWeights, error) { return w.in(c, l) }),
			out: sync.OnceValues(func() (*kernels.Matrix, error) {
				return w.pack(c.DMLP, projection{transformer.BlockName(l, "mlp.W_out"), transformer.BlockName(l, "mlp.b_out")})
			}),
		}
	}
	return layers
}

func (w *parameters) embeddings() (embeddings, error) {
	tokens, err := w.shared("embed.W_E")
	if err != nil {
		return embeddings{}, err
	}
	positions, err := w.shared("pos_embed.W_pos")
	return embeddings{tokens, positions}, err
}

func (w *parameters) attention(c transformer.Decoder, layer int) (*attentionWeights, error) {
	name := func(part string) string { return transformer.BlockName(layer, part) }
	norm, err := w.norm(name("ln1"))
	if err != nil {
		return nil, err
	}
	query, err := w.pack(c.DModel, projection{name("attn.W_Q"), name("attn.b_Q")})
	if err != nil {
		return nil, err
	}
	keyValues, err := w.pack(c.DModel, projection{name("attn.W_K"), name("attn.b_K")},
		projection{name("attn.W_V"), name("attn.b_V")})
	if err != nil {
		return nil, err
	}
	out, err := w.pack(c.Heads*c.DHead, projection{name("attn.W_O"), name("attn.b_O")})
	return &attentionWeights{norm, query, keyValues, out}, err
}

func (w *parameters) in(c transformer.Decoder, layer int) (*inWeights, error) {
	name := func(part string) string { return transformer.BlockName(layer, part) }
	norm, err := w.norm(name("ln2"))
	if err != nil {
		return nil, err
	}
	in, err := w.pack(c.DModel, projection{name("mlp.W_in"), name("mlp.b_in")})
	if err != nil || !c.Gated {
		return &inWeights{norm, in, nil}, err
	}
	gate, err := w.pack(c.DModel, projection{name("mlp.W_gate"), name("mlp.b_gate")})
	return &inWeights{norm, gate, in}, err
}

func (w *parameters) norm(name string) (n normWeights, err error) {
	if n.weight, err = w.values(name + ".w"); err != nil {
		return n, err
	}
	n.bias, err = w.values(name + ".b")
	return n, err
}

// projection names the parameters of a dense layer.
type projection struct{ weight, bias string }

// pack reads dense layers that share their input of width in.
func (w *parameters) pack(in int, projections ...projection) (*kernels.Matrix, error) {
	out := 0
	for _, p := range projections {
		v, ok := w.layout(p.weight)
		if !ok {
			return nil, fmt.Errorf("the model has no parameter %q", p.weight)
		}
		out += v.Size() / in
	}
	m := kernels.NewMatrix(in, out)
	first := 0
	for _, p := range projections {
		v, _ := w.layout(p.weight)
		bias, err := w.values(p.bias)
		if err != nil {
			return nil, err
		}
		width := v.Size() / in
		m.Set(first, width, nil, bias)
		err = w.unpack(v, func(row, column, columns int, weight []float32) { m.SetPart(row, first+column, columns, weight) })
		if err != nil {
			return nil, err
		}
		first += width
	}
	return m, nil
}

// unpackSize is how many elements of a matrix are read at a time to be packed.
const unpackSize = 4 << 20

// unpack calls pack with a matrix in parts: from a row and column on, so many columns of all rows that fit. Their
// memory is used again and again: as garbage it would count with the model, matrix after matrix.
func (w *parameters) unpack(v weights.View, pack func(row, column, columns int, values []float32)) error {
	part := func(v weights.View, row, column int) error {
		n := v.Size()
		block, ok := w.unpacked.Get().(*[]float32)
		if !ok || cap(*block) < n {
			block = new(make([]float32, n))
		}
		defer w.unpacked.Put(block)
		if err := w.read(v, (*block)[:n]); err != nil {
			return err
		}
		pack(row, column, v.Shape[1], (*block)[:n])
		return nil
	}
	if v.Fold != nil || len(v.Dims) != 2 || v.Size() <= unpackSize {
		return part(v, 0, 0)
	}
	// Cut along the axis whose parts lie in the file without gaps.
	cut := 0
	if v.Strides[1] > v.Strides[0] {
		cut = 1
	}
	step := max(1, unpackSize/v.Dims[1-cut])
	for from := 0; from < v.Dims[cut]; from += step {
		piece := v
		piece.Dims = slices.Clone(v.Dims)
		piece.Dims[cut] = min(step, v.Dims[cut]-from)
		piece.Shape = piece.Dims
		piece.Offset += from * v.Strides[cut]
		at := [2]int{}
		at[cut] = from
		if err := part(piece, at[0], at[1]); err != nil {
			return err
		}
	}
	return nil
}

// values reads a parameter into memory of its own; nil is one that the model lacks.
func (w *parameters) values(name string) ([]float32, error) {
	v, ok := w.layout(name)
	if !ok {
		return nil, nil
	}
	values := make([]float32, v.Size())
	return values, w.read(v, values)
}

// read fills dst, of the view's size.
func (w *parameters) read(v weights.View, dst []float32) error {
	err := v.Check(w.files)
	if err == nil {
		err = v.Read(w.files, dst)
	}
	if err != nil {
		return fmt.Errorf("load weights: %w", err)
	}
	return nil
}

// shared is a parameter's values where a backend of the processor holds them; nil is one that the model lacks.
func (w *parameters) shared(name string) ([]float32, error) {
	if _, ok := w.layout(name); !ok {
		return nil, nil
	}
	buffers, err := w.buffers([]string{name})
	if err != nil {
		return nil, err
	}
	flat, err := buffers[0].Data()
	if err != nil {
		return nil, fmt.Errorf("load weights: %w", err)
	}
	return flat.([]float32), nil
}

// finalWeights are the norm behind the last layer and the way to the logits: a matrix, or the token embedding where the
// model uses that.
type finalWeights struct {
	norm    normWeights
	unembed *kernels.Matrix
	tied    []float32 // [d_vocab, d_model]
	bias    []float32 // of tied, nil for none
}

func (w *parameters) final(c transformer.Decoder) (*finalWeights, error) {
	f := &finalWeights{}
	var err error
	if !c.NoFinalNorm {
		if f.norm, err = w.norm("ln_final"); err != nil {
			return nil, err
		}
	}
	if !c.Tied {
		f.unembed, err = w.pack(c.DModel, projection{"unembed.W_U", "unembed.b_U"})
		return f, err
	}
	if f.tied, err = w.shared("embed.W_E"); err != nil {
		return nil, err
	}
	f.bias, err = w.values("unembed.b_U")
	return f, err
}
