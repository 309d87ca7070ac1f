package n2g

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitWords cuts a text at every character that is neither a letter nor an apostrophe, each such character a piece of
// its own (section 4.1). The pieces joined are the text.
func splitWords(text string) []string {
	var pieces []string
	start := 0 // of the word that runs
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsLetter(r) && r != '\'' {
			if start < i {
				pieces = append(pieces, text[start:i])
			}
			start = i + size
			pieces = append(pieces, text[i:start])
		}
		i += size
	}
	if start < len(text) {
		pieces = append(pieces, text[start:])
	}
	return pieces
}

// asciiPunctuation is Python's string.punctuation.
const asciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// normalizeWord strips blanks and ASCII punctuation from both ends of a word or token and lower-cases it, so that words
// and tokens compare (section 4.2).
func normalizeWord(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return isSpace(r) || strings.ContainsRune(asciiPunctuation, r) })
	return string(appendLower(nil, s))
}

// titleWord is Python's str.title: letters after a letter in lower case, others in title case.
func titleWord(s string) string {
	lower := string(appendLower(nil, s))
	cased := false
	return strings.Map(func(r rune) rune {
		before := cased
		cased = isCased(r)
		if cased && !before {
			return unicode.ToTitle(r)
		}
		return r
	}, lower)
}

// wordPiece is the text of a vocabulary entry that continues a word, and whether it does.
func wordPiece(entry string) (string, bool) {
	piece, found := strings.CutPrefix(entry, "##")
	if !found || piece == "" {
		return entry, false
	}
	return piece, true
}
