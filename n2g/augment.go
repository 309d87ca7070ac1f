package n2g

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// Augment is stage 4 for one pruned text: variants of it in which the masked model has replaced words, and how the
// neuron answers to them (section 4 of the method; "augmentation" in section 3.3 of arXiv 2304.12918). The pruned text
// itself comes first, then the positive variants, then the negative ones, each in the order of its making. The prune
// must have been measured: its Measured tells which words to replace. A masked model of nil makes no variants. A
// variant that is longer than the model's context is left out.
func Augment(ctx context.Context, model LanguageModel, masked MaskedModel, site Site, prune Prune,
	opts Options) ([]Variant, error) {
	if prune.Measured == nil {
		return nil, errors.New("the prune has no importances yet: call MeasureImportance first and set Measured")
	}
	n, err := newNeuron(model, site, opts)
	if err != nil {
		return nil, err
	}
	texts, err := n.substitute(ctx, masked, []source{newSource(prune.Text, prune.Measured, &n.opts)})
	if err != nil {
		return nil, err
	}
	found, err := n.try(ctx, texts)
	if err != nil {
		return nil, err
	}
	variants := rankVariants(prune.Text, prune.Measured.Maximum, found[0], &n.opts)
	result := make([]Variant, len(variants))
	for i, v := range variants {
		result[i] = v.Variant
	}
	return result, nil
}

// variant is a Variant with what running it showed; ids are nil for the pruned text itself.
type variant struct {
	Variant
	ids         []int
	activations []float64
}

// try runs the texts made of each source with one call.
func (n *neuron) try(ctx context.Context, texts [][]string) ([][]variant, error) {
	found := make([][]variant, len(texts))
	var prompts [][]int
	for i, list := range texts {
		for _, text := range list {
			ids, err := encode(n.model, text)
			if err != nil {
				return nil, fmt.Errorf("variant %q: %w", text, err)
			}
			if len(tokensOf(ids)) <= n.model.ContextLength() {
				found[i] = append(found[i], variant{Variant: Variant{Text: text}, ids: ids})
				prompts = append(prompts, ids)
			}
		}
	}
	activations, err := n.whole(ctx, prompts)
	if err != nil {
		return nil, err
	}
	for _, list := range found {
		for k := range list {
			v := &list[k]
			v.activations, activations = activations[0], activations[1:]
			v.Activation = v.activations[n.peak(v.ids, v.activations)]
		}
	}
	return found, nil
}

// rankVariants puts the pruned text before its variants and the positive ones before the negative ones.
func rankVariants(text string, maximum float64, found []variant, opts *settings) []variant {
	ranked := []variant{{Variant: Variant{Text: text, Activation: maximum, Change: 1, Positive: true}}}
	var negative []variant
	for _, v := range found {
		if maximum != 0 {
			v.Change = (v.Activation - maximum) / maximum
		}
		if v.Positive = v.Change >= opts.PositiveThreshold; v.Positive {
			ranked = append(ranked, v)
		} else {
			negative = append(negative, v)
		}
	}
	return append(ranked, negative...)
}

// source is a pruned text whose words are to be replaced.
type source struct {
	text   string
	pieces []string // its words and what stands between
	groups [][]int  // pieces to be masked together, each group by itself
}

// newSource chooses the words of a pruned text to mask (section 4.2): those that equal an important token and begin no
// later than the end of the token of the maximum, and what the mode makes of them.
func newSource(text string, measured *Measured, opts *settings) source {
	s := source{text: text, pieces: splitWords(text)}
	important := map[string]bool{}
	for _, token := range measured.ImportantTokens(opts.ImportantThreshold) {
		important[normalizeWord(token)] = true
	}
	for _, word := range opts.Stopwords {
		delete(important, normalizeWord(word))
	}
	limit := 0 // in characters
	for _, token := range measured.Tokens[1 : measured.Peak+1] {
		limit += utf8.RuneCountInString(token)
	}
	var words, chosen, others []int
	position := 0
	for i, piece := range s.pieces {
		if hasLetter([]byte(piece)) {
			words = append(words, i)
			if important[normalizeWord(piece)] && position <= limit {
				chosen = append(chosen, i)
			} else {
				others = append(others, i)
			}
		}
		position += utf8.RuneCountInString(piece)
	}
	if len(chosen) == 0 {
		return s
	}
	switch opts.Mode {
	case ModeOnlyImportant:
		s.groups = [][]int{chosen}
	case ModeAllButImportant:
		if len(others) > 0 {
			s.groups = [][]int{others}
		}
	default:
		together := 1
		if opts.Mode == ModeMaskNum {
			together = opts.MaskNum
		}
		for _, i := range chosen {
			at := slices.Index(words, i)
			s.groups = append(s.groups, words[at:min(at+together, len(words))])
		}
	}
	return s
}

// substitute makes the variants' texts of each source, every text once and none the pruned text itself.
func (n *neuron) substitute(ctx context.Context, masked MaskedModel, sources []source) ([][]string, error) {
	made := make([][]string, len(sources))
	if masked == nil || n.opts.Substitutes == 0 {
		return made, nil
	}
	if masked.MaskToken() == "" {
		return nil, fmt.Errorf("the masked model %s has no mask token: give one that fills masks, as BERT does",
			masked.Name())
	}
	f := filler{masked: masked, opts: &n.opts, work: n.work}
	if n.opts.Mode == ModeDefault {
		return made, f.each(ctx, sources, made)
	}
	return made, f.together(ctx, sources, made)
}

// filler asks a masked model for substitutes.
type filler struct {
	masked MaskedModel
	opts   *settings
	work   *worklog
}

// each replaces one word at a time by its most probable substitutes that make new texts (section 4.3). The model is
// asked once for all.
func (f filler) each(ctx context.Context, sources []source, made [][]string) error {
	var blanks []blank
	for _, s := range sources {
		for _, group := range s.groups {
			blanks = append(blanks, blank{s.pieces, group})
		}
	}
	filled, err := f.fill(ctx, blanks)
	if err != nil {
		return err
	}
	for k, s := range sources {
		seen := map[string]bool{s.text: true}
		for _, group := range s.groups {
			taken := 0
			for entry := range f.substitutes(filled[0], s.pieces[group[0]]) {
				text := strings.Join(f.replaced(s.pieces, group[0], entry), "")
				if seen[text] {
					continue
				}
				seen[text] = true
				made[k] = append(made[k], text)
				if taken++; taken == f.opts.Substitutes {
					break
				}
			}
			filled = filled[1:]
		}
	}
	return nil
}

// sibling is one of the parallel texts in which the masks of a group are filled from left to right.
type sibling struct {
	pieces []string
	masks  []int // still to fill
}

// together replaces all words of a group in parallel texts: at each mask a text takes the most probable substitute that
// no sibling before it took there. The model is asked once for each place of all groups.
func (f filler) together(ctx context.Context, sources []source, made [][]string) error {
	var families [][]*sibling
	for _, s := range sources {
		for _, group := range s.groups {
			family := make([]*sibling, f.opts.Substitutes)
			for i := range family {
				family[i] = &sibling{s.pieces, group}
			}
			families = append(families, family)
		}
	}
	for {
		var blanks []blank
		for _, family := range families {
			for _, s := range family {
				if len(s.masks) > 0 {
					blanks = append(blanks, blank{s.pieces, s.masks})
				}
			}
		}
		if len(blanks) == 0 {
			break
		}
		filled, err := f.fill(ctx, blanks)
		if err != nil {
			return err
		}
		for _, family := range families {
			taken := map[string]bool{}
			for _, s := range family {
				if len(s.masks) > 0 {
					f.advance(s, filled[0], taken)
					filled = filled[1:]
				}
			}
		}
	}
	for k, s := range sources {
		seen := map[string]bool{s.text: true}
		for range s.groups {
			for _, text := range families[0] {
				if joined := strings.Join(text.pieces, ""); !seen[joined] {
					seen[joined] = true
					made[k] = append(made[k], joined)
				}
			}
			families = families[1:]
		}
	}
	return nil
}

// advance fills the sibling's first mask. Where all substitutes are taken, the most probable is taken again; where
// there is none, the word stays.
func (f filler) advance(s *sibling, filled iter.Seq2[string, float64], taken map[string]bool) {
	mask := s.masks[0]
	s.masks = s.masks[1:]
	choice, found := "", false
	for entry := range f.substitutes(filled, s.pieces[mask]) {
		if !found {
			choice, found = entry, true
		}
		if !taken[entry] {
			choice = entry
			break
		}
	}
	if found {
		taken[choice] = true
		s.pieces = f.replaced(s.pieces, mask, choice)
	}
}

// substitutes are the vocabulary entries that may stand for a word: probable, with a letter, and not the word.
func (f filler) substitutes(filled iter.Seq2[string, float64], word string) iter.Seq[string] {
	word = normalizeWord(word)
	return func(yield func(string) bool) {
		for entry, probability := range filled {
			if probability < f.opts.MinProbability {
				return
			}
			if hasLetter([]byte(entry)) && normalizeWord(entry) != word && !yield(entry) {
				return
			}
		}
	}
}

// replaced are the pieces with the one at index replaced by a vocabulary entry: cased as the word it replaces or as the
// corpus spells it, or, if it is a word piece, as it is and glued to what stands before, less a blank (section 10.5).
func (f filler) replaced(pieces []string, index int, entry string) []string {
	pieces = slices.Clone(pieces)
	word := pieces[index]
	piece, continues := wordPiece(entry)
	switch {
	case continues:
		pieces[index] = piece
		for before := index - 1; before >= 0; before-- {
			if pieces[before] != "" {
				pieces[before] = strings.TrimSuffix(pieces[before], " ")
				break
			}
		}
	case isTitle(word):
		pieces[index] = titleWord(entry)
	default:
		pieces[index] = f.opts.Casings.spell(entry)
	}
	return pieces
}

// blank is a text whose pieces at masks are masked; the first of them is to be filled.
type blank struct {
	pieces []string
	masks  []int
}

// text is the masked text and the byte offset of its first mask.
func (b blank) text(mask string) (string, int) {
	pieces := slices.Clone(b.pieces)
	offset := len(strings.Join(pieces[:b.masks[0]], ""))
	for _, i := range b.masks {
		pieces[i] = mask
	}
	return strings.Join(pieces, ""), offset
}

// fill asks the masked model for all blanks with one call, equal ones once.
func (f filler) fill(ctx context.Context, blanks []blank) ([]iter.Seq2[string, float64], error) {
	type question struct {
		text   string
		offset int
		word   string
	}
	filler, asksWords := f.masked.(WordFiller)
	var texts, words []string
	var offsets []int
	place := map[question]int{}
	asked := make([]int, len(blanks))
	for i, b := range blanks {
		text, offset := b.text(f.masked.MaskToken())
		q := question{text: text, offset: offset}
		if asksWords {
			q.word = b.pieces[b.masks[0]]
		}
		at, ok := place[q]
		if !ok {
			at = len(texts)
			place[q] = at
			texts, offsets, words = append(texts, text), append(offsets, offset), append(words, q.word)
		}
		asked[i] = at
	}
	if len(texts) == 0 {
		return nil, nil
	}
	var answers []iter.Seq2[string, float64]
	var err error
	if asksWords {
		answers, err = filler.FillWords(ctx, texts, offsets, words)
	} else {
		answers, err = f.masked.Fill(ctx, texts, offsets)
	}
	if err != nil {
		return nil, fmt.Errorf("substitutes for %d masked words: %w", len(texts), err)
	}
	f.work.fill(len(texts))
	if len(answers) != len(texts) {
		return nil, fmt.Errorf("%s answered %d texts of %d: its Fill must answer each", f.masked.Name(), len(answers),
			len(texts))
	}
	filled := make([]iter.Seq2[string, float64], len(blanks))
	for i, at := range asked {
		filled[i] = answers[at]
	}
	return filled, nil
}
