package tokenizers

import (
	"fmt"
	"math"
	"sync"
	"unicode/utf8"
)

// token is a vocabulary entry found in a word, at bytes [start, end) of it.
type token struct{ id, start, end int32 }

// model splits a word, which the pre-tokenizer made, into vocabulary entries.
type model interface {
	// tokenize is the word's tokens, in buf if that is large enough or in memory that others read too.
	tokenize(word string, buf []token) []token
	// unknown is how the file spells the entry for what the vocabulary lacks; empty if it has none.
	unknown() string
}

// bpe is byte-pair encoding (Sennrich et al. 2016): starting from characters, or bytes (Radford et al. 2019), the
// neighbours whose merge was learned first are merged until no merge is left.
type bpe struct {
	vocab  map[string]int
	merges *mergeTable
	cache  *wordCache

	unkToken     string
	unkID        int // -1: none
	fuseUnk      bool
	byteFallback bool
	ignoreMerges bool
	prefix       string // of symbols that do not begin a word
	suffix       string // of the symbol that ends a word

	// In byte-level mode words are plain bytes, not GPT-2's alphabet; words is the vocabulary so spelled.
	byteLevel bool
	byteID    [256]int32
	words     map[string]int

	insideOnce sync.Once
	inside     bytePairs
}

// merge is a learned merge: the earlier learned, the lower its rank.
type merge struct{ rank, id int32 }

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

func newBPE(cfg modelConfig, vocab map[string]int, pairs [][2]string) (*bpe, error) {
	m := &bpe{
		vocab:        vocab,
		merges:       newMergeTable(len(pairs)),
		cache:        newWordCache(),
		unkToken:     or(cfg.UnkToken, ""),
		unkID:        -1,
		fuseUnk:      cfg.FuseUnk,
		byteFallback: cfg.ByteFallback,
		ignoreMerges: cfg.IgnoreMerges,
		prefix:       or(cfg.ContinuingSubwordPrefix, ""),
		suffix:       cfg.EndOfWordSuffix,
	}
	if cfg.Dropout != 0 {
		return nil, fmt.Errorf("model BPE asks for dropout %g, which makes encoding random: set it to null", cfg.Dropout)
	}
	if id, ok := m.vocab[m.unkToken]; ok && m.unkToken != "" {
		m.unkID = id
	}
	skip := utf8.RuneCountInString(m.prefix) // characters counted, bytes cut: as the reference library does
	for rank, pair := range pairs {
		a, okA := m.vocab[pair[0]]
		b, okB := m.vocab[pair[1]]
		if !okA || !okB || len(pair[1]) < skip {
			return nil, fmt.Errorf("model BPE, merge %d: %q and %q are not both in the vocabulary", rank, pair[0], pair[1])
		}
		id, ok := m.vocab[pair[0]+pair[1][skip:]]
		if !ok {
			return nil, fmt.Errorf("model BPE, merge %d: its result %q is not in the vocabulary", rank, pair[0]+pair[1][skip:])
		}
		m.merges.set(int32(a), int32(b), merge{rank: int32(rank), id: int32(id)})
	}
	return m, nil
}

// made are the entries that words can be split into: bytes and what merges give.
func (m *bpe) made() map[int]bool {
	made := make(map[int]bool, len(m.merges.slots)/2)
	for _, r := range byteRune {
		if id, ok := m.vocab[string(r)]; ok {
			made[id] = true
		}
	}
	for _, s := range m.merges.slots {
		if s.key != 0 {
			made[int(s.value.id)] = true
		}
	}
	return made
}

func (m *bpe) unknown() string { return m.unkToken }

// useBytes switches to byte-level mode, and tells whether the vocabulary allows it: that every byte has an entry, and
// no option acts on characters.
func (m *bpe) useBytes() bool {
	if m.prefix != "" || m.suffix != "" {
		return false
	}
	for b, r := range byteRune {
		id, ok := m.vocab[string(r)]
		if !ok {
			return false
		}
		m.byteID[b] = int32(id)
	}
	m.byteLevel = true
	if m.ignoreMerges {
		m.words = make(map[string]int, len(m.vocab))
		for entry, id := range m.vocab {
			if raw, ok := bytesOf(entry); ok {
				m.words[raw] = id
			}
		}
	}
	return true
}

func (m *bpe) tokenize(word string, buf []token) []token { return m.cache.tokenize(word, buf, m.split) }

func (m *bpe) split(word string, dst []token) []token {
	if word == "" {
		return dst
	}
	if m.ignoreMerges {
		entries := m.vocab
		if m.byteLevel {
			entries = m.words
		}
		if id, ok := entries[word]; ok {
			return append(dst, token{int32(id), 0, int32(len(word))})
		}
	}
	if m.byteLevel && len(word) > longWord {
		return m.splitLong(word, dst)
	}
	return m.merge(word, 0, dst)
}

// longWord is from how many bytes on a word is looked at for places that no token reaches over.
const longWord = 256

// splitLong splits a long word part by part: no token holds two bytes beside each other between which it is cut.
func (m *bpe) splitLong(word string, dst []token) []token {
	inside := m.pairsInside()
	start := 0
	for i := 1; i < len(word); i++ {
		if pair := uint(word[i-1])<<8 | uint(word[i]); inside[pair>>6]>>(pair&63)&1 == 0 {
			dst = m.merge(word[start:i], int32(start), dst)
			start = i
		}
	}
	return m.merge(word[start:], int32(start), dst)
}

// bytePairs is a set of two bytes each.
type bytePairs [1 << 16 / 64]uint64

// pairsInside are the bytes that stand beside each other in any entry that merges make.
func (m *bpe) pairsInside() *bytePairs {
	m.insideOnce.Do(func() {
		last := make(map[int32]byte, len(m.vocab)) // byte of an entry, and its first
		first := make(map[int32]byte, len(m.vocab))
		for entry, id := range m.vocab {
			if raw, ok := bytesOf(entry); ok && raw != "" {
				first[int32(id)], last[int32(id)] = raw[0], raw[len(raw)-1]
			}
		}
		for _, s := range m.merges.slots {
			if s.key != 0 {
				a, b := int32((s.key-1)>>32), int32(s.key-1)
				pair := uint(last[a])<<8 | uint(first[b])
				m.inside[pair>>6] |= 1 << (pair & 63)
			}
		}
	})
	return &m.inside
}

// merge splits a word, or a part of one that begins at byte at.
func (m *bpe) merge(word string, at int32, dst []token) []token {
	symbols := m.symbols(word)
	if len(symbols) <= 32 {
		symbols = m.mergeShort(symbols)
	} else {
		symbols = m.mergeLong(symbols)
	}
	for _, s := range symbols {
		dst = append(dst, token{s.id, at, at + s.len})
		at += s.len
	}
	return dst
}

// symbol is a vocabulary entry and the bytes of the word it covers.
type symbol struct{ id, len int32 }

// symbols is what merging starts from.
func (m *bpe) symbols(word string) []symbol {
	out := make([]symbol, 0, len(word))
	if m.byteLevel {
		for i := range len(word) {
			out = append(out, symbol{m.byteID[word[i]], 1})
		}
		return out
	}
	unk := symbol{} // an unknown stretch not yet written; len 0: none
	flush := func() {
		if unk.len > 0 {
			out = append(out, unk)
			unk = symbol{}
		}
	}
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		s := word[i : i+n]
		if i > 0 {
			s = m.prefix + s
		}
		if i+n == len(word) {
			s += m.suffix
		}
		i += n
		if id, ok := m.vocab[s]; ok {
			flush()
			out = append(out, symbol{int32(id), int32(n)})
			continue
		}
		if m.byteFallback {
			if ids, ok := byteTokens(m.vocab, s); ok {
				for _, id := range ids {
					out = append(out, symbol{id, 1})
				}
				continue
			}
		}
		if m.unkID >= 0 {
			if !m.fuseUnk {
				flush()
			}
			unk = symbol{int32(m.unkID), unk.len + int32(n)}
		}
	}
	flush()
	return out
}

const noRank = math.MaxInt32

func (m *bpe) rank(a, b int32) merge { return m.merges.get(a, b) }

// mergeShort looks for the best pair anew after each merge: quadratic, and fastest for words as they mostly are.
func (m *bpe) mergeShort(symbols []symbol) []symbol {
	var buf [32]merge // buf[i] is the merge of symbols i and i+1
	ranks := buf[:max(len(symbols)-1, 0)]
	for i := range ranks {
		ranks[i] = m.rank(symbols[i].id, symbols[i+1].id)
	}
	for {
		best, at := int32(noRank), -1
		for i, r := range ranks {
			if r.rank < best {
				best, at = r.rank, i
			}
		}
		if at < 0 {
			return symbols
		}
		symbols[at] = symbol{ranks[at].id, symbols[at].len + symbols[at+1].len}
		symbols = append(symbols[:at+1], symbols[at+2:]...)
		ranks = append(ranks[:at], ranks[at+1:]...)
		if at < len(ranks) {
			ranks[at] = m.rank(symbols[at].id, symbols[at+1].id)
		}
		if at > 0 {
			ranks[at-1] = m.rank(symbols[at-1].id, symbols[at].id)
		}
	}
}

// mergeLong keeps the pairs in a heap and the symbols in a linked list: n log n for any word.
func (m *bpe) mergeLong(symbols []symbol) []symbol {
	n := len(symbols)
	l := linked{
		symbols: symbols,
		prev:    make([]int32, n),
		next:    make([]int32, n),
		pair:    make([]merge, n),
	}
	for i := range symbols {
		l.prev[i], l.next[i] = int32(i-1), int32(i+1)
	}
	l.next[n-1] = -1
	for i := range symbols {
		l.rate(m, int32(i))
	}
	for len(l.heap) > 0 {
		c := l.pop()
		i := c.at()
		if l.symbols[i].len == 0 || l.pair[i].rank != c.rank() {
			continue // gone, or another pair by now
		}
		j := l.next[i]
		l.symbols[i] = symbol{l.pair[i].id, l.symbols[i].len + l.symbols[j].len}
		l.symbols[j].len = 0
		l.next[i] = l.next[j]
		if k := l.next[i]; k >= 0 {
			l.prev[k] = i
		}
		l.rate(m, i)
		if h := l.prev[i]; h >= 0 {
			l.rate(m, h)
		}
	}
	out := symbols[:0]
	for i := int32(0); i >= 0; i = l.next[i] {
		out = append(out, l.symbols[i])
	}
	return out
}

// linked is the state of mergeLong.
type linked struct {
	symbols    []symbol
	prev, next []int32
	pair       []merge // of a symbol and the next
	heap       []candidate
}

// candidate is the pair that begins at a symbol. Candidates are in the order of merging: learned first, then leftmost.
type candidate uint64

func newCandidate(rank, at int32) candidate {
	return candidate(uint32(rank))<<32 | candidate(uint32(at))
}

func (c candidate) rank() int32 { return int32(c >> 32) }

func (c candidate) at() int32 { return int32(uint32(c)) }

// arity of the heap: its levels are fewer than a binary one's, and siblings share a cache line.
const arity = 4

// rate looks up the pair that begins at symbol i.
func (l *linked) rate(m *bpe, i int32) {
	l.pair[i] = merge{rank: noRank}
	if j := l.next[i]; j >= 0 {
		l.pair[i] = m.rank(l.symbols[i].id, l.symbols[j].id)
	}
	if l.pair[i].rank == noRank {
		return
	}
	c := newCandidate(l.pair[i].rank, i)
	l.heap = append(l.heap, c)
	k := len(l.heap) - 1
	for k > 0 {
		up := (k - 1) / arity
		if c >= l.heap[up] {
			break
		}
		l.heap[k] = l.heap[up]
		k = up
	}
	l.heap[k] = c
}

// pop takes the best candidate off the heap.
func (l *linked) pop() candidate {
	top := l.heap[0]
	last := len(l.heap) - 1
	c := l.heap[last]
	l.heap = l.heap[:last]
	if last == 0 {
		return top
	}
	k := 0
	for {
		children := l.heap[min(arity*k+1, last):min(arity*k+arity+1, last)]
		if len(children) == 0 {
			break
		}
		least := 0
		for i := 1; i < len(children); i++ {
			if children[i] < children[least] {
				least = i
			}
		}
		if c <= children[least] {
			break
		}
		l.heap[k] = children[least]
		k = arity*k + 1 + least
	}
	l.heap[k] = c
	return top
}
