package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
)

// reference is what PyTorch computed with a golden model: its ref.json and ref.safetensors.
type reference struct {
	// Inputs are prompts of a causal model; all values are stored of those with Positions "all".
	Inputs []struct {
		IDs       []int  `json:"ids"`
		Positions any    `json:"positions"`
		Prefix    string `json:"prefix"`
	} `json:"inputs"`
	// IDs and Mask are texts of a masked model, padded.
	IDs  [][]int `json:"input_ids"`
	Mask [][]int `json:"attention_mask"`

	values *safetensors.File
}

func openReference(folder string) (*reference, error) {
	text, err := os.ReadFile(filepath.Join(folder, "ref.json"))
	if err != nil {
		return nil, fmt.Errorf("read the golden values: %w", err)
	}
	r := &reference{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("golden values %s: %w", folder, err)
	}
	r.values, err = safetensors.Open(filepath.Join(folder, "ref.safetensors"))
	return r, err
}

// tensor is a stored tensor, flat, and its last dimension; nil if there is none of that name.
func (r *reference) tensor(name string) (values []float32, width int, err error) {
	info, ok := r.values.Info(name)
	if !ok {
		return nil, 0, nil
	}
	values = make([]float32, info.Len())
	return values, info.Shape[len(info.Shape)-1], r.values.Float32s(name, values)
}

// checkGolden is the part that compares one golden model.
func checkGolden(name string, compare func(context.Context, settings, string, *reference, *tally) error) func(
	context.Context, settings, func(finding) error) error {
	return func(ctx context.Context, s settings, found func(finding) error) error {
		folder := filepath.Join(s.golden, name)
		r, err := openReference(folder)
		if err != nil {
			return err
		}
		defer r.values.Close()
		t := newTally("golden "+name, "PyTorch", tolerance)
		if err := compare(ctx, s, folder, r, t); err != nil {
			return err
		}
		return found(t.finding())
	}
}

// causalGolden compares all that a causal model answers.
func causalGolden(ctx context.Context, s settings, folder string, r *reference, t *tally) error {
	m, err := models.Open(folder, models.Options{Backend: s.backend})
	if err != nil {
		return err
	}
	defer m.Close()
	var prompts [][]int
	for _, in := range r.Inputs {
		prompts = append(prompts, in.IDs)
	}
	for layer := range m.Config().Layers {
		for _, hook := range []string{"hook_pre", "hook_mid", "hook_post"} {
			if err := wholeLayer(ctx, m, r, t, layer, hook, prompts); err != nil {
				return err
			}
		}
		if err := oneNeuron(ctx, m, r, t, layer, prompts); err != nil {
			return err
		}
	}
	if err := scanned(ctx, m, r, t, prompts); err != nil {
		return err
	}
	cache, err := m.RunWithCache(ctx, prompts[0])
	if err != nil {
		return err
	}
	prefix := r.Inputs[0].Prefix
	want, _, err := r.tensor(prefix + "logprobs_last")
	if err != nil {
		return err
	}
	var got []float32
	for _, p := range cache.LogProbs(len(prompts[0]) - 1) {
		got = append(got, float32(p))
	}
	t.compare(prefix+"logprobs_last", got, want)
	return nil
}

// site is a stored hook point of one prompt: the last positions of it, [len(values)/width, width].
type site struct {
	name   string
	values []float32
	width  int
	first  int // position of the first row
}

// site reads one; its values are nil where the model has no such point.
func (r *reference) site(input, layer int, hook string) (site, error) {
	in := r.Inputs[input]
	x := site{name: fmt.Sprintf("%sblocks.%d.mlp.%s", in.Prefix, layer, hook)}
	var err error
	if x.values, x.width, err = r.tensor(x.name); x.values != nil {
		x.first = len(in.IDs) - len(x.values)/x.width
	}
	return x, err
}

// wholeLayer compares all neurons of a layer at one hook point.
func wholeLayer(ctx context.Context, m *models.Causal, r *reference, t *tally, layer int, hook string,
	prompts [][]int) error {
	if want, err := r.site(0, layer, hook); want.values == nil {
		return err // the model has no such point
	}
	got, err := m.LayerActivations(ctx, layer, hook, prompts)
	if err != nil {
		return err
	}
	for i := range r.Inputs {
		want, err := r.site(i, layer, hook)
		if err != nil {
			return err
		}
		t.compare(want.name, slices.Concat(got[i][want.first:]...), want.values)
	}
	return nil
}

// oneNeuron compares a neuron as the method asks for it.
func oneNeuron(ctx context.Context, m *models.Causal, r *reference, t *tally, layer int, prompts [][]int) error {
	const neuron = 7
	got, err := m.Activations(ctx, layer, "", neuron, prompts, nil)
	if err != nil {
		return err
	}
	for i := range r.Inputs {
		want, err := r.site(i, layer, m.DefaultHook())
		if err != nil {
			return err
		}
		var column []float32
		for at := neuron; at < len(want.values); at += want.width {
			column = append(column, want.values[at])
		}
		t.compare(want.name+" of one neuron", got[i][want.first:], column)
	}
	return nil
}

// scanned compares what a scan gives on the prompts of which all positions are stored.
func scanned(ctx context.Context, m *models.Causal, r *reference, t *tally, prompts [][]int) error {
	layers := make([]int, m.Config().Layers)
	for l := range layers {
		layers[l] = l
	}
	got := make([][]float32, len(layers))
	rows, width := 0, m.Config().DMLP
	for _, ids := range prompts {
		rows += len(ids)
	}
	for l := range got {
		got[l] = make([]float32, rows*width)
	}
	err := m.Scan(ctx, layers, "", prompts, func(layer, first int, values []float32) {
		copy(got[layer][first*width:], values)
	})
	if err != nil {
		return err
	}
	first := 0
	for i, in := range r.Inputs {
		if in.Positions == "all" {
			for l := range layers {
				want, err := r.site(i, l, m.DefaultHook())
				if err != nil {
					return err
				}
				t.compare(want.name+" of a scan", got[l][first*width:(first+len(prompts[i]))*width], want.values)
			}
		}
		first += len(prompts[i])
	}
	return nil
}

// maskedGolden compares hidden values and the logits at the masks.
func maskedGolden(ctx context.Context, s settings, folder string, r *reference, t *tally) error {
	m, err := models.OpenMasked(folder, models.Options{Backend: s.backend})
	if err != nil {
		return err
	}
	defer m.Close()
	atMask, width, err := r.tensor("logits_at_mask")
	if err != nil {
		return err
	}
	for i := range r.IDs {
		length := 0
		for _, real := range r.Mask[i] {
			length += real
		}
		ids := r.IDs[i][:length]
		fills, err := m.FillIDs(ctx, ids)
		if err != nil {
			return err
		}
		t.compare(fmt.Sprintf("text %d: logits at its mask", i), fills[0].Logits, atMask[i*width:(i+1)*width])
		cache, err := m.RunWithCache(ctx, ids)
		if err != nil {
			return err
		}
		for layer := range m.Config().Layers {
			hidden, d, err := r.tensor(fmt.Sprintf("hidden.%d", layer+1))
			if err != nil {
				return err
			}
			name := fmt.Sprintf("blocks.%d.hook_normalized_resid_post", layer)
			begin := i * len(r.IDs[0]) * d
			t.compare(fmt.Sprintf("text %d: %s", i, name), slices.Concat(cache.Values[name]...), hidden[begin:begin+length*d])
		}
	}
	return nil
}
