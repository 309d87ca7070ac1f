package tokenizers

import "unicode"

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// Letters and numbers that Go's tables lack.
var lettersAdded, numbersAdded = later("L"), later("N")

func isLetter(r rune) bool { return unicode.Is(unicode.L, r) || unicode.Is(lettersAdded, r) }

func isNumeric(r rune) bool { return unicode.Is(unicode.N, r) || unicode.Is(numbersAdded, r) }

// isWord is \w of Unicode regular expressions (UTS #18, annex C).
func isWord(r rune) bool {
	if r < 0x80 {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc,
		unicode.Join_Control, wordsAdded)
}

// isPunctuation is what BERT takes for punctuation: all of ASCII's, symbols included, and Unicode's.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	if r == 0x166D || r == 0x111C9 { // were punctuation up to versions 11 and 10
		return true
	}
	return unicode.Is(unicode.P, r) && !unicode.Is(punctuationLater, r)
}

// isControl is what BERT's clean-up drops.
func isControl(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	}
	if r < 0x80 {
		return r < ' ' || r == 0x7F
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(controlsLater, r)
}

// isAccent is what BERT drops after decomposition: non-spacing marks.
func isAccent(r rune) bool {
	if r < 0x300 {
		return false
	}
	return r == 0x1734 || // was one up to version 13
		unicode.Is(unicode.Mn, r) && !unicode.Is(accentsLater, r)
}

// isMark is what the normalizer StripAccents drops: marks of any kind.
func isMark(r rune) bool {
	if r < 0x300 {
		return false
	}
	return r == 0x1CF2 || r == 0x1CF3 || // were marks up to version 11
		unicode.Is(unicode.M, r) && !unicode.Is(marksLater, r)
}

// isChinese tells the blocks that BERT sets blanks around.
func isChinese(r rune) bool {
	if r < 0x3400 {
		return false
	}
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F || 0x2B920 <= r && r <= 0x2CEAF ||
		0xF900 <= r && r <= 0xFAFF || 0x2F800 <= r && r <= 0x2FA1F
}
