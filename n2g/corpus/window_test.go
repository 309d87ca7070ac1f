package corpus_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// lowering is a byteModel that lowers letters, drops blanks, and so changes what it reads.
type lowering struct{ byteModel }

func (m lowering) Tokenize(text string) ([]int, error) {
	ids, _, err := m.TokenizeOffsets(text)
	return ids, err
}

func (m lowering) TokenizeOffsets(text string) (ids []int, offsets [][2]int, err error) {
	for at, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		for _, b := range []byte(strings.ToLower(string(r))) {
			ids, offsets = append(ids, int(b)+1), append(offsets, [2]int{at, at + utf8.RuneLen(r)})
		}
	}
	return ids, offsets, nil
}

// TestWindowsAreSlices: whatever the tokenizer makes of a text, windows are what stands there.
func TestWindowsAreSlices(t *testing.T) {
	const text = "  The SEA đem\nSHELLS ŠŽ 漢字 on the Shore, \tand more of the kind.  "
	for size := 1; size < 12; size++ {
		covered := ""
		for window, err := range corpus.Windows(lowering{}, corpus.FS(fstest.MapFS{"a": {Data: []byte(text)}}), size) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(text[window.Start:], window.Text) || window.Text == "" {
				t.Errorf("size %d: %q does not stand at byte %d", size, window.Text, window.Start)
			}
			covered += window.Text
		}
		// Windows of one token are dropped; the others follow one another.
		if size > 2 && len(covered) < len(text)-len(".  ") {
			t.Errorf("size %d: %q is covered", size, covered)
		}
	}
}

// unspelled is a model that does not say where its tokens lie and changes the text.
type unspelled struct{ byteModel }

func (m unspelled) Tokenize(text string) ([]int, error) {
	return m.byteModel.Tokenize(strings.ToLower(text))
}

func TestTokensThatDoNotSpell(t *testing.T) {
	for _, err := range corpus.Windows(unspelled{}, corpus.FS(fstest.MapFS{"a": {Data: []byte("some TEXT")}}), 4) {
		if err == nil || !strings.Contains(err.Error(), "a: the tokens of bytes do not spell the text, at byte 5") {
			t.Errorf("%v", err)
		}
	}
}
