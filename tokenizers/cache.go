package tokenizers

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots   = 1 << 16
	cacheMaxWord = 48 // bytes; longer words are rare and seldom come again
)

// wordCache remembers how words were tokenized: one slot a hash, the last comer stays. It is bounded (some MB when
// full), and safe for concurrent use without locks, since entries never change.
type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cached]
}

type cached struct {
	word   string
	tokens []token
}

func newWordCache() *wordCache {
	return &wordCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[cached], cacheSlots)}
}

// tokenize is split's answer for word, remembered or new. A remembered one is shared: it must not be changed.
func (c *wordCache) tokenize(word string, buf []token, split func(word string, dst []token) []token) []token {
	if len(word) > cacheMaxWord {
		return split(word, buf[:0])
	}
	slot := &c.slots[maphash.String(c.seed, word)%cacheSlots]
	if hit := slot.Load(); hit != nil && hit.word == word {
		return hit.tokens
	}
	// Copies, so that no entry holds on to the text that its word was part of.
	entry := &cached{word: strings.Clone(word), tokens: slices.Clone(split(word, buf[:0]))}
	slot.Store(entry)
	return entry.tokens
}
