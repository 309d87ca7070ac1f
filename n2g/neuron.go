package n2g

import (
	"context"
	"fmt"
	"math"
)

// neuron asks a model for one neuron's activations, each only once, and counts what that costs.
type neuron struct {
	model  LanguageModel
	site   Site
	opts   settings // checked
	bos    int
	maskID int
	known  *prefixes
	work   *worklog
}

func newNeuron(model LanguageModel, site Site, opts Options) (*neuron, error) {
	set := opts.settings()
	if err := set.check(); err != nil {
		return nil, err
	}
	n := &neuron{model: model, site: site, opts: set, bos: max(model.BOS(), noToken), maskID: model.MaskID(),
		known: newPrefixes(), work: &worklog{}}
	if set.MaskID != nil {
		n.maskID = *set.MaskID
	}
	if m, ok := model.(interface{ DefaultHook() string }); ok && n.site.Hook == "" {
		n.site.Hook = m.DefaultHook()
	}
	return n, nil
}

// request is a prompt with the positions whose activations are wanted.
type request struct {
	ids       []int
	positions []int // ascending
	ahead     bool  // asked with others because it may be wanted next: no part of the method's plain work yet
}

// ask answers all requests with one call of the model at most. What is known is not asked, nor is anything twice, and
// of a prompt no more is sent than up to the last position that is asked. Nothing should be asked about BOS: its
// activation counts as 0 everywhere (section 10.2).
func (n *neuron) ask(ctx context.Context, requests []request) ([][]float64, error) {
	var prompts, positions [][]int
	var nodes [][]int // of the positions
	var path []int
	for _, r := range requests {
		if len(r.positions) == 0 {
			continue
		}
		if !r.ahead {
			n.work.plain(len(r.ids))
		}
		path = n.known.path(path[:0], r.ids)
		var open, at []int
		for _, p := range r.positions {
			if node := path[p]; !n.known.asked[node] {
				n.known.asked[node] = true
				open, at = append(open, p), append(at, node)
			}
		}
		if len(open) > 0 {
			prompts = append(prompts, r.ids[:open[len(open)-1]+1])
			positions, nodes = append(positions, open), append(nodes, at)
		}
	}
	if len(prompts) > 0 {
		if n.bos == noToken {
			withoutFirst(prompts, positions)
		}
		raw, err := n.model.Activations(ctx, n.site.Layer, n.site.Hook, n.site.Index, prompts, positions)
		if err != nil {
			return nil, fmt.Errorf("activations of layer %d neuron %d: %w", n.site.Layer, n.site.Index, err)
		}
		if err := n.remember(raw, nodes); err != nil {
			return nil, err
		}
		n.work.call(n.model, prompts, positions)
	}
	result := make([][]float64, len(requests))
	for i, r := range requests {
		path = n.known.path(path[:0], r.ids)
		result[i] = make([]float64, len(r.positions))
		for k, p := range r.positions {
			result[i][k] = n.known.values[path[p]]
		}
	}
	return result, nil
}

// withoutFirst drops the first places of prompts, which hold no token and are not asked about.
func withoutFirst(prompts, positions [][]int) {
	for i, ids := range prompts {
		prompts[i] = tokensOf(ids)
		for k := range positions[i] {
			positions[i][k]--
		}
	}
}

// remember keeps a model's answer, which it checks: every implementation of the interface passes here.
func (n *neuron) remember(raw [][]float32, nodes [][]int) error {
	if len(raw) != len(nodes) {
		return fmt.Errorf("%s answered %d prompts of %d: its Activations must answer each", n.model.Name(), len(raw),
			len(nodes))
	}
	for i, values := range raw {
		if len(values) != len(nodes[i]) {
			return fmt.Errorf("%s answered %d positions of %d: its Activations must answer each", n.model.Name(), len(values),
				len(nodes[i]))
		}
		for k, v := range values {
			a := float64(v)
			if math.IsNaN(a) || math.IsInf(a, 0) {
				return fmt.Errorf("layer %d neuron %d of %s has the activation %g: check the model's weights", n.site.Layer,
					n.site.Index, n.model.Name(), v)
			}
			n.known.values[nodes[i][k]] = a
		}
	}
	return nil
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

// whole returns the activations on every token of the prompts, 0 on BOS, with one call for what is not known yet.
func (n *neuron) whole(ctx context.Context, prompts [][]int) ([][]float64, error) {
	requests := make([]request, len(prompts))
	for i, ids := range prompts {
		requests[i] = n.wholeRequest(ids)
	}
	answers, err := n.ask(ctx, requests)
	if err != nil {
		return nil, err
	}
	all := make([][]float64, len(prompts))
	for i, r := range requests {
		all[i] = spread(r, answers[i])
	}
	return all, nil
}

// wholeRequest asks the activations of every token but BOS.
func (n *neuron) wholeRequest(ids []int) request {
	return request{ids: ids, positions: n.contents(ids)}
}

// spread turns the answer to a request into activations by position, 0 where nothing was asked.
func spread(r request, answer []float64) []float64 {
	activations := make([]float64, len(r.ids))
	for k, p := range r.positions {
		activations[p] = answer[k]
	}
	return activations
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
