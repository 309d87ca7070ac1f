package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/textcolumn"
)

// maxLine is the longest line of JSON that is read, in bytes.
const maxLine = 64 << 20

// lines streams the text fields of JSON Lines. Blank lines and empty texts give nothing.
func lines(name string, r io.Reader, field string) corpus.Source {
	return func(yield func(corpus.Text, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLine)
		number := 0
		for scanner.Scan() {
			number++
			line := bytes.TrimSpace(scanner.Bytes())
			if number == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			if len(line) == 0 {
				continue
			}
			text, err := textField(line, field)
			if err != nil {
				yield(corpus.Text{}, fmt.Errorf("corpus: %s line %d: %w", name, number, err))
				return
			}
			if !document(fmt.Sprintf("%s:%d", name, number), text, yield) {
				return
			}
		}
		if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
			yield(corpus.Text{}, fmt.Errorf("corpus: %s line %d is longer than %d MiB: split it", name, number+1, maxLine>>20))
		} else if err != nil {
			yield(corpus.Text{}, fmt.Errorf("corpus: reading %s: %w", name, err))
		}
	}
}

// textField returns one field of a JSON object.
func textField(line []byte, field string) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return "", fmt.Errorf("it is no JSON object: %w", err)
	}
	value, ok := fields[field]
	if !ok {
		return "", fmt.Errorf("it has no field %q, only %s: name the one that holds the text", field, textcolumn.Names(slices.Sorted(maps.Keys(fields))))
	}
	var text *string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", fmt.Errorf("field %q is no string: name the one that holds the text", field)
	}
	if text == nil {
		return "", nil
	}
	return *text, nil
}

// document yields a text that is no file of its own, in pieces if it is long.
func document(name, text string, yield func(corpus.Text, error) bool) bool {
	// Pieces passes over what holds a NUL; the rest of such a text may be worth reading.
	text = strings.ReplaceAll(text, "\x00", "\ufffd")
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	for piece, err := range corpus.Pieces(name, strings.NewReader(text), true) {
		if !yield(piece, err) {
			return false
		}
	}
	return true
}
