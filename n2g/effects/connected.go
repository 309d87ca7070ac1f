package effects

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Weights are those of a layer's neurons, [d_mlp][d_model] each.
type Weights struct {
	Out  [][]float32 // what each neuron adds to the residual stream, for each unit of its activation
	In   [][]float32 // what it reads of the normalised residual stream
	Gate [][]float32 // what the gate of a gated MLP reads; nil where there is none
	Norm []float32   // weight of the norm before the MLP, [d_model]; nil where it has none
}

// Neighbour is a neuron beside another.
type Neighbour struct {
	Layer   int     `json:"layer"`
	Neuron  int     `json:"neuron"`
	Cosine  float64 `json:"cosine"`
	Through string  `json:"through,omitempty"` // of connected neurons: in or gate, what the later one reads by
}

// Neighbours are the neurons that one is connected with through the residual stream, and those like it.
type Neighbours struct {
	// Down are later neurons that read what this one writes, Up earlier ones that write what this one reads: by the cosine
	// of the earlier one's row of W_out and the later one's column of W_in, or of its gate, the norm's weight folded in.
	// Highest absolute cosine first.
	Down []Neighbour `json:"down"`
	Up   []Neighbour `json:"up"`
	// LikeIn read and LikeOut write in a like direction, in all layers; highest cosine first.
	LikeIn  []Neighbour `json:"like_in"`
	LikeOut []Neighbour `json:"like_out"`
}

// Connected finds the k nearest neurons of each kind of a neuron of a model of so many layers. weights reads a layer;
// it is called once for each layer, and what it returned is not kept.
func Connected(layers int, weights func(layer int) (*Weights, error), layer, neuron, k int) (*Neighbours, error) {
	own, err := weights(layer)
	if err != nil {
		return nil, err
	}
	if neuron < 0 || neuron >= len(own.Out) {
		return nil, fmt.Errorf("effects: layer %d has neurons 0 to %d, not %d", layer, len(own.Out)-1, neuron)
	}
	out, in := own.Out[neuron], folded(own.In[neuron], own.Norm)
	var gate []float32
	if own.Gate != nil {
		gate = folded(own.Gate[neuron], own.Norm)
	}
	n := &Neighbours{}
	for l := range layers {
		w := own
		if l != layer {
			if w, err = weights(l); err != nil {
				return nil, err
			}
		}
		for j := range w.Out {
			reads := folded(w.In[j], w.Norm)
			if l != layer || j != neuron {
				n.LikeOut = append(n.LikeOut, Neighbour{Layer: l, Neuron: j, Cosine: cosine(out, w.Out[j])})
				n.LikeIn = append(n.LikeIn, Neighbour{Layer: l, Neuron: j, Cosine: cosine(in, reads)})
			}
			switch {
			case l > layer:
				n.Down = append(n.Down, Neighbour{l, j, cosine(out, reads), "in"})
				if w.Gate != nil {
					n.Down = append(n.Down, Neighbour{l, j, cosine(out, folded(w.Gate[j], w.Norm)), "gate"})
				}
			case l < layer:
				n.Up = append(n.Up, Neighbour{l, j, cosine(w.Out[j], in), "in"})
				if gate != nil {
					n.Up = append(n.Up, Neighbour{l, j, cosine(w.Out[j], gate), "gate"})
				}
			}
		}
		n.cut(k)
	}
	return n, nil
}

// cut keeps the k best of each list.
func (n *Neighbours) cut(k int) {
	keep := func(list []Neighbour, by func(Neighbour) float64) []Neighbour {
		slices.SortStableFunc(list, func(a, b Neighbour) int { return cmp.Compare(by(b), by(a)) })
		return slices.Clip(list[:min(len(list), k)])
	}
	absolute := func(x Neighbour) float64 { return math.Abs(x.Cosine) }
	signed := func(x Neighbour) float64 { return x.Cosine }
	n.Down, n.Up = keep(n.Down, absolute), keep(n.Up, absolute)
	n.LikeIn, n.LikeOut = keep(n.LikeIn, signed), keep(n.LikeOut, signed)
}

func folded(v, norm []float32) []float32 {
	if norm == nil {
		return v
	}
	result := make([]float32, len(v))
	for i, x := range v {
		result[i] = x * norm[i]
	}
	return result
}

// cosine of two directions, 0 where one has no length.
func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i, x := range a {
		dot += float64(x) * float64(b[i])
		aa += float64(x) * float64(x)
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}
