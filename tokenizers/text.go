package tokenizers

import "unicode/utf8"

// span is a range of bytes [start, end) of the original text.
type span struct{ start, end int }

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
		out.base = t.align[i].start
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
	return span{t.base + start, t.base + end}
}

// original is where bytes [i, j) came from, widened to whole characters.
func (t text) original(i, j int) (start, end int) {
	if i >= j || i >= len(t.s) {
		return t.base + i, t.base + j
	}
	if j > len(t.s) {
		j = len(t.s)
	}
	return t.at(i).start, t.at(j - 1).end
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
		_, n := utf8.DecodeRuneInString(t.s[k:])
		sp := span{t.base + k, t.base + k + n}
		for range n {
			a.align = append(a.align, sp)
		}
		k += n
	}
}

func (a *aligned) text() text { return text{s: string(a.out), base: a.base, align: a.align} }

// edit is a character of a changed text and how it uses up those of the old one: 0 replaces the next one, 1 is inserted,
// -n replaces the next one and removes the n that follow it.
type edit struct {
	r     rune
	delta int
}

// apply changes t as edits say. An inserted character came from where the last one used up came from.
func (t text) apply(edits []edit) text {
	a := newAligned(t)
	at := 0
	next := func() {
		if at < len(t.s) {
			_, n := utf8.DecodeRuneInString(t.s[at:])
			at += n
		}
	}
	for _, e := range edits {
		switch {
		case e.delta > 0 && at == 0:
			a.add(e.r, span{t.base, t.base})
		case e.delta > 0:
			a.add(e.r, t.at(at-1))
		case at >= len(t.s):
			a.add(e.r, span{t.base, t.base})
		default:
			a.add(e.r, t.at(at))
			for range 1 - e.delta {
				next()
			}
		}
	}
	return a.text()
}
