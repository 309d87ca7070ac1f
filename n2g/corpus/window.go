package corpus

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// DefaultWindow is the number of tokens of a window, BOS not counted.
const DefaultWindow = 128

// Window is a stretch of a document that the model reads as one prompt.
type Window struct {
	Document string // name of the Text
	Start    int    // byte offset of Text within the document, -1 where the tokenizer changes what it reads
	Packed   bool   // as that of the Text
	Text     string
	IDs      []int // BOS and what the model makes of Text
}

// Windows cuts the documents of a source into windows of size tokens, none overlapping. Each is tokenized anew, as every
// later stage will, since a cut can change the tokens at its edges; a window of less than 2 tokens is dropped.
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

// windowsOf cuts one document.
func windowsOf(model n2g.LanguageModel, text Text, size int) iter.Seq2[Window, error] {
	return func(yield func(Window, error) bool) {
		ids, err := model.Tokenize(text.Content)
		if err != nil {
			yield(Window{}, fmt.Errorf("corpus: %s: %w", text.Name, err))
			return
		}
		start := 0
		for len(ids) > 0 {
			content, rest := cut(model, ids, size)
			ids = rest
			window := Window{Document: text.Name, Start: -1, Packed: text.Packed, Text: content}
			if start >= 0 && strings.HasPrefix(text.Content[start:], content) {
				window.Start = text.Offset + start
				start += len(content)
			} else {
				start = -1
			}
			again, err := model.Tokenize(content)
			if err != nil {
				yield(Window{}, fmt.Errorf("corpus: %s: %w", text.Name, err))
				return
			}
			if len(again) < 2 {
				continue
			}
			window.IDs = slices.Concat([]int{model.BOS()}, again[:min(len(again), size)])
			if !yield(window, nil) {
				return
			}
		}
	}
}

// cut decodes the first size ids, or up to three more where the cut would go through a character.
func cut(model n2g.LanguageModel, ids []int, size int) (string, []int) {
	for extra := range utf8.UTFMax {
		end := min(size+extra, len(ids))
		content := model.Decode(ids[:end])
		if end == len(ids) || !strings.HasSuffix(content, "\uFFFD") {
			return content, ids[end:]
		}
	}
	return model.Decode(ids[:size]), ids[size:]
}
