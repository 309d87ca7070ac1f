package tokenizers

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

const (
	cacheSlots    = 1 << 16
	cacheBits     = 16
	cacheMaxWord  = 48 // bytes; longer words are rare and seldom come again
	shortWord     = 15 // bytes that fit two machine words with their number
	shortTokens   = 3
	longSlots     = 1 << 13
	goldenRatio64 = 0x9E3779B97F4A7C15
)

// wordCache remembers how words were tokenized: one slot a hash, the last comer stays. It is bounded (some MB when
// full), and safe for concurrent use without locks, since entries never change. Short words of few tokens, nearly all,
// have entries of one line of the processor's cache.
type wordCache struct {
	short []atomic.Pointer[shortEntry]
	long  []atomic.Pointer[longEntry]
	seed  maphash.Seed
}

type shortEntry struct {
	key    shortKey
	n      int32
	whole  bool // no token begins or ends within a character
	tokens [shortTokens]token
}

type longEntry struct {
	word   string
	tokens []token
}

func newWordCache() *wordCache {
	return &wordCache{
		short: make([]atomic.Pointer[shortEntry], cacheSlots), long: make([]atomic.Pointer[longEntry], longSlots),
		seed: maphash.MakeSeed(),
	}
}

// shortKey is a word of up to 15 bytes: they, and their number on top.
type shortKey struct{ lo, hi uint64 }

func keyOf(word string) shortKey {
	n := len(word)
	k := shortKey{hi: uint64(n) << 56}
	switch {
	case n > 8:
		k.lo = load64(word)
		k.hi |= load64(word[n-8:]) >> (8 * (16 - n))
	case n == 8:
		k.lo = load64(word)
	case n >= 4:
		k.lo = load32(word) | load32(word[n-4:])<<(8*(n-4))
	default:
		for i := n - 1; i >= 0; i-- {
			k.lo = k.lo<<8 | uint64(word[i])
		}
	}
	return k
}

func load64(s string) uint64 { return load32(s) | load32(s[4:])<<32 }

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

func (k shortKey) slot() uint64 {
	h := (k.lo ^ k.hi*goldenRatio64) * goldenRatio64
	return (h ^ h>>29) * goldenRatio64 >> (64 - cacheBits)
}

// known is the entry of a short word, nil if there is none.
func (c *wordCache) known(word string) *shortEntry {
	if len(word) > shortWord {
		return nil
	}
	key := keyOf(word)
	if e := c.short[key.slot()].Load(); e != nil && e.key == key {
		return e
	}
	return nil
}

// tokenize is split's answer for word, remembered or new. A remembered one is shared: it must not be changed.
func (c *wordCache) tokenize(word string, buf []token, split func(word string, dst []token) []token) []token {
	if e := c.known(word); e != nil {
		return e.tokens[:e.n]
	}
	if len(word) > cacheMaxWord {
		return split(word, buf[:0])
	}
	var slot *atomic.Pointer[longEntry]
	if len(word) > shortWord {
		slot = &c.long[maphash.String(c.seed, word)%longSlots]
		if hit := slot.Load(); hit != nil && hit.word == word {
			return hit.tokens
		}
	}
	tokens := split(word, buf[:0])
	switch {
	case slot != nil:
		// Copies, so that no entry holds on to the text that its word was part of.
		slot.Store(&longEntry{word: strings.Clone(word), tokens: slices.Clone(tokens)})
	case len(tokens) <= shortTokens:
		e := &shortEntry{key: keyOf(word), n: int32(len(tokens)), whole: true}
		copy(e.tokens[:], tokens)
		for _, t := range tokens {
			e.whole = e.whole && borders(word, int(t.start)) && borders(word, int(t.end))
		}
		c.short[e.key.slot()].Store(e)
	}
	return tokens
}

// borders says whether place i of word is no place within a character.
func borders(word string, i int) bool { return i == len(word) || utf8.RuneStart(word[i]) }
