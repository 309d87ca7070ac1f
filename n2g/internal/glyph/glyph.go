// Package glyph makes every character of a token visible: a picture of a prompt or a graph whose blanks, line ends
// and control characters cannot be told apart shows the wrong token.
package glyph

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The glyphs that stand for the commonest characters without a picture of their own. A legend can name them.
const (
	Blank   = '·' // U+0020
	Newline = '↵' // U+000A
	Tab     = '→' // U+0009
)

// dottedCircle carries a combining mark that has no letter before it in its token.
const dottedCircle = '◌'

// Visible returns token with every character drawn: a blank as ·, a newline as ↵, a tab as →, other control characters
// as their Unicode control pictures (NUL as ␀, carriage return as ␍), and what would be invisible or would disturb the
// text around it (other blanks, bidirectional controls, non-characters) as \u{202e}; a byte that is no UTF-8 as \xff.
// The result holds no control character and no blank; it is valid in XML once escaped.
func Visible(token string) string {
	if plain(token) {
		return token
	}
	var b strings.Builder
	b.Grow(len(token) + 8)
	previous := rune(-1)
	for i := 0; i < len(token); {
		r, size := utf8.DecodeRuneInString(token[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, token[i])
		} else {
			write(&b, r, previous)
		}
		previous = r
		i += size
	}
	return b.String()
}

// plain tells the common case, printable ASCII without a blank.
func plain(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return true
}

func write(b *strings.Builder, r, previous rune) {
	switch {
	case r == ' ':
		b.WriteRune(Blank)
	case r == '\n':
		b.WriteRune(Newline)
	case r == '\t':
		b.WriteRune(Tab)
	case r < ' ':
		b.WriteRune(0x2400 + r) // the control pictures follow the order of ASCII
	case r == 0x7f:
		b.WriteRune(0x2421)
	case unicode.Is(unicode.M, r):
		if previous < 0 || previous <= ' ' {
			b.WriteRune(dottedCircle)
		}
		b.WriteRune(r)
	case joins(r) && previous >= 0x80:
		b.WriteRune(r)
	case unicode.IsGraphic(r) && !unicode.IsSpace(r), unicode.Is(unicode.Co, r):
		b.WriteRune(r)
	default:
		fmt.Fprintf(b, `\u{%x}`, r)
	}
}

// joins tells the format characters that belong inside a word or an emoji: without them a family falls into its
// members and Persian letters join that should not.
func joins(r rune) bool {
	return r == 0x200c || r == 0x200d || r >= 0xe0020 && r <= 0xe007f
}
