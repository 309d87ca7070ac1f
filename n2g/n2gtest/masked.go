package n2gtest

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Masked is a masked model that answers every mask with the same words, each half as probable as the one before it.
type Masked struct{ words []string }

var _ n2g.MaskedModel = (*Masked)(nil)

// NewMasked returns a masked model with the vocabulary words, most probable first. A word piece begins with ##.
func NewMasked(words ...string) *Masked { return &Masked{words} }

// Name is toy-masked.
func (m *Masked) Name() string { return "toy-masked" }

// MaskToken is [MASK].
func (m *Masked) MaskToken() string { return "[MASK]" }

// Fill answers with the model's words.
func (m *Masked) Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(texts) != len(offsets) {
		return nil, fmt.Errorf("%d texts but %d offsets", len(texts), len(offsets))
	}
	filled := make([]iter.Seq2[string, float64], len(texts))
	for i, text := range texts {
		if at := offsets[i]; at < 0 || at > len(text) || !strings.HasPrefix(text[at:], m.MaskToken()) {
			return nil, fmt.Errorf("text %d has no %s at byte %d", i, m.MaskToken(), at)
		}
		filled[i] = func(yield func(string, float64) bool) {
			probability := 1.0
			for _, word := range m.words {
				if probability /= 2; !yield(word, probability) {
					return
				}
			}
		}
	}
	return filled, nil
}
