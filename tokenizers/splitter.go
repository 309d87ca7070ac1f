package tokenizers

import "unicode/utf8"

// class is what the published splitting patterns tell characters apart by: \s, \p{L}, \p{N} and the rest.
type class uint8

const (
	classOther class = iota
	classSpace
	classLetter
	classNumber
)

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for b := range table {
		table[b] = classOfRune(rune(b))
	}
	return table
}()

func classOfRune(r rune) class {
	switch {
	case isLetter(r):
		return classLetter
	case isNumeric(r):
		return classNumber
	case isSpace(r):
		return classSpace
	}
	return classOther
}

// classAt is the class and length of the character at s[i].
func classAt(s string, i int) (class, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return classOfRune(r), n
}

// runEnd is where the run of class c that s[i:] may begin with ends.
func runEnd(s string, i int, c class) int {
	for i < len(s) {
		k, n := classAt(s, i)
		if k != c {
			break
		}
		i += n
	}
	return i
}

// blankEnd is how \s+(?!\S)|\s+ matches at s[i], which is blank: the whole run at the end of the text, else all of it
// but the last character, which goes with what follows, unless there is no other.
func blankEnd(s string, i int) int {
	last, end := i, i
	for end < len(s) {
		k, n := classAt(s, end)
		if k != classSpace {
			break
		}
		last = end
		end += n
	}
	if end < len(s) && last > i {
		return last
	}
	return end
}

// splitGPT2 calls emit for each match of
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// the pattern of GPT-2, which GPT-Neo and GPT-NeoX share. Matches cover the whole text.
func splitGPT2(s string, emit func(i, j int)) {
	for i := 0; i < len(s); {
		end := i + contraction(s[i:])
		if end == i {
			start := i
			if s[i] == ' ' && i+1 < len(s) {
				start++
			}
			if c, _ := classAt(s, start); c != classSpace {
				end = runEnd(s, start, c)
			} else {
				end = blankEnd(s, i)
			}
		}
		emit(i, end)
		i = end
	}
}

// contraction is the length of 's|'t|'re|'ve|'m|'ll|'d at the start of s, 0 if there is none.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch s[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// splitLlama3 calls emit for each match of
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// the pattern of Llama 3 where digits is 3, of Qwen 2 where it is 1. Matches cover the whole text.
func splitLlama3(s string, digits int, emit func(i, j int)) {
	for i := 0; i < len(s); {
		end := llama3End(s, i, digits)
		emit(i, end)
		i = end
	}
}

func llama3End(s string, i, digits int) int {
	if n := contractionFold(s[i:]); n > 0 {
		return i + n
	}
	c, n := classAt(s, i)
	if c == classLetter {
		return runEnd(s, i, classLetter)
	}
	newline := s[i] == '\r' || s[i] == '\n'
	if c != classNumber && !newline && i+n < len(s) {
		if next, _ := classAt(s, i+n); next == classLetter {
			return runEnd(s, i+n, classLetter)
		}
	}
	if c == classNumber {
		end := i
		for range digits {
			if end == len(s) {
				break
			}
			k, n := classAt(s, end)
			if k != classNumber {
				break
			}
			end += n
		}
		return end
	}
	start := i
	if s[i] == ' ' && i+1 < len(s) {
		start++
	}
	if k, _ := classAt(s, start); k == classOther {
		end := runEnd(s, start, classOther)
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	run := runEnd(s, i, classSpace)
	for k := run; k > i; k-- {
		if s[k-1] == '\r' || s[k-1] == '\n' {
			return k
		}
	}
	return blankEnd(s, i)
}

// contractionFold is contraction without regard to case; ſ (U+017F) folds to s.
func contractionFold(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	if len(s) > 2 && s[1:3] == "ſ" {
		return 3
	}
	buf := [3]byte{'\'', s[1] | 0x20, 0}
	n := 2
	if len(s) > 2 {
		buf[2] = s[2] | 0x20
		n = 3
	}
	for k := 1; k < n; k++ {
		if buf[k] < 'a' || buf[k] > 'z' {
			n = k
			break
		}
	}
	return contraction(string(buf[:n]))
}
