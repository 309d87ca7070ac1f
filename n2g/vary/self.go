package vary

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// maskToken stands for a masked word. It is the noncharacter U+FDD0, which no text for exchange holds.
const maskToken = "\ufdd0"

// NextTokenModel is a causal language model that says what it expects.
type NextTokenModel interface {
	Name() string
	Tokenize(text string) ([]int, error)
	TokenString(id int) string
	BOS() int
	ContextLength() int
	// NextLogProbs shows visit, for each position asked of each prompt, the logarithms of the next token's probabilities,
	// [vocabulary]. Calls come in any order and at the same time; the values are valid until visit returns.
	NextLogProbs(ctx context.Context, prompts, positions [][]int, visit func(prompt, at int, logProbs []float32)) error
}

// SelfOptions are how far [Self] looks. Zero values are the defaults.
type SelfOptions struct {
	Candidates int // words that are weighed by how the text goes on: 0 is 16
	Rest       int // tokens behind the word that they are weighed by: 0 is 4, negative none
}

// Self is a masked model made of a causal one. The probability of a word w in place of the mask is p(w | left)·p(right
// | left, w), made to add up to 1 over the candidates: the words most probable after what stands left of the mask.
// Candidates are words of one token. A word at the very beginning has no left context but BOS, or a line end where the
// model has none.
func Self(model NextTokenModel, o SelfOptions) n2g.MaskedModel {
	o.Candidates, o.Rest = cmp.Or(o.Candidates, 16), cmp.Or(o.Rest, 4)
	return &self{model: model, options: o}
}

type self struct {
	model   NextTokenModel
	options SelfOptions
}

func (s *self) Name() string { return s.model.Name() + " itself" }

func (s *self) MaskToken() string { return maskToken }

// proposal is a word that may stand at a mask.
type proposal struct {
	id      int
	word    string  // without the blank before it
	logProb float64 // of the word behind what stands left of the mask; later, of the word and the rest
}

// blank is a text with one mask to fill.
type blank struct {
	left      []int // ids, BOS first
	spaced    bool  // a blank stands before the mask, which is the first of the word's token
	rest      []int // ids behind the mask
	proposals []proposal
}

// Fill proposes words for the mask at byte offsets[i] of texts[i]; see n2g.MaskedModel. The model is asked twice, about
// all texts at once: for words, and for how the texts go on.
func (s *self) Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error) {
	if err := checkMasks(texts, offsets); err != nil {
		return nil, err
	}
	blanks := make([]*blank, len(texts))
	for i, text := range texts {
		var err error
		if blanks[i], err = s.blank(text, offsets[i]); err != nil {
			return nil, err
		}
	}
	if err := s.propose(ctx, blanks); err != nil {
		return nil, err
	}
	if err := s.weigh(ctx, blanks); err != nil {
		return nil, err
	}
	filled := make([]iter.Seq2[string, float64], len(blanks))
	for i, b := range blanks {
		filled[i] = b.ranked()
	}
	return filled, nil
}

// checkMasks refuses offsets at which no mask stands.
func checkMasks(texts []string, offsets []int) error {
	if len(texts) != len(offsets) {
		return fmt.Errorf("fill masks: %d texts but %d offsets, give one offset a text", len(texts), len(offsets))
	}
	for i, at := range offsets {
		if at < 0 || at > len(texts[i]) || !strings.HasPrefix(texts[i][at:], maskToken) {
			return fmt.Errorf("fill masks: text %d has no mask at byte %d", i, at)
		}
	}
	return nil
}

// blank splits a text at its mask.
func (s *self) blank(text string, offset int) (*blank, error) {
	left, right := text[:offset], text[offset+len(maskToken):]
	if next := strings.Index(right, maskToken); next >= 0 {
		right = right[:next] // behind another mask nothing is known
	}
	b := &blank{}
	if left, b.spaced = strings.CutSuffix(left, " "); left == "" && s.model.BOS() < 0 {
		left = "\n"
	}
	ids, err := s.model.Tokenize(left)
	if err != nil {
		return nil, err
	}
	if most := s.model.ContextLength() - 2 - max(s.options.Rest, 0); len(ids) > most {
		ids = ids[len(ids)-max(most, 1):]
	}
	if bos := s.model.BOS(); bos >= 0 {
		ids = slices.Concat([]int{bos}, ids)
	}
	b.left = ids
	if right != "" && s.options.Rest > 0 {
		if b.rest, err = s.model.Tokenize(right); err != nil {
			return nil, err
		}
		b.rest = b.rest[:min(len(b.rest), s.options.Rest)]
	}
	return b, nil
}

// propose finds the candidates of all blanks.
func (s *self) propose(ctx context.Context, blanks []*blank) error {
	prompts, positions := make([][]int, len(blanks)), make([][]int, len(blanks))
	for i, b := range blanks {
		prompts[i], positions[i] = b.left, []int{len(b.left) - 1}
	}
	return s.model.NextLogProbs(ctx, prompts, positions, func(prompt, _ int, logProbs []float32) {
		blanks[prompt].proposals = s.likeliest(logProbs, blanks[prompt].spaced)
	})
}

// likeliest are the most probable words of one token, the first of equals first.
func (s *self) likeliest(logProbs []float32, spaced bool) []proposal {
	const share = 8 // tokens looked at for each that is a word, at first
	for n := share * s.options.Candidates; ; n *= share {
		var found []proposal
		for _, id := range highest(logProbs, n) {
			if word, ok := wordOf(s.model.TokenString(id), spaced); ok {
				found = append(found, proposal{id, word, float64(logProbs[id])})
				if len(found) == s.options.Candidates {
					return found
				}
			}
		}
		if n >= len(logProbs) {
			return found
		}
	}
}

// highest are the ids of the n highest values, highest first.
func highest(values []float32, n int) []int {
	threshold := float32(math.Inf(-1))
	if n < len(values) {
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		threshold = sorted[len(sorted)-n]
	}
	var ids []int
	for id, v := range values {
		if v >= threshold {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return ids
}

// wordOf is a token's word, if it is one: of letters, marks and apostrophes, behind a blank where one is to stand.
func wordOf(token string, spaced bool) (string, bool) {
	word := strings.TrimPrefix(token, " ")
	if (word != token) != spaced || word == "" || strings.ContainsRune(word, '\ufffd') {
		return "", false
	}
	for _, r := range word {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’' {
			return "", false
		}
	}
	return word, true
}

// weigh adds to each proposal how probable the rest of its text is behind it.
func (s *self) weigh(ctx context.Context, blanks []*blank) error {
	type place struct {
		proposal *proposal
		rest     []int
	}
	var places []place
	var prompts, positions [][]int
	for _, b := range blanks {
		if len(b.rest) == 0 {
			continue
		}
		asked := make([]int, len(b.rest))
		for k := range asked {
			asked[k] = len(b.left) + k
		}
		for i := range b.proposals {
			places = append(places, place{&b.proposals[i], b.rest})
			prompts = append(prompts, slices.Concat(b.left, []int{b.proposals[i].id}, b.rest[:len(b.rest)-1]))
			positions = append(positions, asked)
		}
	}
	if len(prompts) == 0 {
		return ctx.Err()
	}
	// Summed in the order of the text, not of the calls, so that results are equal to the last bit.
	found := make([][]float32, len(prompts))
	for i := range found {
		found[i] = make([]float32, len(positions[i]))
	}
	var mu sync.Mutex
	err := s.model.NextLogProbs(ctx, prompts, positions, func(prompt, at int, logProbs []float32) {
		mu.Lock()
		defer mu.Unlock()
		found[prompt][at] = logProbs[places[prompt].rest[at]]
	})
	for i, logProbs := range found {
		for _, v := range logProbs {
			places[i].proposal.logProb += float64(v)
		}
	}
	return err
}

// ranked are the words with their probabilities among the proposals, most probable first.
func (b *blank) ranked() iter.Seq2[string, float64] {
	proposals := b.proposals
	slices.SortStableFunc(proposals, func(x, y proposal) int { return cmp.Compare(y.logProb, x.logProb) })
	sum := 0.0
	for _, p := range proposals {
		sum += math.Exp(p.logProb - proposals[0].logProb)
	}
	return func(yield func(string, float64) bool) {
		for _, p := range proposals {
			if !yield(p.word, math.Exp(p.logProb-proposals[0].logProb)/sum) {
				return
			}
		}
	}
}
