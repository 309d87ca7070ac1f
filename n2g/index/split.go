package index

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// Split says what a document may be used for.
type Split int

// Nothing learned or tuned sees test documents.
const (
	Build      Split = iota // 70 documents in 100
	Validation              // 15
	Test                    // 15
)

func (s Split) String() string {
	switch s {
	case Build:
		return "build"
	case Validation:
		return "validation"
	case Test:
		return "test"
	}
	return fmt.Sprintf("Split(%d)", int(s))
}

// SplitOf is where a document of that [HashText] stands.
func SplitOf(hash uint64) Split {
	switch share := hash % 100; {
	case share < 70:
		return Build
	case share < 85:
		return Validation
	}
	return Test
}

// HashText is the first 8 bytes of a text's SHA-256, read as a little-endian number.
func HashText(text string) uint64 {
	h := newTextHash()
	io.WriteString(h, text) // a hash never fails
	return h.sum()
}

// textHash is a [HashText] of a text that comes in pieces.
type textHash struct{ hash.Hash }

// newTextHash begins one.
func newTextHash() textHash { return textHash{sha256.New()} }

// sum is the hash of what was written so far.
func (h textHash) sum() uint64 { return binary.LittleEndian.Uint64(h.Hash.Sum(nil)) }
