package tokenizers

import (
	"fmt"
	"unicode/utf8"
)

// wordPiece takes the longest vocabulary entry from the left, again and again (Devlin et al. 2019). Entries that do not
// begin a word carry a prefix, ## as published. A word with a part that has no entry is unknown as a whole.
type wordPiece struct {
	start, inner map[string]int // entries by spelling, the inner ones without their prefix
	longest      int            // bytes of the longest entry
	maxChars     int            // longer words are unknown
	unkToken     string
	unkID        int
	cache        *wordCache
}

func newWordPiece(cfg modelConfig, vocab map[string]int) (*wordPiece, error) {
	unkToken := or(cfg.UnkToken, "[UNK]")
	unk, ok := vocab[unkToken]
	if !ok {
		return nil, fmt.Errorf("model WordPiece: its unknown token %q is not in the vocabulary", unkToken)
	}
	m := &wordPiece{
		start:    vocab,
		inner:    make(map[string]int),
		maxChars: or(cfg.MaxInputCharsPerWord, 100),
		unkToken: unkToken,
		unkID:    unk,
		cache:    newWordCache(),
	}
	prefix := or(cfg.ContinuingSubwordPrefix, "##")
	for entry, id := range vocab {
		m.longest = max(m.longest, len(entry))
		if len(entry) > len(prefix) && entry[:len(prefix)] == prefix {
			m.inner[entry[len(prefix):]] = id
		}
	}
	return m, nil
}

func (m *wordPiece) unknown() string { return m.unkToken }

func (m *wordPiece) tokenize(word string, buf []token) []token {
	return m.cache.tokenize(word, buf, m.split)
}

func (m *wordPiece) split(word string, dst []token) []token {
	unknown := token{int32(m.unkID), 0, int32(len(word))}
	if len(word) > m.maxChars && utf8.RuneCountInString(word) > m.maxChars {
		return append(dst, unknown)
	}
	n := len(dst)
	entries := m.start
	for at := 0; at < len(word); {
		end := len(word)
		if end > at+m.longest {
			for end = at + m.longest; !utf8.RuneStart(word[end]); end-- {
			}
		}
		id, found := 0, false
		for end > at {
			if id, found = entries[word[at:end]]; found {
				break
			}
			_, size := utf8.DecodeLastRuneInString(word[at:end])
			end -= size
		}
		if !found {
			return append(dst[:n], unknown)
		}
		dst = append(dst, token{int32(id), int32(at), int32(end)})
		at = end
		entries = m.inner
	}
	return dst
}
