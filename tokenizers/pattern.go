package tokenizers

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// match is a stretch of a text: a match of a pattern (is), or what lies between matches.
type match struct {
	start, end int
	is         bool
}

// pattern cuts a text into its matches and what lies between; together they are the whole text.
type pattern interface{ matches(s string) []match }

// patternConfig is {"String": s}, {"Regex": s}, or a plain string.
type patternConfig struct {
	String *string
	Regex  *string
}

// newPattern chooses the splitter written for a published pattern, else an automaton.
func newPattern(cfg patternConfig) (pattern, error) {
	if cfg.String != nil {
		return literal(*cfg.String), nil
	}
	if cfg.Regex == nil {
		return nil, fmt.Errorf(`a pattern is neither {"String": …} nor {"Regex": …}`)
	}
	const (
		gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
		fold = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
		rest = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	)
	switch *cfg.Regex {
	case gpt2, `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:
		return splitter(splitGPT2), nil
	case fold + `\p{N}{1,3}` + rest:
		return splitter(func(s string, emit func(i, j int)) { splitLlama3(s, 3, emit) }), nil
	case fold + `\p{N}` + rest:
		return splitter(func(s string, emit func(i, j int)) { splitLlama3(s, 1, emit) }), nil
	}
	a, err := compileRegex(*cfg.Regex)
	if err != nil {
		return nil, fmt.Errorf("pattern %q is not supported: %w", *cfg.Regex, err)
	}
	return a, nil
}

type literal string

func (l literal) matches(s string) []match {
	if l == "" {
		return between(s, nil)
	}
	var found [][]int
	for at := 0; ; {
		i := strings.Index(s[at:], string(l))
		if i < 0 {
			return between(s, found)
		}
		found = append(found, []int{at + i, at + i + len(l)})
		at += i + len(l)
	}
}

// splitter is a pattern whose matches leave nothing between that is wanted.
type splitter func(s string, emit func(i, j int))

func (f splitter) matches(s string) []match {
	var out []match
	f(s, func(i, j int) { out = append(out, match{i, j, true}) })
	return out
}

// runes is a pattern of single characters.
type runes func(r rune) bool

func (f runes) matches(s string) []match {
	var found [][]int
	for i, r := range s {
		if f(r) {
			found = append(found, []int{i, i + utf8.RuneLen(r)})
		}
	}
	return between(s, found)
}

// between adds what lies between matches.
func between(s string, found [][]int) []match {
	out := make([]match, 0, 2*len(found)+1)
	at := 0
	for _, f := range found {
		if at < f[0] {
			out = append(out, match{at, f[0], false})
		}
		out = append(out, match{f[0], f[1], true})
		at = f[1]
	}
	if at < len(s) {
		out = append(out, match{at, len(s), false})
	}
	return out
}
