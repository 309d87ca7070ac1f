package tokenizers

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// runeSet is a set of characters: ascending ranges that neither overlap nor touch.
type runeSet []runeRange

// runeRange is the characters from lo to hi.
type runeRange struct{ lo, hi rune }

var everyRune = runeSet{{0, unicode.MaxRune}}

func setOf(runes ...rune) runeSet {
	var s runeSet
	for _, r := range runes {
		s = append(s, runeRange{r, r})
	}
	return s.tidy()
}

// tidy sorts ranges and joins those that overlap or touch.
func (s runeSet) tidy() runeSet {
	slices.SortFunc(s, func(a, b runeRange) int { return int(a.lo - b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s runeSet) or(other runeSet) runeSet { return slices.Concat(s, other).tidy() }

func (s runeSet) not() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if next < r.lo {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeRange{next, unicode.MaxRune})
	}
	return out
}

func (s runeSet) and(other runeSet) runeSet { return s.not().or(other.not()).not() }

// tableSet is the characters of tables.
func tableSet(tables ...*unicode.RangeTable) runeSet {
	var s runeSet
	for _, t := range tables {
		for _, r := range t.R16 {
			s = s.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			s = s.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return s.tidy()
}

// stride adds every step-th character.
func (s runeSet) stride(lo, hi, step rune) runeSet {
	if step == 1 {
		return append(s, runeRange{lo, hi})
	}
	for r := lo; r <= hi; r += step {
		s = append(s, runeRange{r, r})
	}
	return s
}

// property is \p{name}: a general category of Unicode, of one letter or two, or a script.
func property(name string) (runeSet, error) {
	if t, ok := unicode.Categories[name]; ok && len(name) <= 2 {
		if name == "C" || name == "Cn" { // also what no version has assigned
			assigned := tableSet(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf,
				unicode.Co, unicode.Cs)
			for _, later := range assignedLater {
				assigned = append(assigned, runeRange{later.lo, later.hi})
			}
			none := assigned.tidy().not()
			if name == "Cn" {
				return none, nil
			}
			return none.or(tableSet(unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)), nil
		}
		var in, out runeSet
		for _, later := range assignedLater {
			if r := (runeRange{later.lo, later.hi}); strings.HasPrefix(later.category, name) {
				in = append(in, r)
			} else {
				out = append(out, r)
			}
		}
		return tableSet(t).and(out.not()).or(in), nil
	}
	if t, ok := unicode.Scripts[name]; ok {
		return append(tableSet(t), scriptsLater[name]...).tidy(), nil
	}
	return nil, fmt.Errorf(`\p{%s} is not known`, name)
}

// The shorthands of regular expressions (UTS #18, annex C).
func spaceSet() runeSet { return tableSet(unicode.White_Space) }

func wordSet() runeSet {
	return tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, wordsAdded)
}

// loneWordSet is \w outside of a class, and what \b looks at: Oniguruma takes Latin-1's other numbers for word
// characters there.
func loneWordSet() runeSet { return wordSet().or(setOf('²', '³', '¹', '¼', '½', '¾')) }

// folded adds the other cases of a set's characters.
func (s runeSet) folded() (runeSet, error) {
	out := slices.Clone(s)
	count := 0
	for _, r := range s {
		if count += int(r.hi-r.lo) + 1; count > 1<<11 {
			return nil, fmt.Errorf("a class of so many characters, without regard to case, is not supported")
		}
		for c := r.lo; c <= r.hi; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, runeRange{f, f})
			}
		}
	}
	return out.tidy(), nil
}
