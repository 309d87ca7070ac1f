package tokenizers

import "unicode/utf8"

// byteRune is GPT-2's alphabet: the character that stands for each byte in a vocabulary. Printable bytes of Latin-1
// stand for themselves, the others for U+0100 onwards in their order.
var byteRune = func() (table [256]rune) {
	next := rune(0x100)
	for b := range table {
		switch {
		case '!' <= b && b <= '~', 0xA1 <= b && b <= 0xAC, 0xAE <= b && b <= 0xFF:
			table[b] = rune(b)
		default:
			table[b] = next
			next++
		}
	}
	return table
}()

// runeByte is the inverse of byteRune: the byte that a character stands for, -1 where it stands for none.
var runeByte = func() (table [0x144]int16) {
	for r := range table {
		table[r] = -1
	}
	for b, r := range byteRune {
		table[r] = int16(b)
	}
	return table
}()

// bytesOf is the bytes that a vocabulary entry in GPT-2's alphabet stands for; false if it holds another character.
func bytesOf(token string) (string, bool) {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return "", false
		}
		out = append(out, byte(runeByte[r]))
	}
	return string(out), true
}

// toByteLevel writes a text in GPT-2's alphabet.
func toByteLevel(t text) text {
	a := newAligned(t)
	for i := 0; i < len(t.s); {
		_, n := utf8.DecodeRuneInString(t.s[i:])
		sp := t.at(i)
		for range n {
			a.add(byteRune[t.s[i]], sp)
			i++
		}
	}
	return a.text()
}

// leadingBlanks counts the characters of a token at its start that are blanks, in clear or in GPT-2's alphabet.
func leadingBlanks(token string) int {
	n := 0
	for _, r := range token {
		if r != byteRune[' '] && !isSpace(r) {
			break
		}
		n++
	}
	return n
}

// trailingBlanks is leadingBlanks from the end.
func trailingBlanks(token string) int {
	n := 0
	for len(token) > 0 {
		r, size := utf8.DecodeLastRuneInString(token)
		if r != byteRune[' '] && !isSpace(r) {
			break
		}
		n++
		token = token[:len(token)-size]
	}
	return n
}
