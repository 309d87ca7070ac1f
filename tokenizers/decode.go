package tokenizers

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeStep is a step of the decoder: from tokens to tokens, which are joined at the end.
type decodeStep interface {
	// apply may change tokens in place. If lone, the token is to be shown by itself, the blank it begins with included.
	apply(tokens []string, lone bool) []string
}

const decoders = "ByteLevel, WordPiece, BPEDecoder, ByteFallback, Fuse, Strip, Replace, Metaspace, Sequence"

// parseDecoder returns the steps; nil where there is no decoder.
func parseDecoder(data json.RawMessage, depth int) ([]decodeStep, error) {
	if isNull(data) {
		return nil, nil
	}
	cfg := struct {
		Prefix         *string           `json:"prefix"`
		Suffix         *string           `json:"suffix"`
		Cleanup        *bool             `json:"cleanup"`
		Pattern        patternConfig     `json:"pattern"`
		Content        string            `json:"content"`
		Start          int               `json:"start"`
		Stop           int               `json:"stop"`
		Replacement    string            `json:"replacement"`
		PrependScheme  string            `json:"prepend_scheme"`
		AddPrefixSpace *bool             `json:"add_prefix_space"`
		Decoders       []json.RawMessage `json:"decoders"`
	}{}
	kind, err := component("decoder", data, depth, &cfg)
	if err != nil {
		return nil, err
	}
	one := func(f decodeFunc) ([]decodeStep, error) { return []decodeStep{f}, nil }
	switch kind {
	case "ByteLevel":
		return []decodeStep{byteDecoder{}}, nil
	case "WordPiece":
		prefix, cleanup := or(cfg.Prefix, "##"), or(cfg.Cleanup, true)
		return one(func(tokens []string, _ bool) []string { return decodeWordPiece(tokens, prefix, cleanup) })
	case "BPEDecoder":
		suffix := or(cfg.Suffix, "</w>")
		return one(func(tokens []string, lone bool) []string { return decodeSuffix(tokens, suffix, lone) })
	case "ByteFallback":
		return one(decodeFallback)
	case "Fuse":
		return one(func(tokens []string, _ bool) []string { return []string{strings.Join(tokens, "")} })
	case "Strip":
		if utf8.RuneCountInString(cfg.Content) != 1 {
			return nil, fmt.Errorf("decoder Strip: content %q is not one character", cfg.Content)
		}
		return one(func(tokens []string, lone bool) []string {
			start := cfg.Start
			if lone {
				start = 0
			}
			return each(tokens, func(t string) string { return stripContent(t, cfg.Content, start, cfg.Stop) })
		})
	case "Replace":
		r, err := newReplacer(cfg.Pattern, cfg.Content)
		if err != nil {
			return nil, fmt.Errorf("decoder Replace: %w", err)
		}
		return []decodeStep{r}, nil
	case "Metaspace":
		m, err := newMetaspace(cfg.Replacement, cfg.PrependScheme, cfg.AddPrefixSpace)
		if err != nil {
			return nil, fmt.Errorf("decoder Metaspace: %w", err)
		}
		return one(m.decode)
	case "Sequence":
		all := []decodeStep{}
		for _, raw := range cfg.Decoders {
			steps, err := parseDecoder(raw, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, steps...)
		}
		return all, checkGrowth("decoder", all)
	}
	return nil, unsupported("decoder", kind, decoders)
}

type decodeFunc func(tokens []string, lone bool) []string

func (f decodeFunc) apply(tokens []string, lone bool) []string { return f(tokens, lone) }

func each(tokens []string, f func(string) string) []string {
	for i, t := range tokens {
		tokens[i] = f(t)
	}
	return tokens
}

// byteDecoder reads GPT-2's alphabet; a token with any other character stands for itself.
type byteDecoder struct{}

func (byteDecoder) apply(tokens []string, _ bool) []string {
	var b strings.Builder
	for _, t := range tokens {
		if raw, ok := bytesOf(t); ok {
			t = raw
		}
		b.WriteString(t)
	}
	return []string{ValidText(b.String())}
}

// cleanups undo the blanks that tokenization set around punctuation and contractions, one rule after the other.
var cleanups = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func decodeWordPiece(tokens []string, prefix string, cleanup bool) []string {
	for i, t := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(t, prefix); ok {
				t = rest
			} else {
				t = " " + t
			}
		}
		if cleanup {
			for _, c := range cleanups {
				t = strings.ReplaceAll(t, c[0], c[1])
			}
		}
		tokens[i] = t
	}
	return tokens
}

// decodeSuffix makes the mark of a word's end a blank, except at the end of the text.
func decodeSuffix(tokens []string, suffix string, _ bool) []string {
	for i, t := range tokens {
		blank := " "
		if i == len(tokens)-1 {
			blank = ""
		}
		tokens[i] = strings.ReplaceAll(t, suffix, blank)
	}
	return tokens
}

// decodeFallback joins runs of <0x00> to <0xFF>; in a run that is not valid UTF-8 each byte becomes U+FFFD.
func decodeFallback(tokens []string, _ bool) []string {
	var out []string
	var run []byte
	flush := func() {
		if len(run) == 0 {
			return
		}
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, replacement)
			}
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if len(t) == 6 && strings.HasPrefix(t, "<0x") && t[5] == '>' {
			if b, err := strconv.ParseUint(t[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// stripContent drops up to start characters c at the start of t, and up to stop at its end.
func stripContent(t, c string, start, stop int) string {
	for range start {
		rest, ok := strings.CutPrefix(t, c)
		if !ok {
			break
		}
		t = rest
	}
	for range stop {
		rest, ok := strings.CutSuffix(t, c)
		if !ok {
			break
		}
		t = rest
	}
	return t
}

func (m metaspace) decode(tokens []string, lone bool) []string {
	for i, t := range tokens {
		blank := " "
		if i == 0 && m.scheme != "never" && !lone {
			blank = ""
		}
		tokens[i] = strings.ReplaceAll(t, m.replacement, blank)
	}
	return tokens
}
