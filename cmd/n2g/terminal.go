package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable is foreign text as one line of a table or a message shows it: a character that would move the cursor, begin
// an escape sequence or turn the direction of writing is spelled out.
func printable(text string) string {
	return string(appendPrintable(make([]byte, 0, len(text)), []byte(text), ""))
}

// appendPrintable appends text with what a terminal would obey spelled out, but for the control characters kept.
func appendPrintable(to, text []byte, kept string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			to = fmt.Appendf(to, `\x%02x`, text[0])
		case strings.ContainsRune(kept, r), !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) && r != '\u2028' &&
			r != '\u2029':
			to = append(to, text[:size]...)
		case r == '\n':
			to = append(to, `\n`...)
		case r == '\t':
			to = append(to, `\t`...)
		case r <= unicode.MaxLatin1:
			to = fmt.Appendf(to, `\x%02x`, r)
		default:
			to = fmt.Appendf(to, `\u%04x`, r)
		}
		text = text[size:]
	}
	return to
}

// harmless writes text with all but line ends and tabs of what a terminal would obey spelled out.
type harmless struct {
	w    io.Writer
	tail []byte // the beginning of a character whose end is still to come
}

func (h *harmless) Write(p []byte) (int, error) {
	text := append(h.tail, p...)
	whole := len(text)
	for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				whole -= i
			}
			break
		}
	}
	h.tail = append([]byte(nil), text[whole:]...)
	if _, err := h.w.Write(appendPrintable(nil, text[:whole], "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// watched remembers that writing failed, for those who did not look.
type watched struct {
	w   io.Writer
	err error
}

func (f *watched) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n, err
}

// shortened cuts the middle out of a message that nobody would read.
func shortened(message string) string {
	const most = 1200
	runes := []rune(message)
	if len(runes) <= most {
		return message
	}
	return fmt.Sprintf("%s … (%d more characters) … %s", string(runes[:most*3/4]), len(runes)-most,
		string(runes[len(runes)-most/4:]))
}
