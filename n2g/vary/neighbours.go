package vary

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// EmbeddingModel is a language model that knows which tokens are like which.
type EmbeddingModel interface {
	Name() string
	Tokenize(text string) ([]int, error)
	TokenString(id int) string
	// Neighbours are the k tokens whose embeddings are most like a token's, nearest first, and the cosines.
	Neighbours(id, k int) (ids []int, cosines []float64, err error)
}

// Neighbours is a masked model made of a model's embeddings: in place of a word it proposes those whose rows of W_E lie
// nearest, whatever the text. Words of several tokens have none. What it calls probability is the cosine.
func Neighbours(model EmbeddingModel) n2g.WordFiller {
	return &neighbours{model: model, known: map[string][]neighbour{}}
}

// nearest is how many tokens are looked at; a few of them are no words, or the same one spelled otherwise.
const nearest = 64

type neighbours struct {
	model EmbeddingModel
	mu    sync.Mutex
	known map[string][]neighbour // by token text
}

type neighbour struct {
	word   string
	cosine float64
}

func (n *neighbours) Name() string { return "neighbours in the embedding of " + n.model.Name() }

func (n *neighbours) MaskToken() string { return maskToken }

// Fill has nothing to go by: it proposes nothing. See FillWords.
func (n *neighbours) Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error) {
	if err := errors.Join(ctx.Err(), checkMasks(texts, offsets)); err != nil {
		return nil, err
	}
	filled := make([]iter.Seq2[string, float64], len(texts))
	for i := range filled {
		filled[i] = func(func(string, float64) bool) {}
	}
	return filled, nil
}

// FillWords proposes words in place of words[i], which the mask at byte offsets[i] of texts[i] stands for.
func (n *neighbours) FillWords(ctx context.Context, texts []string, offsets []int,
	words []string) ([]iter.Seq2[string, float64], error) {
	if err := checkMasks(texts, offsets); err != nil {
		return nil, err
	}
	if len(words) != len(texts) {
		return nil, fmt.Errorf("fill masks: %d texts but %d words, give one word a text", len(texts), len(words))
	}
	filled := make([]iter.Seq2[string, float64], len(texts))
	for i, word := range words {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		near, err := n.near(word, strings.HasSuffix(texts[i][:offsets[i]], " "))
		if err != nil {
			return nil, err
		}
		filled[i] = func(yield func(string, float64) bool) {
			for _, other := range near {
				if !yield(other.word, other.cosine) {
					return
				}
			}
		}
	}
	return filled, nil
}

// near are the words like a word, which a blank stands before or not.
func (n *neighbours) near(word string, spaced bool) ([]neighbour, error) {
	token := word
	if spaced {
		token = " " + word
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if near, ok := n.known[token]; ok {
		return near, nil
	}
	ids, err := n.model.Tokenize(token)
	if err != nil {
		return nil, err
	}
	var near []neighbour
	if len(ids) == 1 {
		others, cosines, err := n.model.Neighbours(ids[0], nearest)
		if err != nil {
			return nil, fmt.Errorf("words like %q: %w", word, err)
		}
		for k, id := range others {
			if other, ok := wordOf(n.model.TokenString(id), spaced); ok && cosines[k] > 0 {
				near = append(near, neighbour{other, cosines[k]})
			}
		}
	}
	n.known[token] = near
	return near, nil
}
