package learn

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words counts words: what a splitter makes of the texts given to it. The zero value is not usable; see
// [NewByteLevelWords] and [NewBERTWords].
type Words struct {
	counts map[string]int
	split  func(text string, yield func(word []byte))
}

// NewByteLevelWords returns an empty table of the words that GPT-2's pre-tokenizer cuts a text into: a letter run, a
// digit run or a run of anything else, each with the one blank before it, and white space.
func NewByteLevelWords() *Words {
	return &Words{counts: make(map[string]int), split: splitGPT2}
}

// NewBERTWords returns an empty table of the words of BERT's uncased pre-tokenizer: text lower-cased, without accents
// and control characters, cut at white space, every punctuation character and every CJK ideograph a word of its own.
func NewBERTWords() *Words {
	return &Words{counts: make(map[string]int), split: splitBERT}
}

// Add counts the words of text.
func (w *Words) Add(text string) {
	w.split(text, func(word []byte) { w.counts[string(word)]++ })
}

// sorted lists the words, most frequent first, equals by spelling: a fixed order, whatever the map's.
func (w *Words) sorted() []string {
	words := make([]string, 0, len(w.counts))
	for word := range w.counts {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Or(cmp.Compare(w.counts[b], w.counts[a]), cmp.Compare(a, b))
	})
	return words
}

// charClass is what GPT-2's pattern tells apart: \p{L}, \p{N}, \s and the rest.
type charClass int

const (
	other charClass = iota
	letter
	number
	space
)

func classOf(r rune) charClass {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.Is(unicode.N, r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// contractions are the suffixes that GPT-2's pattern keeps whole.
var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// splitGPT2 cuts text as GPT-2's pattern does:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// that is, white space before a word gives its last character to the word if that is a blank, and stands alone
// otherwise. Invalid bytes count as U+FFFD, as they do where tokenizers encode.
func splitGPT2(text string, yield func(word []byte)) {
	s := []byte(text)
	if !utf8.Valid(s) {
		s = []byte(string([]rune(text)))
	}
	for at := 0; at < len(s); {
		end := nextGPT2(s, at)
		yield(s[at:end])
		at = end
	}
}

// nextGPT2 is the end of the word that begins at byte at.
func nextGPT2(s []byte, at int) int {
	if s[at] == '\'' {
		for _, c := range contractions {
			if end := at + len(c); end <= len(s) && string(s[at:end]) == c {
				return end
			}
		}
	}
	start := at
	if s[at] == ' ' && at+1 < len(s) {
		start++
	}
	r, _ := utf8.DecodeRune(s[start:])
	if class := classOf(r); class != space {
		return runEnd(s, start, class)
	}
	end := runEnd(s, at, space)
	if end == len(s) {
		return end
	}
	if _, size := utf8.DecodeLastRune(s[at:end]); end-size > at {
		return end - size
	}
	return end
}

// runEnd is the end of the run of characters of one class that begins at byte at.
func runEnd(s []byte, at int, class charClass) int {
	for at < len(s) {
		r, size := utf8.DecodeRune(s[at:])
		if classOf(r) != class {
			break
		}
		at += size
	}
	return at
}

// splitBERT cuts text as BERT's uncased basic tokenizer does (Devlin et al. 2019, arXiv 1810.04805).
func splitBERT(text string, yield func(word []byte)) {
	var word []byte
	flush := func() {
		if len(word) > 0 {
			yield(word)
			word = word[:0]
		}
	}
	var it norm.Iter
	it.InitString(norm.NFD, text)
	for !it.Done() {
		for part := it.Next(); len(part) > 0; {
			r, size := utf8.DecodeRune(part)
			part = part[size:]
			r = unicode.ToLower(r)
			switch {
			case unicode.IsSpace(r):
				flush()
			case r == utf8.RuneError, unicode.Is(unicode.C, r), unicode.Is(unicode.Mn, r):
				// Dropped by the clean-up: control and format characters, and accents.
			case isPunctuation(r), unicode.Is(unicode.Han, r):
				flush()
				yield(utf8.AppendRune(nil, r))
			default:
				word = utf8.AppendRune(word, r)
			}
		}
	}
	flush()
}

// isPunctuation counts, as BERT does, every ASCII character that is no letter, digit or blank as punctuation, and
// Unicode's class P elsewhere.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && classOf(r) == other && r != 0x7f
	}
	return unicode.IsPunct(r)
}
