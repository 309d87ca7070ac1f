package tokenizers

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// formNormalizer is one of Unicode's normalization forms (UAX #15). It is written out, though golang.org/x/text has
// the forms, since the alignment with the original is needed and no character may be inserted into long runs of marks;
// the tables are that package's, less what came after Unicode 9.
type formNormalizer struct{ compat, compose bool }

// settled is the first lead byte of a character that the form may change: all below U+0300 is in NFC, below U+00C0 in
// NFD, below U+00A0 in the compatibility forms.
func (f formNormalizer) settled() byte {
	switch {
	case f.compat:
		return 0xC2
	case f.compose:
		return 0xCC
	}
	return 0xC3
}

// normalize works on stretches of characters that the form may change, with the character before each: what follows a
// stretch neither moves nor composes with it.
func (f formNormalizer) normalize(t text) text {
	limit := f.settled()
	var a *aligned
	done := 0
	for at := 0; at < len(t.s); {
		if t.s[at] < limit && t.s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, n := utf8.DecodeRuneInString(t.s[at:])
		if t.s[at] < limit {
			at += n
			continue
		}
		start, end := at, at+n
		if start > 0 {
			_, before := utf8.DecodeLastRuneInString(t.s[:start])
			start -= before
		}
		for end < len(t.s) && t.s[end] >= limit {
			_, n = utf8.DecodeRuneInString(t.s[end:])
			end += n
		}
		at = end
		edits := f.decompose(t.s[start:end])
		if f.compose {
			edits = compose(edits)
		}
		if unchanged(t.s[start:end], edits) {
			continue
		}
		if a == nil {
			a = newAligned(t)
		}
		a.copy(t, done, start)
		a.apply(t, start, end, edits)
		done = end
	}
	if a == nil {
		return t
	}
	a.copy(t, done, len(t.s))
	return a.text()
}

func unchanged(s string, edits []edit) bool {
	i := 0
	for _, r := range s {
		if i == len(edits) || edits[i] != (edit{r, 0}) {
			return false
		}
		i++
	}
	return i == len(edits)
}

// decompose is the full decomposition of s in canonical order.
func (f formNormalizer) decompose(s string) []edit {
	out := make([]edit, 0, len(s))
	form := norm.NFC
	if f.compat {
		form = norm.NFKC
	}
	marks := 0 // how many characters at the end of out are marks
	sortMarks := func() {
		if marks > 1 {
			slices.SortStableFunc(out[len(out)-marks:], func(a, b edit) int {
				return int(combiningClass(a.r)) - int(combiningClass(b.r))
			})
		}
		marks = 0
	}
	add := func(r rune, delta int) {
		if r >= 0x300 && combiningClass(r) > 0 {
			marks++
		} else {
			sortMarks()
		}
		out = append(out, edit{r, delta})
	}
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			add(rune(s[i]), 0)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		delta := 0
		if hangulBase <= r && r < hangulEnd {
			k := r - hangulBase
			add(hangulL+k/(hangulV1*hangulT1), 0)
			add(hangulV+k%(hangulV1*hangulT1)/hangulT1, 1)
			if last := k % hangulT1; last != 0 {
				add(hangulT+last, 1)
			}
		} else if parts := form.PropertiesString(s[i : i+n]).Decomposition(); parts != nil && !unicode.Is(unicodeLater, r) {
			for len(parts) > 0 {
				d, size := utf8.DecodeRune(parts)
				add(d, delta)
				delta = 1
				parts = parts[size:]
			}
		} else {
			add(r, 0)
		}
		i += n
	}
	sortMarks()
	return out
}

// Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
const (
	hangulBase = 0xAC00
	hangulEnd  = 0xD7A4
	hangulL    = 0x1100
	hangulV    = 0x1161
	hangulT    = 0x11A7
	hangulL1   = 19
	hangulV1   = 21
	hangulT1   = 28
)

func combiningClass(r rune) uint8 {
	if unicode.Is(unicodeLater, r) {
		return 0
	}
	var buf [utf8.UTFMax]byte
	return norm.NFC.Properties(buf[:utf8.EncodeRune(buf[:], r)]).CCC()
}

// compose joins a starter with each following character that is not blocked from it, where the pair has a composite.
func compose(in []edit) []edit {
	out := make([]edit, 0, len(in))
	starter := -1    // in out
	last := uint8(0) // combining class of what was kept last after the starter; 0: nothing
	for _, e := range in {
		c := uint8(0)
		if e.r >= 0x300 {
			c = combiningClass(e.r)
		}
		if starter >= 0 && (last == 0 || last < c) {
			if r, ok := composite(out[starter].r, e.r); ok {
				out[starter] = edit{r, out[starter].delta + e.delta - 1}
				continue
			}
		}
		out = append(out, e)
		if c == 0 {
			starter, last = len(out)-1, 0
			continue
		}
		last = c
	}
	return slices.Clip(out)
}

// composite is the character that a and b compose to.
func composite(a, b rune) (rune, bool) {
	if b < 0x300 {
		return 0, false
	}
	if hangulL <= a && a < hangulL+hangulL1 && hangulV <= b && b < hangulV+hangulV1 {
		return hangulBase + ((a-hangulL)*hangulV1+b-hangulV)*hangulT1, true
	}
	if hangulBase <= a && a < hangulEnd && (a-hangulBase)%hangulT1 == 0 && hangulT < b && b < hangulT+hangulT1 {
		return a + b - hangulT, true
	}
	var buf, dst [4 * utf8.UTFMax]byte
	pair := utf8.AppendRune(utf8.AppendRune(buf[:0], a), b)
	joined := norm.NFC.Append(dst[:0], pair...)
	if r, n := utf8.DecodeRune(joined); n == len(joined) && n > 0 && !unicode.Is(unicodeLater, r) {
		return r, true
	}
	return 0, false
}
