package tokenizers

import (
	"strings"
	"unicode/utf8"
)

// span is a range of bytes [start, end) of the original text.
type span struct{ start, end int32 }

// text is a piece of text on its way through normalizer and pre-tokenizer that remembers where in the original each of
// its bytes came from.
type text struct {
	s     string
	base  int    // where the piece begins in the original
	align []span // for each byte of s its character in the original; nil where s is a slice of the original at base
}

// slice is the piece's bytes [i, j), which lie at borders of characters.
func (t text) slice(i, j int) text {
	if t.align == nil {
		return text{s: t.s[i:j], base: t.base + i}
	}
	out := text{s: t.s[i:j], base: t.base, align: t.align[i:j]}
	if i < j {
		out.base = int(t.align[i].start)
	}
	return out
}

// at is where the character that byte i belongs to came from.
func (t text) at(i int) span {
	if t.align != nil {
		return t.align[i]
	}
	start, end := i, i+1
	for start > 0 && !utf8.RuneStart(t.s[start]) {
		start--
	}
	for end < len(t.s) && !utf8.RuneStart(t.s[end]) {
		end++
	}
	return span{int32(t.base + start), int32(t.base + end)}
}

// original is where bytes [i, j) came from, widened to whole characters.
func (t text) original(i, j int) [2]int {
	if t.align == nil {
		end := min(j, len(t.s))
		for i > 0 && i < len(t.s) && !utf8.RuneStart(t.s[i]) {
			i--
		}
		for end < len(t.s) && !utf8.RuneStart(t.s[end]) {
			end++
		}
		return [2]int{t.base + i, t.base + end}
	}
	if i >= j || i >= len(t.s) {
		return [2]int{t.base + i, t.base + j}
	}
	return [2]int{int(t.align[i].start), int(t.align[min(j, len(t.s))-1].end)}
}

// aligned collects the characters of a changed text.
type aligned struct {
	base  int
	out   []byte
	align []span
}

func newAligned(t text) *aligned {
	n := len(t.s) + len(t.s)/8 + 8
	return &aligned{base: t.base, out: make([]byte, 0, n), align: make([]span, 0, n)}
}

// add appends a character that stands for what lay at sp.
func (a *aligned) add(r rune, sp span) {
	n := len(a.out)
	a.out = utf8.AppendRune(a.out, r)
	for range len(a.out) - n {
		a.align = append(a.align, sp)
	}
}

// copy appends bytes [i, j) of t unchanged.
func (a *aligned) copy(t text, i, j int) {
	a.out = append(a.out, t.s[i:j]...)
	if t.align != nil {
		a.align = append(a.align, t.align[i:j]...)
		return
	}
	for k := i; k < j; {
		n := 1
		if t.s[k] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(t.s[k:])
		}
		sp := span{int32(t.base + k), int32(t.base + k + n)}
		for range n {
			a.align = append(a.align, sp)
		}
		k += n
	}
}

func (a *aligned) text() text { return text{s: string(a.out), base: a.base, align: a.align} }

// edit is a character of a changed text and how it uses up those of the old one: 0 replaces the next one, 1 is
// inserted, -n replaces the next one and removes the n that follow it.
type edit struct {
	r     rune
	delta int
}

// apply appends bytes [at, end) of t, changed as edits say. An inserted character came from where the last one used up
// came from.
func (a *aligned) apply(t text, at, end int, edits []edit) {
	for _, e := range edits {
		switch {
		case e.delta > 0 && at > 0:
			a.add(e.r, t.at(at-1))
		case e.delta > 0 || at >= end:
			a.add(e.r, span{int32(t.base), int32(t.base)})
		default:
			a.add(e.r, t.at(at))
			for n := 1 - e.delta; n > 0 && at < end; n-- {
				_, size := utf8.DecodeRuneInString(t.s[at:])
				at += size
			}
		}
	}
}

// mapRunes replaces characters one by one.
func (t text) mapRunes(to func(r rune) rune) text {
	first := strings.IndexFunc(t.s, func(r rune) bool { return to(r) != r })
	if first < 0 {
		return t
	}
	// As long as no character changes its length the alignment stays what it is.
	out := make([]byte, 0, len(t.s))
	out = append(out, t.s[:first]...)
	for i, r := range t.s[first:] {
		out = utf8.AppendRune(out, to(r))
		if len(out) != first+i+utf8.RuneLen(r) {
			return t.mapLengths(to)
		}
	}
	return text{s: string(out), base: t.base, align: t.align}
}

// mapLengths is mapRunes where characters change their length.
func (t text) mapLengths(to func(r rune) rune) text {
	a := newAligned(t)
	for i, r := range t.s {
		a.add(to(r), t.at(i))
	}
	return a.text()
}

// keep drops the characters that want rejects.
func (t text) keep(want func(r rune) bool) text {
	if strings.IndexFunc(t.s, func(r rune) bool { return !want(r) }) < 0 {
		return t
	}
	a := newAligned(t)
	for i, r := range t.s {
		if want(r) {
			a.add(r, t.at(i))
		}
	}
	return a.text()
}
