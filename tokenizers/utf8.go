package tokenizers

import (
	"strings"
	"unicode/utf8"
)

const replacement = "\uFFFD"

// ValidText returns text with each maximal invalid subpart of its UTF-8 replaced by one U+FFFD, the practice the
// Unicode standard recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts"). It is the text that a
// [Tokenizer] reads, and what [Encoding.Offsets] count bytes of; valid text is returned as it is.
func ValidText(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n <= 1 {
			b.WriteString(replacement)
			i += invalidLen(text[i:])
			continue
		}
		b.WriteString(text[i : i+n])
		i += n
	}
	return b.String()
}

// invalidLen is the length in bytes of the maximal subpart of an ill-formed sequence that s begins with: the longest
// prefix that could have begun a well-formed character, at least one byte.
func invalidLen(s string) int {
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c == 0xE0:
		need, lo = 2, 0xA0
	case c == 0xED: // surrogates are no characters
		need, hi = 2, 0x9F
	case c >= 0xE1 && c <= 0xEF:
		need = 2
	case c == 0xF0:
		need, lo = 3, 0x90
	case c >= 0xF1 && c <= 0xF3:
		need = 3
	case c == 0xF4:
		need, hi = 3, 0x8F
	}
	n := 1
	for n <= need && n < len(s) && lo <= s[n] && s[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}
