package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// effectsFlag says how many tokens explanations keep of what neurons promote and suppress.
func effectsFlag(c *command) *int {
	return c.flags.Int("effects", effects.DefaultTokens, "`NUMBER` of tokens kept that the neuron promotes most, and "+
		"suppresses most, by its weights; 0 leaves them out")
}

// faithfulnessFlag asks for the measurement that costs forward passes.
func faithfulnessFlag(c *command) *bool {
	return c.flags.Bool("faithfulness", false, "measure whether the tokens predicted to fire are those where the neuron "+
		"matters, by ablating it on the test examples: two more passes of each through the whole model")
}

// attributor adds to explanations what their neurons do, by a model's weights and by ablating them. It may be used
// concurrently.
type attributor struct {
	model    *models.Causal
	tokens   int
	faithful bool

	mu   sync.Mutex
	kept [2]layerOut // of the layers asked last
}

// newAttributor is for a model, or for nothing where that is a process, which has no weights to go by.
func newAttributor(of siteModel, tokens int, faithful bool) (*attributor, error) {
	model, ok := of.(*models.Causal)
	switch {
	case !ok && faithful:
		return nil, errors.New("-faithfulness ablates the neuron within the model, and a command of -exec gives " +
			"activations only: leave it out")
	case !ok:
		tokens = min(tokens, 0)
	}
	switch {
	case tokens < 0:
		return nil, fmt.Errorf("-effects is %d: it is 0 or more", tokens)
	case faithful && tokens == 0:
		return nil, errors.New("-faithfulness is kept beside the tokens of -effects, of which 0 are asked")
	case faithful:
		return &attributor{model: model, tokens: tokens, faithful: true}, model.HasLogits()
	}
	return &attributor{model: model, tokens: tokens}, nil
}

// layerOut is what the numbers of a layer's hook point add to the residual stream, [width][d_model].
type layerOut struct {
	layer int
	hook  string
	out   [][]float32
}

// complete adds the tokens that an explanation's site promotes and suppresses, where it adds to the residual stream and
// the model has an unembedding.
func (a *attributor) complete(ctx context.Context, e *n2g.Explanation) error {
	if a.tokens < 1 || a.model.HasLogits() != nil {
		return nil
	}
	out, err := a.outputs(e.Site.Layer, e.Site.Hook)
	if errors.Is(err, models.ErrNoOutput) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Site.Index >= len(out) {
		return fmt.Errorf("layer %d has no neuron %d", e.Site.Layer, e.Site.Index)
	}
	found, err := effects.Attribute(ctx, a.model, out[e.Site.Index:e.Site.Index+1], a.tokens, vocabularyOf(a.model))
	if err != nil {
		return err
	}
	e.Effects = &n2g.Effects{Attribution: found[0]}
	return nil
}

// measure adds the faithfulness of an explanation of examples, where that is asked and can be told.
func (a *attributor) measure(ctx context.Context, e *n2g.Explanation, examples *n2g.Examples) error {
	if !a.faithful || e.Effects == nil || len(e.Tests) == 0 {
		return nil
	}
	if !isNeuronHook(strings.TrimPrefix(e.Site.Hook, "-")) {
		e.Notes = append(e.Notes, "faithfulness is not measured: only neurons of an MLP can be ablated")
		return nil
	}
	first := 0
	if a.model.BOS() >= 0 {
		first = 1
	}
	ablated := models.Edit{Layer: e.Site.Layer, Index: e.Site.Index, Op: models.Set}
	longest := 0
	var prompts [][]int
	for _, t := range e.Tests {
		ids, err := n2g.CutPrompt(a.model, examples.Prompts[t.PromptIndex], len(t.Tokens)-1+first)
		if err != nil {
			return err
		}
		prompts = append(prompts, ids)
		longest = max(longest, len(ids))
	}
	for p := first; p < longest; p++ {
		ablated.Positions = append(ablated.Positions, p)
	}
	f, err := effects.Faithful(ctx, a.model.Changed(ablated), e, prompts)
	if err != nil {
		return err
	}
	e.Effects.Faithfulness = f
	return nil
}

// outputs reads what a layer's hook point adds, unless it was read for one of the sites before.
func (a *attributor) outputs(layer int, hook string) ([][]float32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, l := range a.kept {
		if l.out != nil && l.layer == layer && l.hook == hook {
			a.kept[0], a.kept[i] = a.kept[i], a.kept[0]
			return l.out, nil
		}
	}
	out, err := a.model.OutputDirections(layer, hook)
	if err != nil {
		return nil, err
	}
	a.kept[0], a.kept[1] = layerOut{layer, hook, out}, a.kept[0]
	return out, nil
}

// fillEffects writes the effects of neurons of some layers into a store, those of one neuron of each layer or of all
// where index is negative. Neurons that the store has effects of are passed over.
func (a *app) fillEffects(ctx context.Context, model *models.Causal, path string, layers []int, hook string, index,
	k int) (err error) {
	if err := model.HasLogits(); err != nil {
		return err
	}
	fingerprint, err := model.Fingerprint()
	if err != nil {
		return err
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	there, err := s.WithEffects(ctx)
	if err != nil {
		return err
	}
	known := map[n2g.Site]bool{}
	for _, n := range there {
		known[n.WithoutHook()] = true
	}
	of := store.EffectsOf{Model: model.Name(), Fingerprint: fingerprint, Hook: hook, Beside: model.Beside(hook)}
	added, before := 0, 0
	bar := a.progress(len(layers))
	for i, layer := range layers {
		bar.update(i, "effects, layers")
		directions, err := outputDirections(model, layer, hook, index)
		if err != nil {
			return err
		}
		var neurons []n2g.Site
		var out [][]float32
		for n, direction := range directions {
			id := n2g.Site{Layer: layer, Index: n, Hook: hook}
			switch {
			case index >= 0 && n != index:
			case known[id.WithoutHook()]:
				before++
			default:
				neurons, out = append(neurons, id), append(out, direction)
			}
		}
		var found []n2g.Attribution
		if len(out) > 0 {
			if found, err = effects.Attribute(ctx, model, out, k, vocabularyOf(model)); err != nil {
				return err
			}
		}
		list := make([]store.NeuronEffects, len(found)) // none says at least whether they could be written
		for i, one := range found {
			list[i] = store.NeuronEffects{Site: neurons[i], Effects: &n2g.Effects{Attribution: one}}
		}
		if err := s.PutEffects(ctx, of, list); err != nil {
			return err
		}
		added += len(list)
	}
	bar.end()
	fmt.Fprintf(a.text, "%s: effects of %d neurons added", path, added)
	if before > 0 {
		fmt.Fprintf(a.text, ", %d were there", before)
	}
	fmt.Fprintln(a.text)
	return nil
}
