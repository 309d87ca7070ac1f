package tokenizers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled is the normalizer that SentencePiece compiles from a list of rules: a trie of what is replaced, as a
// double array (darts-clone), whose values are where replacements begin in a block of texts that end with 0.
type precompiled struct {
	units   []uint32
	texts   []byte
	longest int // of the texts
}

// maxReplacement bounds what one character may become, so that memory stays in proportion to a text.
const maxReplacement = 1 << 8

// newPrecompiled reads precompiled_charsmap: the length of the trie in bytes, the trie, the texts.
func newPrecompiled(data []byte) (*precompiled, error) {
	if len(data) < 4 {
		return nil, errors.New("precompiled_charsmap is too short")
	}
	size := binary.LittleEndian.Uint32(data)
	if data = data[4:]; size == 0 || size%4 != 0 || uint64(size) > uint64(len(data)) {
		return nil, fmt.Errorf("precompiled_charsmap announces a trie of %d bytes, but has %d", size, len(data))
	}
	p := &precompiled{units: make([]uint32, size/4), texts: data[size:]}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if !utf8.Valid(p.texts) {
		return nil, errors.New("precompiled_charsmap replaces by what is not valid UTF-8")
	}
	for texts := p.texts; len(texts) > 0; {
		text, rest, _ := bytes.Cut(texts, []byte{0})
		if len(text) > maxReplacement {
			return nil, fmt.Errorf("precompiled_charsmap replaces by %d bytes, more than the limit of %d",
				len(text), maxReplacement)
		}
		p.longest = max(p.longest, len(text))
		texts = rest
	}
	return p, nil
}

// charsMap is the field as a file spells it: base64, or a list of bytes in files of old.
type charsMap []byte

func (c *charsMap) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, (*[]byte)(c)) == nil {
		return nil
	}
	var list []uint16
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, b := range list {
		*c = append(*c, byte(b))
	}
	return nil
}

// offset is where a unit's children lie, seen from it.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// replacement is what the shortest beginning of s that the trie holds is replaced by.
func (p *precompiled) replacement(s string) (text string, ok bool) {
	at := offset(p.units[0])
	for i := range len(s) {
		at ^= uint32(s[i])
		if s[i] == 0 || uint64(at) >= uint64(len(p.units)) {
			return "", false
		}
		unit := p.units[at]
		if unit&(1<<31|0xFF) != uint32(s[i]) {
			return "", false
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if uint64(at) >= uint64(len(p.units)) {
			return "", false
		}
		begin := p.units[at] & (1<<31 - 1)
		if uint64(begin) > uint64(len(p.texts)) {
			return "", false
		}
		text, _, _ := bytes.Cut(p.texts[begin:], []byte{0})
		return string(text), utf8.Valid(text)
	}
	return "", false
}

// clusterBytes is from which length on a cluster of characters is not looked up as a whole.
const clusterBytes = 6

// normalize looks up what readers see as one character (UAX #29) if it is short, and else the characters one by one.
// (Of a cluster that begins with what the trie holds the rest is dropped, as the reference library does.)
func (p *precompiled) normalize(t text) text {
	edits := make([]edit, 0, len(t.s))
	modified := false
	one := func(part string) bool {
		to, ok := p.replacement(part)
		if ok {
			modified = true
			edits = replaceEdits(edits, part, to)
		}
		return ok
	}
	for s := t.s; s != ""; {
		n := clusterLen(s)
		cluster := s[:n]
		s = s[n:]
		if len(cluster) < clusterBytes && one(cluster) {
			continue
		}
		for cluster != "" {
			r, n := utf8.DecodeRuneInString(cluster)
			if !one(cluster[:n]) {
				edits = append(edits, edit{r, 0})
			}
			cluster = cluster[n:]
		}
	}
	if !modified {
		return t
	}
	a := newAligned(t)
	a.apply(t, 0, len(t.s), edits)
	return a.text()
}

// clusterLen is the length of the first grapheme cluster of s.
func clusterLen(s string) int {
	if len(s) == 1 || s[0] < utf8.RuneSelf && s[1] < utf8.RuneSelf {
		if len(s) > 1 && s[0] == '\r' && s[1] == '\n' {
			return 2
		}
		return 1
	}
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	end := len(cluster)
	if r, _ := utf8.DecodeRuneInString(s[end:]); !unicode.Is(marksAdded, r) {
		return end
	}
	// A mark that uniseg's version of Unicode lacks belongs to the cluster, and marks behind it, if a mark may follow
	// there.
	const anyMark = "\u0300"
	if joined, _, _, _ := uniseg.FirstGraphemeClusterInString(cluster+anyMark, -1); len(joined) == end {
		return end
	}
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if !unicode.Is(marksAdded, r) && !isMark(r) {
			break
		}
		end += n
	}
	return end
}

// marksAdded are those that came after Unicode 15.
var marksAdded = later("M")

// replaceEdits appends the edits that make old into new: characters beyond old's are insertions, and what old has more
// is removed behind the last character before.
func replaceEdits(edits []edit, old, new string) []edit {
	first := len(edits)
	for _, r := range new {
		edits = append(edits, edit{r, 0})
	}
	more := len(edits) - first - utf8.RuneCountInString(old)
	for i := range max(more, 0) {
		edits[len(edits)-1-i].delta = 1
	}
	if more < 0 && len(edits) > 0 {
		edits[len(edits)-1].delta += more
	}
	return edits
}

// growth is how many times longer a text may become: the longest replacement is of a character.
func (p *precompiled) growth() int { return max(p.longest, 1) }
