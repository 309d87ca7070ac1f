package corpus

import (
	"context"
	"errors"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Scanner is a model that reduces its activations to maxima itself, for every neuron of some layers at once.
type Scanner interface {
	n2g.LanguageModel
	// Scan runs windows (ids, BOS in front) and returns maxima[l][w][n]: the highest activation of neuron n of layers[l]
	// on any token of windows[w] but BOS, and positions[l][w][n], where it stands.
	Scan(ctx context.Context, layers []int, hook string, windows [][]int) (maxima [][][]float32, positions [][][]int32, err error)
	// LayerActivations returns activations[w][j][n] of neuron n on token j of prompts[w].
	LayerActivations(ctx context.Context, layer int, hook string, prompts [][]int) ([][][]float32, error)
}

// Mine finds in one pass over the source, for every neuron of the layers, its top examples, its highest activation, a
// histogram of its activations and, from that, the share of tokens on which it fires. An empty hook is the model's own.
//
// Maxima are exact and cover every window; the model reduces them. Histograms cover one window in
// Options.HistogramEvery, the first of every so many: a density of one in a thousand is known to a tenth of itself from
// a million tokens so read. What lies in the bin that half of the maximum falls into, some hundredths of what fires,
// is divided in proportion: see [Histogram.Above].
//
// The result depends on the model, the corpus, its order and the options, not on interruptions: with
// Options.Checkpoint, a pass that was stopped at any moment goes on when Mine is called again as before, and ends with
// the same result. Documents already mined are then read once more, though not run, and must be the same. While it goes on, a
// second pass with that checkpoint is refused.
//
// Memory: the corpus is streamed. Each neuron takes 1.7 kB and, for each of its examples, 40 bytes and its text, about
// 0.5 kB for 128 tokens, where no other neuron has the same: 12 kB at most with 20 examples, 220 MB for 18,432 neurons.
// To that come one piece of a document ([PieceBytes]), one batch of windows with four bytes for each of its tokens and
// the neurons of one layer, divided by HistogramEvery, and, while a checkpoint is written, as much again as the neurons
// take.
func Mine(ctx context.Context, model Scanner, layers []int, hook string, source Source, o Options) (index *Index, err error) {
	if m, ok := model.(interface{ DefaultHook() string }); ok && hook == "" {
		hook = m.DefaultHook()
	}
	if len(layers) == 0 {
		return nil, errors.New("corpus: no layer to mine: name at least one")
	}
	id, err := o.passID(model, layers, hook)
	if err != nil {
		return nil, err
	}
	p := &pass{model: model, options: o, id: id}
	held, err := o.lockCheckpoint()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if err := p.resume(); err != nil {
		return nil, err
	}
	err = p.run(ctx, source)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if o.Checkpoint != "" && !p.torn {
		if failure := p.save(); failure != nil && err == nil {
			err = failure
		}
	}
	if err != nil {
		return nil, err
	}
	if p.found.Windows == 0 {
		return nil, errors.New("corpus: no text in it on which the model could be run")
	}
	return p.index(), nil
}
