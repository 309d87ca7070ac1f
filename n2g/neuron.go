package n2g

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// neuron asks a model for one neuron's activations, each only once.
type neuron struct {
	model  LanguageModel
	site   Site
	opts   Options // resolved and checked
	bos    int
	maskID int
	known  map[string][]float64 // activations of whole prompts, by their ids
}

func newNeuron(model LanguageModel, site Site, opts Options) (*neuron, error) {
	opts = opts.Resolved()
	if err := opts.check(); err != nil {
		return nil, err
	}
	n := &neuron{model: model, site: site, opts: opts, bos: model.BOS(), maskID: model.MaskID(), known: map[string][]float64{}}
	if opts.MaskID != nil {
		n.maskID = *opts.MaskID
	}
	if m, ok := model.(interface{ DefaultHook() string }); ok && n.site.Hook == "" {
		n.site.Hook = m.DefaultHook()
	}
	return n, nil
}

// request is a prompt with the positions whose activations are wanted.
type request struct {
	ids       []int
	positions []int
}

func (r request) key() string { return idsKey(r.positions) + "|" + idsKey(r.ids) }

func idsKey(ids []int) string {
	key := make([]byte, 0, 2*len(ids))
	for _, id := range ids {
		key = binary.AppendVarint(key, int64(id))
	}
	return string(key)
}

// ask answers all requests with one call of the model, equal ones with one answer. Nothing is asked about BOS: its
// activation counts as 0 everywhere (section 10.2).
func (n *neuron) ask(ctx context.Context, requests []request) ([][]float64, error) {
	var prompts, positions [][]int
	place := map[string]int{}
	for _, r := range requests {
		key := r.key()
		if _, ok := place[key]; !ok && len(r.positions) > 0 {
			place[key] = len(prompts)
			prompts = append(prompts, r.ids)
			positions = append(positions, r.positions)
		}
	}
	var answers [][]float64
	if len(prompts) > 0 {
		raw, err := n.model.Activations(ctx, n.site.Layer, n.site.Hook, n.site.Index, prompts, positions)
		if err != nil {
			return nil, fmt.Errorf("activations of layer %d neuron %d: %w", n.site.Layer, n.site.Index, err)
		}
		if answers, err = n.checked(raw, positions); err != nil {
			return nil, err
		}
	}
	result := make([][]float64, len(requests))
	for i, r := range requests {
		if len(r.positions) > 0 {
			result[i] = answers[place[r.key()]]
		}
	}
	return result, nil
}

// checked converts a model's answer; every implementation of the interface passes here.
func (n *neuron) checked(raw [][]float32, positions [][]int) ([][]float64, error) {
	if len(raw) != len(positions) {
		return nil, fmt.Errorf("%s answered %d prompts of %d: its Activations must answer each", n.model.Name(), len(raw), len(positions))
	}
	answers := make([][]float64, len(raw))
	for i, values := range raw {
		if len(values) != len(positions[i]) {
			return nil, fmt.Errorf("%s answered %d positions of %d: its Activations must answer each", n.model.Name(), len(values), len(positions[i]))
		}
		answers[i] = make([]float64, len(values))
		for k, v := range values {
			answers[i][k] = float64(v)
			if math.IsNaN(answers[i][k]) || math.IsInf(answers[i][k], 0) {
				return nil, fmt.Errorf("layer %d neuron %d of %s has the activation %g: check the model's weights", n.site.Layer, n.site.Index, n.model.Name(), v)
			}
		}
	}
	return answers, nil
}

// contents are the positions of ids that do not hold BOS.
func (n *neuron) contents(ids []int) []int {
	positions := make([]int, 0, len(ids))
	for i, id := range ids {
		if id != n.bos {
			positions = append(positions, i)
		}
	}
	return positions
}

// whole returns the activations on every token of the prompts, with one call for those not known yet.
func (n *neuron) whole(ctx context.Context, prompts [][]int) ([][]float64, error) {
	var unknown []request
	for _, ids := range prompts {
		if _, ok := n.known[idsKey(ids)]; !ok {
			unknown = append(unknown, request{ids, n.contents(ids)})
		}
	}
	answers, err := n.ask(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, r := range unknown {
		activations := make([]float64, len(r.ids))
		for k, position := range r.positions {
			activations[position] = answers[i][k]
		}
		n.known[idsKey(r.ids)] = activations
	}
	result := make([][]float64, len(prompts))
	for i, ids := range prompts {
		result[i] = n.known[idsKey(ids)]
	}
	return result, nil
}

// peak is the position of the highest activation, the first of equal ones. BOS is none unless there is nothing else.
func (n *neuron) peak(ids []int, activations []float64) int {
	best := -1
	for i, id := range ids {
		if id != n.bos && (best < 0 || activations[i] > activations[best]) {
			best = i
		}
	}
	return max(best, 0)
}
