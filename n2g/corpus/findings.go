package corpus

import (
	"context"
	"fmt"
)

// findings are what a pass has found out up to its place.
type findings struct {
	Windows, Tokens, HistogramTokens int

	width    int                 // neurons of a layer
	rankings []*ranking[example] // by layer, then neuron
	counts   []uint32            // of all bins of the first neuron, then of the next
}

// example is a window that is among the best of some neuron, which peaks at a token of it.
type example struct {
	window *Span
	token  int32
}

// allocate makes room for what is found about the neurons of some layers.
func (f *findings) allocate(layers, width, examples int) {
	f.width = width
	f.rankings = make([]*ranking[example], layers*width)
	for i := range f.rankings {
		f.rankings[i] = newRanking[example](examples)
	}
	f.counts = make([]uint32, layers*width*HistogramBins)
}

// rank offers the windows of a batch to all neurons.
func (f *findings) rank(p *pass, batch []Window, maxima [][][]float32, positions [][][]int32) error {
	if f.rankings == nil {
		f.allocate(len(p.id.Layers), len(maxima[0][0]), p.options.examples())
	}
	for w, window := range batch {
		var kept *Span // made when the first neuron takes it
		for l, layer := range p.id.Layers {
			if len(maxima[l][w]) != f.width {
				return fmt.Errorf("corpus: %s has %d neurons in layer %d and %d in another: mine them one at a time", p.model.Name(), len(maxima[l][w]), layer, f.width)
			}
			rankings := f.rankings[l*f.width:]
			for n, score := range maxima[l][w] {
				if score != score {
					return fmt.Errorf("corpus: layer %d neuron %d of %s has the activation NaN in %s: check the model's weights", layer, n, p.model.Name(), window.Document)
				}
				if !rankings[n].admits(score) {
					continue
				}
				if kept == nil {
					kept = window.span()
				}
				rankings[n].add(score, window.Text, example{kept, positions[l][w][n]})
			}
		}
	}
	return nil
}

// span is the window as an Index names it, with its text.
func (w Window) span() *Span {
	if w.Packed {
		return &Span{Document: w.Document, Start: -1, End: -1, Text: w.Text}
	}
	return &Span{Document: w.Document, Start: w.Start, End: w.Start + len(w.Text), Text: w.Text}
}

// measure counts the activations on those windows of a batch that are due.
func (f *findings) measure(ctx context.Context, p *pass, batch []Window) error {
	var due [][]int
	for i, w := range batch {
		if (f.Windows+i)%p.options.histogramEvery() == 0 {
			due = append(due, w.IDs)
			f.HistogramTokens += len(w.IDs) - places(p.model)
		}
	}
	if len(due) == 0 {
		return nil
	}
	for l, layer := range p.id.Layers {
		activations, err := p.model.LayerActivations(ctx, layer, p.id.Hook, due)
		if err != nil {
			return err
		}
		counts := f.counts[l*f.width*HistogramBins:]
		for _, rows := range activations {
			for _, row := range rows[places(p.model):] {
				for n, a := range row {
					if bin := histogramBin(a); bin >= 0 {
						counts[n*HistogramBins+bin]++
					}
				}
			}
		}
	}
	return nil
}

// index makes the result.
func (p *pass) index() *Index {
	f := &p.found
	index := &Index{
		Format: IndexFormat, Model: p.model.Name(), Hook: p.id.Hook,
		Windows: f.Windows, Tokens: f.Tokens, HistogramTokens: f.HistogramTokens,
		Neurons: make([]NeuronIndex, 0, len(f.rankings)),
	}
	number := map[*Span]int{}
	for i, best := range f.rankings {
		neuron := NeuronIndex{Layer: p.id.Layers[i/f.width], Neuron: i % f.width, Examples: []int{}}
		for _, entry := range best.entries {
			at, known := number[entry.value.window]
			if !known {
				at = len(index.Spans)
				number[entry.value.window] = at
				index.Spans = append(index.Spans, p.options.published(*entry.value.window))
			}
			neuron.Examples = append(neuron.Examples, at)
			neuron.Activations = append(neuron.Activations, entry.score)
			neuron.Positions = append(neuron.Positions, entry.value.token)
		}
		neuron.Histogram = newHistogram(f.counts[i*HistogramBins : (i+1)*HistogramBins])
		if len(neuron.Activations) > 0 && f.HistogramTokens > 0 {
			neuron.MaxActivation = float64(neuron.Activations[0])
			neuron.Density = neuron.Histogram.Above(fireShare*neuron.MaxActivation) / float64(f.HistogramTokens)
		}
		index.Neurons = append(index.Neurons, neuron)
	}
	return index
}

// published is a span as the index gives it: without its text where that can be read from the corpus.
func (o Options) published(s Span) Span {
	if !o.Texts && s.Start >= 0 {
		s.Text = ""
	}
	return s
}
