package models

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// HookPoints lists the places of a layer that can be read, in the order in which they are computed. They are called as
// TransformerLens calls them:
//
//   - hook_resid_pre, hook_resid_mid, hook_resid_post: the residual stream, [d_model]; hook_attn_out and hook_mlp_out:
//     what is added to it. A model whose MLP stands beside attention has no hook_resid_mid.
//   - ln2.hook_normalized, also called mlp.hook_in: what enters the MLP, [d_model], the norm's weight and bias
//     included.
//   - attn.hook_z: what the heads give, [heads·d_head], head h at h·d_head.
//   - mlp.hook_pre, mlp.hook_pre_linear (of gated MLPs), mlp.hook_mid, mlp.hook_post: neurons, [d_mlp].
//   - attn.bos, attn.self, attn.prev, attn.induction, which are ours: how much of its attention a head pays to the
//     prompt's first token, to the token itself, to the one before it, and to all that followed the same token before,
//     [heads].
//
// Behind a hook point may stand [sae], the features of the auto-encoder that reads it, or [dir], its products with
// directions, number i for the i-th; attn.hook_result[dir] is what head h adds to the residual stream along direction
// i, number i·heads+h.
func (m *Causal) HookPoints() []string { return m.config.shape().HookPoints() }

// Width is how many numbers a hook point of a layer has for each token; of one that ends in [sae] or [dir], features
// or directions. An empty hook is the model's own.
func (m *Causal) Width(layer int, hook string) (int, error) {
	r, err := m.reading(layer, hook)
	if err != nil {
		return 0, err
	}
	return r.width, nil
}

// reading is what a hook asks for.
type reading struct {
	point    string
	negative bool
	kind     string  // what is numbered: "sae" features, "dir" directions, else the point's own
	encoder  encoder // of sae and dir; nil for the point itself
	width    int     // how many numbers it has for each token
}

// reading checks a layer and a hook.
func (m *Causal) reading(layer int, hook string) (reading, error) {
	var r reading
	var err error
	hook, r.negative = strings.CutPrefix(hook, "-")
	hook, feature := strings.CutSuffix(hook, "[sae]")
	if along, ok := strings.CutSuffix(hook, "[dir]"); ok {
		r.kind = "dir"
		short := strings.TrimPrefix(strings.TrimPrefix(along, transformer.BlockName(layer, "")), "attn.")
		if short == strings.TrimPrefix(hookResult, "attn.") {
			if r.point, err = m.point(layer, transformer.HookZ); err == nil {
				r.encoder, r.width, err = m.along(layer, hookResult)
			}
			return r, err
		}
		if r.point, err = m.point(layer, along); err == nil {
			r.encoder, r.width, err = m.along(layer, r.point)
		}
		return r, err
	}
	if r.point, err = m.point(layer, hook); err != nil {
		return r, err
	}
	r.width = m.config.shape().Width(r.point)
	if !feature {
		return r, nil
	}
	if m.sae == nil {
		return r, fmt.Errorf("a feature of an auto-encoder is asked, but none is open: name its folder with -sae")
	}
	if own, err := m.point(m.sae.Layer, m.sae.Hook); err != nil || m.sae.Layer != layer || own != r.point {
		return r, fmt.Errorf("the auto-encoder reads blocks.%d.%s, not blocks.%d.%s", m.sae.Layer, m.sae.Hook, layer, r.point)
	}
	r.kind, r.encoder, r.width = "sae", m.sae, m.sae.Features
	return r, nil
}

// encodedRows is how many rows are encoded at a time.
const encodedRows = 64

// encodeAll puts all features of a hook point's rows [prompt][position][width] in their place. Rows that prompts share
// are encoded once, and stay shared.
func (r reading) encodeAll(values [][][]float32) {
	rows, place := distinct(values)
	features := make([][]float32, len(rows))
	inBlocks(rows, func(first, n int, block []float32) {
		all := make([]float32, n*r.width)
		r.encoder.Encode(all, block, n)
		r.sign(all)
		for k := range n {
			features[first+k] = all[k*r.width : (k+1)*r.width : (k+1)*r.width]
		}
	})
	for _, list := range values {
		for k, row := range list {
			list[k] = features[place[&row[0]]]
		}
	}
}

// encodeOne is one feature of a hook point's rows, [prompt][position].
func (r reading) encodeOne(values [][][]float32, index int) [][]float32 {
	rows, place := distinct(values)
	feature := make([]float32, len(rows))
	inBlocks(rows, func(first, n int, block []float32) {
		r.encoder.Feature(feature[first:first+n], block, n, index)
	})
	of := make([][]float32, len(values))
	for i, list := range values {
		of[i] = make([]float32, len(list))
		for k, row := range list {
			of[i][k] = feature[place[&row[0]]]
		}
	}
	return of
}

// distinct are the rows of all prompts, those that they share once, and where each lies among them.
func distinct(values [][][]float32) (rows [][]float32, place map[*float32]int) {
	place = map[*float32]int{}
	for _, list := range values {
		for _, row := range list {
			if _, there := place[&row[0]]; !there {
				place[&row[0]] = len(rows)
				rows = append(rows, row)
			}
		}
	}
	return rows, place
}

// inBlocks gives rows to work, some one behind the other at a time, on all processors.
func inBlocks(rows [][]float32, work func(first, n int, block []float32)) {
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	for first := 0; first < len(rows); first += encodedRows {
		part := rows[first:min(first+encodedRows, len(rows))]
		free <- struct{}{}
		wait.Go(func() {
			work(first, len(part), slices.Concat(part...))
			<-free
		})
	}
	wait.Wait()
}

// sign turns values to the negative side if that is asked.
func (r reading) sign(values []float32) {
	if r.negative {
		for i, v := range values {
			values[i] = -v
		}
	}
}

// checkIndex refuses an index that it does not have.
func (r reading) checkIndex(layer, index int) error {
	width := r.width
	switch {
	case index >= 0 && index < width:
		return nil
	case r.kind == "dir":
		return fmt.Errorf("direction %d is out of range: there are 0 to %d (of attn.hook_result, each times the heads)",
			index, width-1)
	case r.kind == "sae":
		return fmt.Errorf("feature %d is out of range: the auto-encoder has features 0 to %d", index, width-1)
	case strings.HasPrefix(r.point, "mlp."):
		return fmt.Errorf("neuron %d is out of range: layer %d has neurons 0 to %d", index, layer, width-1)
	}
	return fmt.Errorf("index %d is out of range: %s of layer %d has numbers 0 to %d", index, r.point, layer, width-1)
}

// WithSAE is the model with an auto-encoder beside it, whose features are read at hook points that end in [sae]. It
// shares everything else with m: closing one closes both.
func (m *Causal) WithSAE(s *sae.SAE) (*Causal, error) {
	point, err := m.point(s.Layer, s.Hook)
	if err != nil {
		return nil, fmt.Errorf("the auto-encoder is not of this model: %w", err)
	}
	if width := m.config.shape().Width(point); width != s.Width {
		return nil, fmt.Errorf("the auto-encoder is not of this model: it reads %d numbers, but %s has %d", s.Width, point,
			width)
	}
	with := *m
	with.sae = s
	return &with, nil
}

// SAE is the auto-encoder that the model was opened with, nil for none.
func (m *Causal) SAE() *sae.SAE { return m.sae }

// point checks a layer and a hook, which may be written hook_mid, mlp.hook_mid or blocks.3.mlp.hook_mid, and returns
// the middle form; an empty hook is the model's own.
func (m *Causal) point(layer int, hook string) (string, error) {
	if layer < 0 || layer >= m.config.Layers {
		return "", fmt.Errorf("layer %d is out of range: the model has layers 0 to %d", layer, m.config.Layers-1)
	}
	if hook == "" {
		hook = m.config.DefaultHook()
	}
	short := strings.TrimPrefix(hook, transformer.BlockName(layer, ""))
	if short == "mlp.hook_in" { // what transcoders call it
		short = transformer.HookMLPIn
	}
	if short == hookResult || "attn."+short == hookResult {
		return "", fmt.Errorf("%s is read along a direction: ask for attn.hook_result[dir]", hookResult)
	}
	points := m.HookPoints()
	for _, prefix := range []string{"", "mlp.", "attn."} {
		if slices.Contains(points, prefix+short) {
			return prefix + short, nil
		}
	}
	return "", fmt.Errorf("%q is no hook point of layer %d: use one of %s", hook, layer, strings.Join(points, ", "))
}
