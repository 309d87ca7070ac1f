package corpus

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g"
)

const (
	// DefaultWindow is the number of tokens of a window, BOS not counted.
	DefaultWindow = 128
	// DefaultBatch is the number of windows a model call.
	DefaultBatch = 64
)

// Window is a stretch of a document that the model reads as one prompt.
type Window struct {
	Document string // name of the Text
	Start    int    // byte offset of Text within the document
	Packed   bool   // as that of the Text
	Text     string
	IDs      []int // BOS, where the model has one, and what the model makes of Text
}

// Windows cuts the documents of a source into windows of size tokens, none overlapping. A window's text is a slice of
// the document's, never what its tokens decode to. It is tokenized anew, as every later stage will, since a cut can
// change the tokens at its edges; a window of less than 2 tokens is dropped.
func Windows(model n2g.LanguageModel, source Source, size int) iter.Seq2[Window, error] {
	return func(yield func(Window, error) bool) {
		for text, err := range source {
			if err != nil {
				yield(Window{}, err)
				return
			}
			for window, err := range windowsOf(model, text, size) {
				if !yield(window, err) || err != nil {
					return
				}
			}
		}
	}
}

// OffsetTokenizer is a model that says where in a text its tokens lie. One that does not is asked to decode them, which
// works where they spell the text.
type OffsetTokenizer interface {
	// TokenizeOffsets is Tokenize with, for each token, its bytes [start, end) of the text; a token that is part of a
	// character has the whole character's.
	TokenizeOffsets(text string) (ids []int, offsets [][2]int, err error)
}

// places is how many places of a prompt count as context only: that of BOS, where the model has one.
func places(model n2g.LanguageModel) int {
	if model.BOS() < 0 {
		return 0
	}
	return 1
}

// windowsOf cuts one document.
func windowsOf(model n2g.LanguageModel, text Text, size int) iter.Seq2[Window, error] {
	return func(yield func(Window, error) bool) {
		fail := func(err error) { yield(Window{}, fmt.Errorf("corpus: %s: %w", text.Name, err)) }
		offsets, err := tokenOffsets(model, text.Content)
		if err != nil {
			fail(err)
			return
		}
		start := 0
		for len(offsets) > 0 {
			var end int
			if end, offsets = cut(offsets, size); len(offsets) == 0 {
				end = len(text.Content) // what the tokenizer passes over belongs to the token before it
			}
			window := Window{Document: text.Name, Start: text.Offset + start, Packed: text.Packed, Text: text.Content[start:end]}
			start = end
			ids, err := model.Tokenize(window.Text)
			if err != nil {
				fail(err)
				return
			}
			if len(ids) < 2 {
				continue
			}
			window.IDs = ids[:min(len(ids), size)]
			if bos := model.BOS(); bos >= 0 {
				window.IDs = slices.Concat([]int{bos}, window.IDs)
			}
			if !yield(window, nil) {
				return
			}
		}
	}
}

// cut is where the first size tokens end, or up to three more where that would be within a character, and the others.
func cut(offsets [][2]int, size int) (end int, others [][2]int) {
	n := min(size, len(offsets))
	for _, token := range offsets[:n] {
		end = max(end, token[1])
	}
	for n < len(offsets) && offsets[n][0] < end {
		end = max(end, offsets[n][1])
		n++
	}
	return end, offsets[n:]
}

// tokenOffsets is where the tokens of a text lie.
func tokenOffsets(model n2g.LanguageModel, text string) ([][2]int, error) {
	if m, ok := model.(OffsetTokenizer); ok {
		_, offsets, err := m.TokenizeOffsets(text)
		return offsets, err
	}
	ids, err := model.Tokenize(text)
	if err != nil {
		return nil, err
	}
	offsets := make([][2]int, 0, len(ids))
	for start := 0; len(ids) > 0; {
		piece, n := "", 0
		for n < min(utf8.UTFMax, len(ids)) { // tokens that are parts of one character
			n++
			if piece = model.Decode(ids[:n]); strings.HasPrefix(text[start:], piece) {
				break
			}
		}
		if !strings.HasPrefix(text[start:], piece) {
			return nil,
				fmt.Errorf("the tokens of %s do not spell the text, at byte %d for one: it needs a method TokenizeOffsets",
					model.Name(), start)
		}
		for range n {
			offsets = append(offsets, [2]int{start, start + len(piece)})
		}
		start, ids = start+len(piece), ids[n:]
	}
	return offsets, nil
}
