package main

import (
	"context"
	"fmt"
	"io"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// indexAblation is what n2g ablate -index -json prints.
type indexAblation struct {
	Layer  int     `json:"layer"`
	Neuron int     `json:"neuron"`
	Op     string  `json:"op"`
	Value  float64 `json:"value"`
	effects.Total
	// Of the positions at which the neuron fires by the index, at half of its maximum or more, and of the others.
	Firing       int     `json:"firing"`
	KLFiring     float64 `json:"kl_firing"`
	KLElsewhere  float64 `json:"kl_elsewhere"`
	Faithfulness float64 `json:"faithfulness"` // of its own firing
}

// ablateOnIndex tells what an edit does to the test documents of an index.
func (a *app) ablateOnIndex(ctx context.Context, model *models.Causal, path string, windows int, e models.Edit,
	hook string) (*indexAblation, error) {
	x, err := openIndex(path)
	if err != nil {
		return nil, err
	}
	defer x.Close() // it is only read
	if err := sameModel(x, model, path); err != nil {
		return nil, err
	}
	fires, err := firingAt(x, e.Layer, hook, e.Index)
	if err != nil {
		return nil, err
	}
	list, err := corpus.SplitWindows(x, index.Test, windows)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no test document", indexName(path))
	}
	out := &indexAblation{Layer: e.Layer, Neuron: e.Index, Op: string(e.Op), Value: e.Value}
	var changes []effects.Change
	var kl []float64
	var firing []bool
	const block = 64 // windows that run together
	bar := a.progress(len(list))
	defer bar.end()
	for first := 0; first < len(list); first += block {
		bar.update(first, "ablating, windows")
		part := list[first:min(first+block, len(list))]
		prompts := make([][]int, len(part))
		for i, w := range part {
			if prompts[i], err = corpus.WindowPrompt(x, w); err != nil {
				return nil, err
			}
		}
		found, err := effects.Measure(ctx, model.Changed(e), prompts, 0, effects.Vocabulary{})
		if err != nil {
			return nil, err
		}
		for i, w := range part {
			ahead := len(prompts[i]) - (w.End - w.First) // BOS
			for p := w.First; p < w.End; p++ {
				kl, firing = append(kl, found[i].KL[ahead+p-w.First]), append(firing, fires[p])
			}
		}
		changes = append(changes, found...)
	}
	out.Total = effects.Sum(changes)
	for i, v := range kl {
		if firing[i] {
			out.Firing++
			out.KLFiring += v
		} else {
			out.KLElsewhere += v
		}
	}
	out.KLFiring /= float64(max(out.Firing, 1))
	out.KLElsewhere /= float64(max(len(kl)-out.Firing, 1))
	out.Faithfulness = effects.Faithfulness(kl, firing)
	return out, nil
}

// firingAt are the positions of an index at which a neuron fires.
func firingAt(x *index.Index, layer int, hook string, neuron int) (map[int]bool, error) {
	held := atHookOf(x.Meta(), n2g.Site{Layer: layer, Index: neuron, Hook: hook})
	number, err := x.Meta().Number(held.Layer, held.Hook, held.Index)
	if err != nil {
		return nil, err
	}
	stats, err := x.Stats(number)
	if err != nil {
		return nil, err
	}
	postings, err := x.Postings(number)
	if err != nil {
		return nil, err
	}
	fires := map[int]bool{}
	for _, p := range postings {
		if p.Value >= index.FireShare*stats.Highest {
			fires[int(p.Position)] = true
		}
	}
	return fires, nil
}

func (o *indexAblation) write(w io.Writer) error {
	fmt.Fprintf(w, "layer %d neuron %d, %s %g, on %d windows of test documents, %d tokens\n", o.Layer, o.Neuron, o.Op,
		o.Value, o.Texts, o.Tokens)
	fmt.Fprintf(w, "loss %.5f before, %.5f after, %+.2g nats a token\n", o.LossBefore, o.LossAfter,
		o.LossAfter-o.LossBefore)
	fmt.Fprintf(w, "mean KL %.3g; %.3g on the %d tokens on which it fires, %.3g elsewhere\n", o.MeanKL, o.KLFiring,
		o.Firing, o.KLElsewhere)
	_, err := fmt.Fprintf(w, "faithfulness of its own firing %.3f\n", o.Faithfulness)
	return err
}
