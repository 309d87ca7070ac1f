package corpus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Scanner is a model that gives the activations of every neuron of some layers at once.
type Scanner interface {
	n2g.LanguageModel
	// Width is the number of neurons at a hook point of a layer.
	Width(layer int, hook string) (int, error)
	// Scan runs windows (ids, BOS in front). visit is told of some rows at a time: values[k*width+n] is neuron n of
	// layers[layer] on row first+k, rows being the tokens of all windows, one window after the other. Each layer's rows
	// come once, in any order, and several at the same time; values are overwritten after visit returns.
	Scan(ctx context.Context, layers []int, hook string, windows [][]int,
		visit func(layer, first int, values []float32)) error
}

// Options of a pass over a corpus. The zero value is the default.
type Options struct {
	Window int // tokens a window, BOS not counted; 0 is DefaultWindow, less where the model's context is shorter
	Batch  int // windows a model call; 0 is DefaultBatch
	// Progress, where set, hears after each batch how many windows of how many were run.
	Progress func(done, windows int)
	Corpus   string // its name
	// Report, where set, is what reading the source fills; the index keeps it.
	Report *Report
	Index  index.Options

	Restart bool // begin anew, whatever an unfinished pass left
	// Shard, of Shards, is the part of the corpus that is run, from 1; 0 of 0 is all. [index.Merge] joins them.
	Shard, Shards int
	// KeepEvery is how often what was found is kept on disk; 0 is 30 s. Memory is how many bytes of it, values on the
	// sample among them, may be held until then; 0 is 256 MiB.
	KeepEvery time.Duration
	Memory    int64
}

func (o Options) batch() int { return cmp.Or(o.Batch, DefaultBatch) }

func (o Options) window(model n2g.LanguageModel) int {
	return min(cmp.Or(o.Window, DefaultWindow), model.ContextLength()-places(model))
}

// Unfinished is the folder that keeps an unfinished pass whose index is to be at out.
func Unfinished(out string) string { return out + ".part" }

// Mine runs the source through the model once and writes an index of every neuron of the layers at the hooks to out:
// what package index describes. An empty hook is the model's own.
//
// The result depends on the model, the corpus, its order and the options, not on interruptions, batches or shards. What
// an unfinished pass found is kept in the folder [Unfinished]: stopped at any instant, the pass goes on when Mine is
// called again as before. The corpus is then read again, though not run, and must be the same. While it goes on, a
// second pass to out is refused.
//
// Memory: the corpus is streamed to disk first. Each neuron takes 5 kB, and its share of
// Options.Memory; the suffix order takes 20 bytes a token while it is made, at the end.
func Mine(ctx context.Context, model Scanner, layers []int, hooks []string, source Source, out string,
	o Options) (err error) {
	sites, err := sitesOf(model, layers, hooks)
	if err != nil {
		return err
	}
	if o.Shards > 0 && (o.Shard < 1 || o.Shard > o.Shards) {
		return fmt.Errorf("corpus: shard %d of %d: they are numbered from 1", o.Shard, o.Shards)
	}
	identity, err := o.identity(model)
	if err != nil {
		return err
	}
	work, err := index.OpenWork(out, Unfinished(out), o.Restart, identity, sites, o.Index,
		func(b *index.CorpusBuilder) error {
			if err := addTexts(ctx, model, source, b, o.window(model)); err != nil || o.Report == nil {
				return err
			}
			return b.Report(o.Report)
		})
	if err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	defer func() {
		err = errors.Join(err, work.Close())
		if err == nil {
			err = work.Remove()
		}
	}()
	windows := work.Corpus().Meta().Windows
	first, end := 0, windows
	if o.Shards > 0 {
		first, end = (o.Shard-1)*windows/o.Shards, o.Shard*windows/o.Shards
	}
	if err := o.run(ctx, model, work, sites, first, end); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return errors.Join(err, work.Flush(0, 0))
	}
	return work.Write(out, o.Shards > 0)
}

// sitesOf are the hook points of the layers, in order.
func sitesOf(model Scanner, layers []int, hooks []string) ([]index.Site, error) {
	if len(layers) == 0 {
		return nil, errors.New("corpus: no layer to mine: name at least one")
	}
	if len(hooks) == 0 {
		hooks = []string{""}
	}
	var sites []index.Site
	for _, layer := range layers {
		for _, hook := range hooks {
			width, err := model.Width(layer, hook)
			if err != nil {
				return nil, fmt.Errorf("corpus: %w", err)
			}
			site := index.Site{Layer: layer, Hook: hookOf(model, hook), Neurons: width}
			if m, ok := model.(interface{ Beside(hook string) string }); ok {
				site.Beside = m.Beside(hook)
			}
			if !slices.Contains(sites, site) {
				sites = append(sites, site)
			}
		}
	}
	slices.SortFunc(sites,
		func(a, b index.Site) int { return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Hook, b.Hook)) })
	return sites, nil
}

// hookOf is a hook, or the model's own where that is empty.
func hookOf(model n2g.LanguageModel, hook string) string {
	if m, ok := model.(interface{ DefaultHook() string }); ok && hook == "" {
		return m.DefaultHook()
	}
	return hook
}

// identity says what is indexed.
func (o Options) identity(model n2g.LanguageModel) (index.Corpus, error) {
	c := index.Corpus{
		Name: cmp.Or(o.Corpus, "the corpus"), Model: model.Name(), Vocabulary: math.MaxInt32, BOS: model.BOS(),
		Window: o.window(model),
	}
	if m, ok := model.(interface{ Vocabulary() int }); ok {
		c.Vocabulary = m.Vocabulary()
	}
	if m, ok := model.(interface{ Fingerprint() (string, error) }); ok {
		var err error
		if c.Identity, err = m.Fingerprint(); err != nil {
			return c, fmt.Errorf("corpus: %w", err)
		}
	}
	return c, nil
}

// addTexts gives a source's documents, cut into windows, to a builder.
func addTexts(ctx context.Context, model n2g.LanguageModel, source Source, b *index.CorpusBuilder, size int) error {
	name, begun := "", false
	for text, err := range source {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !begun || text.Name != name || text.Offset == 0 {
			if err := b.Begin(text.Name); err != nil {
				return err
			}
			name, begun = text.Name, true
		}
		b.Hash(text.Content)
		for window, err := range windowsOf(model, text, size) {
			if err != nil {
				return err
			}
			w := index.WindowIDs{IDs: window.IDs[places(model):], Start: int64(window.Start)}
			if window.Packed {
				w.Start = -1
			}
			if model.Decode(w.IDs) != window.Text {
				w.Text = window.Text
			}
			if err := b.Window(w); err != nil {
				return err
			}
		}
	}
	return b.End()
}

// run takes the windows [first, end) through the model that are not done yet.
func (o Options) run(ctx context.Context, model Scanner, work *index.Work, sites []index.Site, first, end int) error {
	missing := work.Missing(first, end)
	done := end - first
	for _, r := range missing {
		done -= r[1] - r[0]
	}
	every, memory := cmp.Or(o.KeepEvery, 30*time.Second), cmp.Or(o.Memory, 256<<20)
	for _, r := range missing {
		for at := r[0]; at < r[1]; at += o.batch() {
			behind := min(at+o.batch(), r[1])
			if err := scan(ctx, model, work.Collector, work.Corpus(), sites, at, behind); err != nil {
				return err
			}
			done += behind - at
			if o.Progress != nil {
				o.Progress(done, end-first)
			}
			if err := work.Flush(memory, every); err != nil {
				return err
			}
		}
	}
	return nil
}

// scan runs the windows [first, end).
func scan(ctx context.Context, model Scanner, c *index.Collector, corpus *index.Index, sites []index.Site, first,
	end int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	prompts, positions, err := promptsOf(corpus, first, end)
	if err != nil {
		return err
	}
	byHook := map[string][]int{} // sites
	var hooks []string
	for i, site := range sites {
		if byHook[site.Hook] == nil {
			hooks = append(hooks, site.Hook)
		}
		byHook[site.Hook] = append(byHook[site.Hook], i)
	}
	failures := make(chan error, 1)
	for _, hook := range hooks {
		of := byHook[hook]
		layers := make([]int, len(of))
		for i, site := range of {
			layers[i] = sites[site].Layer
		}
		err := model.Scan(ctx, layers, hook, prompts, func(layer, row int, values []float32) {
			count := len(values) / sites[of[layer]].Neurons
			if err := c.Rows(of[layer], positions[row:row+count], values); err != nil {
				select {
				case failures <- err:
				default: // the first is enough
				}
			}
		})
		if err != nil {
			return err
		}
	}
	select {
	case err := <-failures:
		return err
	default:
		return c.Done(first, end)
	}
}

// promptsOf are the windows [first, end) as prompts, and the position of each of their tokens: -1 for BOS in front,
// where the model has one.
func promptsOf(corpus *index.Index, first, end int) (prompts [][]int, positions []int, err error) {
	bos := corpus.Meta().BOS
	for n := first; n < end; n++ {
		window, err := corpus.Window(n)
		if err != nil {
			return nil, nil, err
		}
		ids, err := corpus.IDs(window.First, window.End)
		if err != nil {
			return nil, nil, err
		}
		if bos >= 0 {
			ids, positions = slices.Concat([]int{bos}, ids), append(positions, -1)
		}
		prompts = append(prompts, ids)
		for p := window.First; p < window.End; p++ {
			positions = append(positions, p)
		}
	}
	return prompts, positions, nil
}

// IndexNeuron indexes one neuron on a source, in memory.
func IndexNeuron(ctx context.Context, model n2g.LanguageModel, site n2g.Site, source Source,
	o Options) (*index.Index, error) {
	identity, err := o.identity(model)
	if err != nil {
		return nil, err
	}
	b := index.NewCorpusBuilder(identity, o.Index)
	if err := addTexts(ctx, model, source, b, o.window(model)); err != nil {
		return nil, err
	}
	corpus, err := b.Corpus()
	if err != nil {
		return nil, err
	}
	one := index.Site{Layer: site.Layer, Hook: hookOf(model, site.Hook), First: site.Index, Neurons: 1}
	c, err := index.NewCollector(corpus, []index.Site{one}, o.Index)
	if err != nil {
		return nil, err
	}
	windows := corpus.Meta().Windows
	for first := 0; first < windows; first += o.batch() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := min(first+o.batch(), windows)
		prompts, positions, err := promptsOf(corpus, first, end)
		if err != nil {
			return nil, err
		}
		activations, err := model.Activations(ctx, site.Layer, one.Hook, site.Index, prompts, nil)
		if err != nil {
			return nil, err
		}
		if err := c.Rows(0, positions, slices.Concat(activations...)); err != nil {
			return nil, err
		}
		if err := c.Done(first, end); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(end, windows)
		}
	}
	return c.Index()
}
