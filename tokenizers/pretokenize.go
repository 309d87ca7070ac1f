package tokenizers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// preTokenizer cuts a text into words, which a model then looks at one by one.
type preTokenizer interface {
	// split calls emit for each word in order; empty ones are left out.
	split(t text, emit func(word text))
}

const preTokenizers = "ByteLevel, BertPreTokenizer, Whitespace, WhitespaceSplit, Digits, Punctuation, Split, " +
	"CharDelimiterSplit, Metaspace, Sequence"

// parsePreTokenizer returns the steps, none where there is no pre-tokenizer.
func parsePreTokenizer(data json.RawMessage, depth int) ([]preTokenizer, error) {
	if isNull(data) {
		return nil, nil
	}
	cfg := struct {
		AddPrefixSpace   *bool             `json:"add_prefix_space"`
		UseRegex         *bool             `json:"use_regex"`
		IndividualDigits bool              `json:"individual_digits"`
		Behavior         string            `json:"behavior"`
		Invert           bool              `json:"invert"`
		Pattern          patternConfig     `json:"pattern"`
		Delimiter        string            `json:"delimiter"`
		Replacement      string            `json:"replacement"`
		PrependScheme    string            `json:"prepend_scheme"`
		Split            *bool             `json:"split"`
		PreTokenizers    []json.RawMessage `json:"pretokenizers"`
	}{}
	kind, err := component("pre_tokenizer", data, depth, &cfg)
	if err != nil {
		return nil, err
	}
	one := func(p preTokenizer) ([]preTokenizer, error) { return []preTokenizer{p}, nil }
	switch kind {
	case "ByteLevel":
		return one(byteLevel{
			prefixSpace: or(cfg.AddPrefixSpace, true),
			regex:       or(cfg.UseRegex, true),
		})
	case "BertPreTokenizer":
		return one(words(splitBERT))
	case "Whitespace":
		return one(cutter{splitter(splitWords), isolated, false}) // blanks are not among its matches
	case "WhitespaceSplit":
		return one(cutter{runes(isSpace), removed, false})
	case "Digits":
		if cfg.IndividualDigits {
			return one(cutter{runes(isNumeric), isolated, false})
		}
		return one(cutter{runes(isNumeric), contiguous, false})
	case "Punctuation":
		if cfg.Behavior == "" {
			cfg.Behavior = "Isolated"
		}
		b, err := parseBehavior(cfg.Behavior)
		if err != nil {
			return nil, err
		}
		return one(cutter{runes(isPunctuation), b, false})
	case "Split":
		p, err := newPattern(cfg.Pattern)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
		}
		b, err := parseBehavior(cfg.Behavior)
		if err != nil {
			return nil, err
		}
		return one(cutter{p, b, cfg.Invert})
	case "CharDelimiterSplit":
		if utf8.RuneCountInString(cfg.Delimiter) != 1 {
			return nil, fmt.Errorf("pre_tokenizer CharDelimiterSplit: delimiter %q is not one character", cfg.Delimiter)
		}
		return one(cutter{literal(cfg.Delimiter), removed, false})
	case "Metaspace":
		m, err := newMetaspace(cfg.Replacement, cfg.PrependScheme, cfg.AddPrefixSpace)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer Metaspace: %w", err)
		}
		m.cut = or(cfg.Split, true)
		return one(m)
	case "Sequence":
		var all []preTokenizer
		for _, raw := range cfg.PreTokenizers {
			steps, err := parsePreTokenizer(raw, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, steps...)
		}
		return all, checkGrowth("pre_tokenizer", all)
	}
	return nil, unsupported("pre_tokenizer", kind, preTokenizers)
}

// runSteps passes a text through all steps.
func runSteps(steps []preTokenizer, t text, emit func(word text)) {
	if len(steps) == 0 {
		if t.s != "" {
			emit(t)
		}
		return
	}
	if len(steps) == 1 {
		steps[0].split(t, emit)
		return
	}
	steps[0].split(t, func(word text) { runSteps(steps[1:], word, emit) })
}

// byteLevel is GPT-2's: its splitting pattern, then its alphabet for bytes.
type byteLevel struct {
	prefixSpace bool // the text begins with a space, or gets one
	regex       bool
	plain       bool // leaves the bytes as they are, for a model that takes them so
}

func (b byteLevel) split(t text, emit func(word text)) {
	if t.s == "" {
		return
	}
	if b.prefixSpace && t.s[0] != ' ' {
		t = prepend(t, " ")
	}
	give := func(i, j int) {
		word := t.slice(i, j)
		if !b.plain {
			word = toByteLevel(word)
		}
		emit(word)
	}
	if b.regex {
		splitGPT2(t.s, give)
	} else {
		give(0, len(t.s))
	}
}

func (b byteLevel) growth() int { return 2 }

// behavior is what becomes of a pattern's matches.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous // neighbouring matches are one
)

func parseBehavior(name string) (behavior, error) {
	names := []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}
	i := slices.Index(names, name)
	if i < 0 {
		return 0, fmt.Errorf("pre_tokenizer: behavior %q is none of %s", name, strings.Join(names, ", "))
	}
	return behavior(i), nil
}

// cutter cuts at the matches of a pattern, or, inverted, at what lies between them.
type cutter struct {
	pattern  pattern
	behavior behavior
	invert   bool
}

func (c cutter) split(t text, emit func(word text)) {
	give := func(i, j int) {
		if i < j {
			emit(t.slice(i, j))
		}
	}
	if !c.invert && c.behavior <= isolated {
		switch f := c.pattern.(type) {
		case splitter:
			if c.behavior == isolated {
				f(t.s, give)
				return
			}
		case *automaton:
			if c.behavior == isolated {
				f.cut(t.s, give)
				return
			}
		case runes:
			done := 0
			for i, r := range t.s {
				if !f(r) {
					continue
				}
				give(done, i)
				done = i + utf8.RuneLen(r)
				if c.behavior == isolated {
					give(i, done)
				}
			}
			give(done, len(t.s))
			return
		}
	}
	all := c.pattern.matches(t.s)
	if c.invert {
		for i := range all {
			all[i].is = !all[i].is
		}
	}
	for _, m := range c.behavior.join(all) {
		if !(m.is && c.behavior == removed) {
			give(m.start, m.end)
		}
	}
}

// join merges stretches as the behavior says.
func (b behavior) join(all []match) []match {
	out := all[:0:0]
	switch b {
	case removed, isolated:
		return all
	case contiguous:
		for i, m := range all {
			if i > 0 && m.is == all[i-1].is {
				out[len(out)-1].end = m.end
				continue
			}
			out = append(out, m)
		}
	case mergedWithPrevious:
		for i, m := range all {
			if i > 0 && m.is && !all[i-1].is {
				out[len(out)-1].end = m.end
				continue
			}
			out = append(out, m)
		}
	case mergedWithNext:
		for i := len(all) - 1; i >= 0; i-- {
			if i < len(all)-1 && all[i].is && !all[i+1].is {
				out[len(out)-1].start = all[i].start
				continue
			}
			out = append(out, all[i])
		}
		slices.Reverse(out)
	}
	return out
}

// metaspace is SentencePiece's: blanks become a visible character, which begins words.
type metaspace struct {
	replacement string
	scheme      string // always, first or never puts one before the text
	cut         bool
}

func newMetaspace(replacement, scheme string, prefixSpace *bool) (metaspace, error) {
	m := metaspace{replacement: replacement, scheme: scheme}
	if m.replacement == "" {
		m.replacement = "▁"
	}
	if m.scheme == "" {
		m.scheme = "always"
		if !or(prefixSpace, true) {
			m.scheme = "never"
		}
	}
	if utf8.RuneCountInString(m.replacement) != 1 {
		return m, fmt.Errorf("replacement %q is not one character", m.replacement)
	}
	if !slices.Contains([]string{"always", "first", "never"}, m.scheme) {
		return m, fmt.Errorf("prepend_scheme %q is none of always, first, never", m.scheme)
	}
	return m, nil
}

func (m metaspace) split(t text, emit func(word text)) {
	t = replace(t, literal(" "), m.replacement)
	if (m.scheme == "always" || m.scheme == "first" && t.base == 0) && !strings.HasPrefix(t.s, m.replacement) {
		t = prepend(t, m.replacement)
	}
	if m.cut {
		cutter{literal(m.replacement), mergedWithNext, false}.split(t, emit)
	} else if t.s != "" {
		emit(t)
	}
}

// words is a way to cut a text into words, one after the other; what lies between them is dropped.
type words func(s string, emit func(i, j int))

func (w words) split(t text, emit func(word text)) {
	w(t.s, func(i, j int) { emit(t.slice(i, j)) })
}

// bertClass tells ASCII's characters apart: blanks, punctuation and the rest.
var bertClass = func() (table [utf8.RuneSelf]class) {
	for b := range table {
		table[b] = bertClassOf(rune(b))
	}
	return table
}()

// classPunctuation stands beside classSpace and classOther for BERT.
const classPunctuation = classNumber

func bertClassOf(r rune) class {
	switch {
	case isSpace(r):
		return classSpace
	case isPunctuation(r):
		return classPunctuation
	}
	return classOther
}

// splitBERT calls emit for each stretch without blanks and punctuation, and for each character of punctuation.
func splitBERT(s string, emit func(i, j int)) {
	start := 0
	for i := 0; i < len(s); {
		c, n := classOther, 1
		if s[i] < utf8.RuneSelf {
			c = bertClass[s[i]]
		} else {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			c = bertClassOf(r)
		}
		if c != classOther {
			if start < i {
				emit(start, i)
			}
			if c == classPunctuation {
				emit(i, i+n)
			}
			start = i + n
		}
		i += n
	}
	if start < len(s) {
		emit(start, len(s))
	}
}

// splitWords calls emit for each match of \w+|[^\w\s]+.
func splitWords(s string, emit func(i, j int)) {
	start, was := 0, 0
	for i, r := range s {
		is := 0 // blank
		switch {
		case isWord(r):
			is = 1
		case !isSpace(r):
			is = 2
		}
		if is != was {
			if was != 0 {
				emit(start, i)
			}
			start, was = i, is
		}
	}
	if was != 0 {
		emit(start, len(s))
	}
}
