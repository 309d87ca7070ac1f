package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// ErrNoOutput is of a hook point that nothing is added to the residual stream from directly.
var ErrNoOutput = errors.New("it promotes no tokens directly")

// OutputDirections are what one unit of each number of a hook point adds to the residual stream directly, a row of
// [d_model] each ([ErrNoOutput] where nothing is): of a neuron its row of W_out, of a coordinate of the stream that
// coordinate, of a number of attn.hook_z its row of W_O, of a feature its row of W_dec through that, and along a
// direction the direction. Negative sides have the opposite.
func (m *Causal) OutputDirections(layer int, hook string) ([][]float32, error) {
	r, err := m.reading(layer, hook)
	if err != nil {
		return nil, err
	}
	if err := m.local("weights"); err != nil {
		return nil, err
	}
	var rows [][]float32
	point := r.point
	switch e := r.encoder.(type) {
	case *sae.SAE:
		if point, err = m.point(layer, e.Output); err != nil {
			return nil, err
		}
		for f := range e.Features {
			rows = append(rows, e.Direction(f))
		}
	case products:
		rows = m.directions.vectors
		if n := r.width / len(rows); n > 1 || strings.Contains(hook, "hook_result") { // of each head
			point = transformer.HookResidPost
			repeated := make([][]float32, 0, r.width)
			for _, v := range rows {
				repeated = append(repeated, slices.Repeat([][]float32{v}, n)...)
			}
			rows = repeated
		}
	}
	rows, err = m.toStream(layer, point, rows, r.width)
	if err != nil || !r.negative {
		return rows, err
	}
	for i, row := range rows {
		rows[i] = slices.Clone(row)
		for k, v := range row {
			rows[i][k] = -v
		}
	}
	return rows, nil
}

// toStream takes rows of a hook point's width to the residual stream; nil rows are one for each of its n numbers.
func (m *Causal) toStream(layer int, point string, rows [][]float32, n int) ([][]float32, error) {
	d := m.config.DModel
	var out [][]float32 // what each number adds
	switch {
	case point == transformer.HookZ:
		flat, err := m.engine.Parameter(transformer.BlockName(layer, "attn.W_O")) // [heads, d_head, d_model]
		if err != nil {
			return nil, err
		}
		out = slices.Collect(slices.Chunk(flat, d))
	case strings.HasPrefix(point, "mlp."):
		weights, err := m.NeuronWeights(layer)
		if err != nil {
			return nil, err
		}
		out = weights.Out
	case strings.HasPrefix(point, "hook_"):
		if rows != nil {
			return rows, nil
		}
		for i := range n {
			row := make([]float32, d)
			row[i] = 1
			rows = append(rows, row)
		}
		return rows, nil
	case point == transformer.HookMLPIn:
		return nil, fmt.Errorf("what is read at %s is not added to the residual stream: %w", point, ErrNoOutput)
	default:
		return nil, fmt.Errorf("%s says where a head looks, not what it adds to the residual stream: %w", point,
			ErrNoOutput)
	}
	if rows == nil {
		return out, nil
	}
	added := make([][]float32, len(rows))
	for i, row := range rows {
		sums := make([]float64, d)
		for k, v := range row {
			if v != 0 {
				for j, w := range out[k] {
					sums[j] += float64(v) * float64(w)
				}
			}
		}
		added[i] = make([]float32, d)
		for j, s := range sums {
			added[i][j] = float32(s)
		}
	}
	return added, nil
}
