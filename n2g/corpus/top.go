package corpus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Options of a pass over a corpus. Those from Corpus on are [Mine]'s.
type Options struct {
	Examples int // examples a neuron; 0 is the published 20
	Window   int // tokens a window, BOS not counted; 0 is DefaultWindow, less where the model's context is shorter
	Batch    int // windows a model call; 0 is 64
	// Progress, where set, hears after each batch how many windows were read.
	Progress func(windows int)

	Corpus         string // its name, so that a pass is not continued on another
	HistogramEvery int    // one window in so many goes into the histograms; 0 is 8, 1 takes all
	Texts          bool   // the index holds its texts, rather than only those that are no stretch of a plain file
	// Checkpoint is the file that keeps what an unfinished pass has found; "" for none. It is replaced as a whole, each
	// CheckpointEvery (0 is 30 s) and when Mine returns, and is the caller's to remove once the result is safe.
	Checkpoint      string
	CheckpointEvery time.Duration
	Restart         bool // begin anew, whatever Checkpoint holds
}

func (o Options) examples() int { return cmp.Or(o.Examples, 20) }
func (o Options) batch() int    { return cmp.Or(o.Batch, 64) }

func (o Options) histogramEvery() int            { return max(1, cmp.Or(o.HistogramEvery, 8)) }
func (o Options) checkpointEvery() time.Duration { return cmp.Or(o.CheckpointEvery, 30*time.Second) }

func (o Options) window(model n2g.LanguageModel) int {
	return min(cmp.Or(o.Window, DefaultWindow), model.ContextLength()-1)
}

// fireShare of the highest activation is what counts as firing in a density (section 7's fire_threshold).
const fireShare = 0.5

// Top returns the windows of the source on which one neuron's maximum is highest.
func Top(ctx context.Context, model n2g.LanguageModel, site n2g.Site, source Source, o Options) (*n2g.Examples, error) {
	best := newRanking[Window](o.examples())
	var levels levels
	read := 0
	err := batches(ctx, model, source, o, func(batch []Window) error {
		activations, err := model.Activations(ctx, site.Layer, site.Hook, site.Index, prompts(batch), nil)
		if err != nil {
			return err
		}
		read += len(batch)
		for i, w := range batch {
			counted := activations[i][places(model):]
			levels.add(counted)
			best.add(slices.Max(counted), w.Text, w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := &n2g.Examples{Layer: site.Layer, Neuron: site.Index, Hook: site.Hook}
	for _, entry := range best.entries {
		found.Prompts = append(found.Prompts, entry.value.Text)
		found.MaxActivation = max(found.MaxActivation, float64(entry.score))
	}
	switch {
	case read == 0:
		return nil, errors.New("corpus: no text in it on which the model could be run")
	case len(found.Prompts) == 0:
		return nil, fmt.Errorf("corpus: layer %d neuron %d never fires in its %d windows, its activation is nowhere above 0: take another corpus, neuron or hook", site.Layer, site.Index, read)
	}
	found.Density = new(levels.above(fireShare * found.MaxActivation))
	return found, nil
}

// batches runs do on the windows of a source, some at a time.
func batches(ctx context.Context, model n2g.LanguageModel, source Source, o Options, do func([]Window) error) error {
	var batch []Window
	read := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(batch); err != nil {
			return err
		}
		read += len(batch)
		batch = batch[:0]
		if o.Progress != nil {
			o.Progress(read)
		}
		return nil
	}
	for window, err := range Windows(model, source, o.window(model)) {
		if err != nil {
			return err
		}
		if batch = append(batch, window); len(batch) == o.batch() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// ranking keeps the best few of a stream: highest score first, the earlier of equals first, no text twice.
type ranking[T any] struct {
	limit   int
	entries []ranked[T] // best first
}

type ranked[T any] struct {
	score float32
	text  string
	value T
}

func newRanking[T any](limit int) *ranking[T] { return &ranking[T]{limit: limit} }

// admits reports whether a score would be kept.
func (r *ranking[T]) admits(score float32) bool {
	return score > 0 && (len(r.entries) < r.limit || score > r.entries[len(r.entries)-1].score)
}

// add offers a value. Only texts on which the neuron is above 0 excite it.
func (r *ranking[T]) add(score float32, text string, value T) {
	if !r.admits(score) {
		return
	}
	if slices.ContainsFunc(r.entries, func(e ranked[T]) bool { return e.text == text }) {
		return
	}
	at, _ := slices.BinarySearchFunc(r.entries, score, func(e ranked[T], score float32) int {
		if e.score >= score {
			return -1
		}
		return 1
	})
	r.entries = slices.Insert(r.entries, at, ranked[T]{score: score, text: text, value: value})
	r.entries = r.entries[:min(len(r.entries), r.limit)]
}

func prompts(batch []Window) [][]int {
	ids := make([][]int, len(batch))
	for i, w := range batch {
		ids[i] = w.IDs
	}
	return ids
}
