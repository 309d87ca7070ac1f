package tokenizers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalizer rewrites a text before it is split.
type normalizer interface{ normalize(t text) text }

const normalizers = "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, " +
	"ByteLevel, Nmt, Precompiled, Sequence"

// parseNormalizer returns nil where there is none.
func parseNormalizer(data json.RawMessage, depth int) (normalizer, error) {
	if isNull(data) {
		return nil, nil
	}
	cfg := struct {
		CleanText     *bool             `json:"clean_text"`
		HandleChinese *bool             `json:"handle_chinese_chars"`
		StripAccents  *bool             `json:"strip_accents"`
		Lowercase     *bool             `json:"lowercase"`
		StripLeft     bool              `json:"strip_left"`
		StripRight    bool              `json:"strip_right"`
		Pattern       patternConfig     `json:"pattern"`
		Content       string            `json:"content"`
		Prepend       string            `json:"prepend"`
		CharsMap      charsMap          `json:"precompiled_charsmap"`
		Normalizers   []json.RawMessage `json:"normalizers"`
	}{}
	kind, err := component("normalizer", data, depth, &cfg)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "BertNormalizer":
		low := or(cfg.Lowercase, true)
		return bertNormalizer{or(cfg.CleanText, true), or(cfg.HandleChinese, true), or(cfg.StripAccents, low), low}, nil
	case "NFC", "NFD", "NFKC", "NFKD":
		return formNormalizer{compat: kind[2] == 'K', compose: kind[len(kind)-1] == 'C'}, nil
	case "Lowercase":
		return normalizerFunc(lowercase), nil
	case "StripAccents":
		return normalizerFunc(func(t text) text { return t.keep(func(r rune) bool { return !isMark(r) }) }), nil
	case "Strip":
		return normalizerFunc(func(t text) text { return strip(t, cfg.StripLeft, cfg.StripRight) }), nil
	case "Replace":
		return newReplacer(cfg.Pattern, cfg.Content)
	case "Prepend":
		return normalizerFunc(func(t text) text { return prepend(t, cfg.Prepend) }), nil
	case "ByteLevel":
		return byteNormalizer{}, nil
	case "Nmt":
		return normalizerFunc(nmt), nil
	case "Precompiled":
		p, err := newPrecompiled(cfg.CharsMap)
		if err != nil {
			return nil, fmt.Errorf("normalizer Precompiled: %w", err)
		}
		return p, nil
	case "Sequence":
		var all sequenceNormalizer
		for _, raw := range cfg.Normalizers {
			n, err := parseNormalizer(raw, depth+1)
			if err != nil {
				return nil, err
			}
			if n != nil {
				all = append(all, n)
			}
		}
		return all, checkGrowth("normalizer", all)
	}
	return nil, unsupported("normalizer", kind, normalizers)
}

type normalizerFunc func(t text) text

func (f normalizerFunc) normalize(t text) text { return f(t) }

type sequenceNormalizer []normalizer

func (all sequenceNormalizer) normalize(t text) text {
	for _, n := range all {
		t = n.normalize(t)
	}
	return t
}

func (all sequenceNormalizer) growth() int {
	total := 1
	for _, n := range all {
		if g, ok := n.(growing); ok {
			total *= g.growth()
		}
	}
	return total
}

// byteNormalizer writes a text in GPT-2's alphabet.
type byteNormalizer struct{}

func (byteNormalizer) normalize(t text) text { return toByteLevel(t) }

func (byteNormalizer) growth() int { return 2 }

// bertNormalizer is BERT's BasicTokenizer up to the splitting.
type bertNormalizer struct{ clean, chinese, accents, lower bool }

func (b bertNormalizer) normalize(t text) text {
	if out, ok := b.ascii(t); ok {
		return out
	}
	if b.clean {
		t = cleanText(t)
	}
	if b.chinese {
		t = spaceChinese(t)
	}
	if b.accents {
		t = formNormalizer{}.normalize(t).keep(func(r rune) bool { return !isAccent(r) })
	}
	if b.lower {
		t = lowercase(t)
	}
	return t
}

// ascii is normalize for a text of ASCII of which nothing is dropped, as most of them are: characters keep their
// places, so one pass does.
func (b bertNormalizer) ascii(t text) (text, bool) {
	var out []byte // nil as long as nothing changed
	for i := range len(t.s) {
		c := t.s[i]
		if c >= utf8.RuneSelf || b.clean && isControl(rune(c)) {
			return t, false
		}
		to := c
		switch {
		case b.clean && (c == '\t' || c == '\n' || c == '\r'):
			to = ' '
		case b.lower && 'A' <= c && c <= 'Z':
			to = c + 'a' - 'A'
		}
		if to != c && out == nil {
			out = []byte(t.s)
		}
		if out != nil {
			out[i] = to
		}
	}
	if out != nil {
		t.s = string(out)
	}
	return t, true
}

// cleanText drops control characters and U+FFFD, and makes every blank a space.
func cleanText(t text) text {
	clean := func(r rune) bool { return r != 0 && r != utf8.RuneError && !isControl(r) }
	return t.keep(clean).mapRunes(func(r rune) rune {
		if isSpace(r) {
			return ' '
		}
		return r
	})
}

// spaceChinese sets a space on either side of Chinese characters.
func spaceChinese(t text) text {
	if strings.IndexFunc(t.s, isChinese) < 0 {
		return t
	}
	a := newAligned(t)
	for i, r := range t.s {
		sp := t.at(i)
		if isChinese(r) {
			a.add(' ', sp)
			a.add(r, sp)
			a.add(' ', sp)
			continue
		}
		a.add(r, sp)
	}
	return a.text()
}

func lowercase(t text) text {
	if !strings.ContainsRune(t.s, 'İ') {
		return t.mapRunes(unicode.ToLower)
	}
	a := newAligned(t)
	for i, r := range t.s {
		sp := t.at(i)
		if r == 'İ' { // the one character with two in lower case (SpecialCasing.txt)
			a.add('i', sp)
			a.add('\u0307', sp)
			continue
		}
		a.add(unicode.ToLower(r), sp)
	}
	return a.text()
}

// nmt is what SentencePiece does for machine translation: control characters are dropped, other blanks and what is not
// seen become spaces.
func nmt(t text) text {
	return t.keep(func(r rune) bool {
		return !(0x01 <= r && r <= 0x08 || r == 0x0B || 0x0E <= r && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
	}).mapRunes(func(r rune) rune {
		switch r {
		case '\t', '\n', '\f', '\r', 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
			return ' '
		}
		return r
	})
}

// strip drops blanks at the ends.
func strip(t text, left, right bool) text {
	i, j := 0, len(t.s)
	if right {
		j = blankStart(t.s)
	}
	if left {
		i = min(runEnd(t.s, 0, classSpace), j)
	}
	return t.slice(i, j)
}

// prepend puts s before a text that is not empty; it counts as part of the first character.
func prepend(t text, s string) text {
	if t.s == "" || s == "" {
		return t
	}
	a := newAligned(t)
	sp := t.at(0)
	for _, r := range s {
		a.add(r, sp)
	}
	a.copy(t, 0, len(t.s))
	return a.text()
}

// replace writes content for each match of p; it counts as the match's last character.
func replace(t text, p pattern, content string) text {
	matches := p.matches(t.s)
	if !slices.ContainsFunc(matches, func(m match) bool { return m.is }) {
		return t
	}
	a := newAligned(t)
	for _, m := range matches {
		if !m.is {
			a.copy(t, m.start, m.end)
			continue
		}
		sp := span{int32(t.base), int32(t.base)}
		if m.end > 0 {
			sp = t.at(m.end - 1)
		}
		for _, r := range content {
			a.add(r, sp)
		}
	}
	return a.text()
}
