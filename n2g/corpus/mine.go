package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"

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

// IndexFormat is the version of an Index's JSON.
const IndexFormat = "n2g-examples/1"

// Index names the top examples of many neurons as stretches of a corpus, so that it stays small beside the corpus. It
// marshals to JSON.
type Index struct {
	Format  string        `json:"format"` // IndexFormat
	Model   string        `json:"model"`
	Hook    string        `json:"hook"`
	Windows int           `json:"windows"` // read in all
	Spans   []Span        `json:"spans"`   // those that are anyone's example
	Neurons []NeuronIndex `json:"neurons"` // by layer, then neuron
}

// Span is a stretch of a document.
type Span struct {
	Document string `json:"document"`
	Start    int    `json:"start"` // bytes
	End      int    `json:"end"`
}

// NeuronIndex is what mining found out about one neuron.
type NeuronIndex struct {
	Layer         int     `json:"layer"`
	Neuron        int     `json:"neuron"`
	MaxActivation float64 `json:"max_activation"`
	Density       float64 `json:"density"`  // share of tokens at or above half of MaxActivation
	Examples      []int   `json:"examples"` // of Index.Spans, best first
}

// Mine finds the top examples of every neuron of the layers in one pass over the source, and in a second, over one
// window in densityStride, the share of tokens on which each fires.
func Mine(ctx context.Context, model Scanner, layers []int, hook string, source Source, o Options) (*Index, error) {
	var rankings [][]*ranking[Span] // by layer, by neuron
	index := &Index{Format: IndexFormat, Model: model.Name(), Hook: hook}
	err := batches(ctx, model, source, o, func(batch []Window) error {
		maxima, _, err := model.Scan(ctx, layers, hook, prompts(batch))
		if err != nil {
			return err
		}
		if rankings == nil {
			rankings = newRankings(o.examples(), maxima)
		}
		for w, window := range batch {
			if window.Start < 0 {
				return fmt.Errorf("corpus: the tokenizer of %s changes the text of %s, so that an index cannot point into it", model.Name(), window.Document)
			}
			span := Span{Document: window.Document, Start: window.Start, End: window.Start + len(window.Text)}
			for l := range layers {
				for n, score := range maxima[l][w] {
					rankings[l][n].add(score, window.Text, span)
				}
			}
		}
		index.Windows += len(batch)
		return nil
	})
	if err != nil {
		return nil, err
	}
	number := map[Span]int{}
	for l, layer := range layers {
		for n, best := range rankings[l] {
			neuron := NeuronIndex{Layer: layer, Neuron: n, Examples: []int{}}
			for _, entry := range best.entries {
				neuron.MaxActivation = max(neuron.MaxActivation, float64(entry.score))
				at, known := number[entry.value]
				if !known {
					at = len(index.Spans)
					number[entry.value] = at
					index.Spans = append(index.Spans, entry.value)
				}
				neuron.Examples = append(neuron.Examples, at)
			}
			index.Neurons = append(index.Neurons, neuron)
		}
	}
	return index, index.countDensity(ctx, model, layers, source, o)
}

// densityStride: one window in so many is read again to count firing tokens. A density of one in a thousand is then
// known to a tenth of itself from a million tokens.
const densityStride = 8

// countDensity fills in the densities.
func (x *Index) countDensity(ctx context.Context, model Scanner, layers []int, source Source, o Options) error {
	fired := make([]int, len(x.Neurons))
	tokens, turn := 0, 0
	err := batches(ctx, model, source, o, func(batch []Window) error {
		batch = slices.DeleteFunc(slices.Clone(batch), func(Window) bool {
			turn++
			return turn%densityStride != 1
		})
		if len(batch) == 0 {
			return nil
		}
		for _, window := range batch {
			tokens += len(window.IDs) - 1
		}
		first := 0
		for _, layer := range layers {
			activations, err := model.LayerActivations(ctx, layer, x.Hook, prompts(batch))
			if err != nil {
				return err
			}
			width := len(activations[0][0])
			for _, rows := range activations {
				for _, row := range rows[1:] {
					for n, a := range row {
						if neuron := x.Neurons[first+n]; a > 0 && float64(a) >= fireShare*neuron.MaxActivation {
							fired[first+n]++
						}
					}
				}
			}
			first += width
		}
		return nil
	})
	for i := range x.Neurons {
		x.Neurons[i].Density = float64(fired[i]) / float64(max(tokens, 1))
	}
	return err
}

func prompts(batch []Window) [][]int {
	ids := make([][]int, len(batch))
	for i, w := range batch {
		ids[i] = w.IDs
	}
	return ids
}

func newRankings(limit int, maxima [][][]float32) [][]*ranking[Span] {
	rankings := make([][]*ranking[Span], len(maxima))
	for l := range maxima {
		for range maxima[l][0] {
			rankings[l] = append(rankings[l], newRanking[Span](limit))
		}
	}
	return rankings
}

// ReadIndex reads an Index that was written as JSON.
func ReadIndex(r io.Reader) (*Index, error) {
	var index Index
	if err := json.NewDecoder(r).Decode(&index); err != nil {
		return nil, fmt.Errorf("corpus: reading an index of examples: %w", err)
	}
	if index.Format != IndexFormat {
		return nil, fmt.Errorf("corpus: an index of examples of format %q, where %q was expected; mine the corpus again", index.Format, IndexFormat)
	}
	for _, neuron := range index.Neurons {
		for _, at := range neuron.Examples {
			if at < 0 || at >= len(index.Spans) {
				return nil, fmt.Errorf("corpus: index of examples: layer %d neuron %d names span %d of %d", neuron.Layer, neuron.Neuron, at, len(index.Spans))
			}
		}
	}
	return &index, nil
}

// Examples returns a neuron's examples, their texts read from the corpus that was mined.
func (x *Index) Examples(layer, neuron int, fsys fs.FS) (*n2g.Examples, error) {
	at := slices.IndexFunc(x.Neurons, func(n NeuronIndex) bool { return n.Layer == layer && n.Neuron == neuron })
	if at < 0 {
		return nil, fmt.Errorf("corpus: the index of %s has no layer %d neuron %d; it holds %d neurons", x.Model, layer, neuron, len(x.Neurons))
	}
	entry := x.Neurons[at]
	if len(entry.Examples) == 0 {
		return nil, fmt.Errorf("corpus: no text of the corpus excites layer %d neuron %d of %s: it is never above 0", layer, neuron, x.Model)
	}
	found := &n2g.Examples{Layer: layer, Neuron: neuron, Hook: x.Hook, MaxActivation: entry.MaxActivation, Density: new(entry.Density)}
	for _, i := range entry.Examples {
		span := x.Spans[i]
		content, err := fs.ReadFile(fsys, span.Document)
		if err != nil {
			return nil, fmt.Errorf("corpus: layer %d neuron %d: %w; the index was mined from another corpus", layer, neuron, err)
		}
		if span.Start < 0 || span.Start > span.End || span.End > len(content) {
			return nil, fmt.Errorf("corpus: the index points to bytes %d to %d of %s, which has %d; mine it again", span.Start, span.End, span.Document, len(content))
		}
		found.Prompts = append(found.Prompts, string(content[span.Start:span.End]))
	}
	return found, nil
}
