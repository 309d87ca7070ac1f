package tokenizers

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots   = 1 << 15
	cacheMaxWord = 48 // bytes; longer words are rare and seldom come again
)

// wordCache remembers how words were tokenized: one slot a hash, the last comer stays. It is bounded (a few MB when
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

func (c *wordCache) slot(word string) *atomic.Pointer[cached] {
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}

// put keeps copies, so that no entry holds on to the text that its word was part of.
func (c *wordCache) put(slot *atomic.Pointer[cached], word string, tokens []token) {
	slot.Store(&cached{word: strings.Clone(word), tokens: append([]token(nil), tokens...)})
}
