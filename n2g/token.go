package n2g

import (
	"unicode"
	"unicode/utf8"
)

// Tokens of the trie that stand for no text.
const (
	// RootToken is the token of a trie's root.
	RootToken = "**ROOT**"
	// IgnoreToken is the token of an ignored element: any token fits it.
	IgnoreToken = "**IGNORE**"
)

// NormalizeToken maps the spellings of a token that the graph does not tell apart to one: title case (Python's
// istitle) of more than one character becomes lower case, then a token of more than one character that holds a letter
// loses the white space around it. " The", "The" and "the" are one token; "THE", "fooBar" and "\n\n" stay themselves.
func NormalizeToken(s string) string {
	return string(appendNormalized(make([]byte, 0, len(s)+8), s))
}

// appendNormalized appends the normalised s to dst. Prediction calls it for every token, hence no allocation.
func appendNormalized(dst []byte, s string) []byte {
	start := len(dst)
	if isTitle(s) && moreThanOneRune(s) {
		dst = appendLower(dst, s)
	} else {
		dst = append(dst, s...)
	}
	if text := dst[start:]; hasLetter(text) && utf8.RuneCount(text) > 1 {
		kept := trimSpace(text)
		dst = dst[:start+copy(text, kept)]
	}
	return dst
}

func moreThanOneRune(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size < len(s)
}

// isTitle is Python's str.istitle: there is a cased character, upper and title case ones stand only after uncased
// ones, lower case ones only after cased ones.
func isTitle(s string) bool {
	found, cased := false, false
	for _, r := range s {
		switch {
		case isUpper(r) || unicode.IsTitle(r):
			if cased {
				return false
			}
			found, cased = true, true
		case isLower(r):
			if !cased {
				return false
			}
			found = true
		default:
			cased = false
		}
	}
	return found
}

// isUpper and isLower are the derived properties Uppercase and Lowercase of Unicode, which hold more than the
// letters of the categories Lu and Ll (roman numerals, modifier letters).
func isUpper(r rune) bool {
	return unicode.IsUpper(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Uppercase, r)
}

func isLower(r rune) bool {
	return unicode.IsLower(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Lowercase, r)
}

func isCased(r rune) bool { return isUpper(r) || isLower(r) || unicode.IsTitle(r) }

// appendLower appends s in lower case by the full mapping of Unicode's SpecialCasing: İ becomes i and a combining dot,
// Σ at the end of a word ς. Every other character has a mapping to one.
func appendLower(dst []byte, s string) []byte {
	for i, r := range s {
		switch r {
		case 'İ':
			dst = append(dst, "i\u0307"...)
		case 'Σ':
			if finalSigma(s, i) {
				r = 'ς'
			} else {
				r = 'σ'
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
	}
	return dst
}

// finalSigma says whether the Σ at byte i ends a word: a cased character stands before it and none after it, those
// that casing ignores left out (Unicode's Final_Sigma).
func finalSigma(s string, i int) bool {
	before := false
	for j := i; j > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:j])
		j -= size
		if !caseIgnorable(r) {
			before = isCased(r)
			break
		}
	}
	if !before {
		return false
	}
	for _, r := range s[i+len("Σ"):] {
		if !caseIgnorable(r) {
			return !isCased(r)
		}
	}
	return true
}

// caseIgnorable is Unicode's property Case_Ignorable: marks, format characters, modifiers, and the punctuation that
// may stand within a word.
func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '\u00b7', '\u0387', '\u055f', '\u05f4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func hasLetter(text []byte) bool {
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if unicode.IsLetter(r) {
			return true
		}
		i += size
	}
	return false
}

// trimSpace is Python's str.strip.
func trimSpace(text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if !isSpace(r) {
			break
		}
		text = text[size:]
	}
	for len(text) > 0 {
		r, size := utf8.DecodeLastRune(text)
		if !isSpace(r) {
			break
		}
		text = text[:len(text)-size]
	}
	return text
}

// isSpace is Python's str.isspace, which counts the four information separators as blanks and Unicode does not.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
