package corpus

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Decoder is what turns an index's token ids into text: a model, or its tokenizer.
type Decoder interface {
	Decode(ids []int) string
}

// WindowText is the text of a window of an index.
func WindowText(x *index.Index, decoder Decoder, window index.Window) (string, error) {
	text, ok, err := x.WindowText(window.Number)
	if err != nil || ok {
		return text, err
	}
	ids, err := x.IDs(window.First, window.End)
	if err != nil {
		return "", err
	}
	return decoder.Decode(ids), nil
}

// Examples are a neuron's top examples in an index, as many as it was made for. An empty hook is the index's own.
func Examples(x *index.Index, decoder Decoder, site n2g.Site) (*n2g.Examples, error) {
	number, err := x.Meta().Number(site.Layer, site.Hook, site.Index)
	if err != nil {
		return nil, err
	}
	stats, err := x.Stats(number)
	if err != nil {
		return nil, err
	}
	if stats.NotFinite > 0 {
		return nil, &NotFiniteError{Model: x.Meta().Model, Site: site, Tokens: stats.NotFinite,
			Of: stats.Counted + stats.NotFinite}
	}
	if stats.Dead() {
		return nil,
			fmt.Errorf("corpus: no text of the corpus excites layer %d neuron %d of %s: in its %d windows it is never above 0",
				site.Layer, site.Index, x.Meta().Model, x.Meta().Windows)
	}
	top, testOnly, err := x.Examples(number)
	if err != nil {
		return nil, err
	}
	found := &n2g.Examples{
		Site:          n2g.Site{Layer: site.Layer, Index: site.Index, Hook: x.Meta().Neuron(number).Hook},
		MaxActivation: stats.Maximum(), Density: new(stats.Density()), TestOnly: testOnly,
	}
	for _, example := range top {
		text, err := WindowText(x, decoder, example.Window)
		if err != nil {
			return nil, err
		}
		found.Prompts = append(found.Prompts, text)
	}
	return found, nil
}

// NotFiniteError says that a neuron's activation was NaN or infinite, so that nothing it does can be told.
type NotFiniteError struct {
	Model      string
	Site       n2g.Site
	Tokens, Of int
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("layer %d neuron %d of %s: its activation is NaN or infinite on %d of %d tokens of the corpus: "+
		"check the model's weights", e.Site.Layer, e.Site.Index, e.Model, e.Tokens, e.Of)
}

// Top are one neuron's top examples in a source.
func Top(ctx context.Context, model n2g.LanguageModel, site n2g.Site, source Source, o Options) (*n2g.Examples, error) {
	o.Index.NoSuffixes, o.Index.SampleEvery = true, -1
	x, err := IndexNeuron(ctx, model, site, source, o)
	if err != nil {
		return nil, err
	}
	return Examples(x, model, site)
}
