package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync/atomic"
)

// The file is a header, sections one after the other, and a footer: checksums of all that stands before it, by block;
// JSON (Meta and where each section stands); a trailer of fixed size.
const (
	magic       = "n2gindex"
	headerSize  = 64
	trailerSize = 40
	blockSize   = 1 << 16 // bytes that one checksum is about
	alignment   = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Names of sections.
const (
	idsSection        = "ids"
	documentsSection  = "documents"
	originsSection    = "origins"
	windowsSection    = "windows"
	textsSection      = "texts"
	suffixesSection   = "suffixes"
	sampleSection     = "sample"
	neuronsSection    = "neurons"
	listsSection      = "lists"
	histogramsSection = "histograms"
	postingsSection   = "postings"
	sampledSection    = "sampled"
)

// footer is the JSON at the end of a file.
type footer struct {
	Meta
	Sections map[string][2]int64 `json:"sections"` // offset and length
}

// writer writes a file from its beginning to its end.
type writer struct {
	to       io.Writer
	offset   int64
	block    uint32 // checksum of the unfinished block
	sums     []byte
	sections map[string][2]int64
	open     string
	err      error
}

func newWriter(to io.Writer) *writer {
	w := &writer{to: to, sections: map[string][2]int64{}}
	header := make([]byte, headerSize)
	copy(header, magic)
	binary.LittleEndian.PutUint32(header[8:], 1)
	w.Write(header) // kept in w.err
	return w
}

// Write appends to the open section.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), blockSize-int(w.offset%blockSize))
		w.block = crc32.Update(w.block, castagnoli, rest[:n])
		if w.offset += int64(n); w.offset%blockSize == 0 {
			w.endBlock()
		}
		rest = rest[n:]
	}
	_, w.err = w.to.Write(p)
	return len(p), w.err
}

func (w *writer) endBlock() {
	w.sums = binary.LittleEndian.AppendUint32(w.sums, w.block)
	w.block = 0
}

// section begins a section, which lasts until the next or the end.
func (w *writer) section(name string) {
	w.endSection()
	if pad := (alignment - w.offset%alignment) % alignment; pad > 0 {
		w.Write(make([]byte, pad)) // kept in w.err
	}
	w.open = name
	w.sections[name] = [2]int64{w.offset, 0}
}

func (w *writer) endSection() {
	if w.open != "" {
		w.sections[w.open] = [2]int64{w.sections[w.open][0], w.offset - w.sections[w.open][0]}
		w.open = ""
	}
}

// close writes the footer.
func (w *writer) close(meta Meta) error {
	w.endSection()
	if w.err != nil {
		return w.err
	}
	if w.offset%blockSize != 0 {
		w.endBlock()
	}
	encoded, err := json.Marshal(footer{meta, w.sections})
	if err != nil {
		return err
	}
	tail := append(w.sums, encoded...)
	sum := crc32.Checksum(tail, castagnoli)
	tail = binary.LittleEndian.AppendUint64(tail, uint64(w.offset))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(w.sums)))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(encoded)))
	tail = binary.LittleEndian.AppendUint32(tail, sum)
	tail = binary.LittleEndian.AppendUint32(tail, crc32.Checksum(tail[len(tail)-28:], castagnoli))
	tail = append(tail, magic...)
	_, err = w.to.Write(tail)
	return err
}

// container is an open file.
type container struct {
	data     []byte // without the footer
	sums     []byte
	footer   []byte          // checksums and JSON
	checked  []atomic.Uint32 // a bit a block, set once its checksum was found right
	sections map[string][2]int64
}

var errTruncated = errors.New("it is truncated, or no activation index: make it again with n2g mine")

// openContainer checks the footer and reads it.
func openContainer(data []byte) (*container, Meta, error) {
	switch {
	case len(data) == 0:
		return nil, Meta{}, errors.New("it is empty")
	case bytes.HasPrefix(data, []byte("{")) || bytes.HasPrefix(data, []byte("\x1f\x8b")):
		return nil, Meta{},
			errors.New("it is no activation index; what earlier versions of n2g mine wrote, JSON, is read no more: mine the " +
				"corpus again")
	case !bytes.HasPrefix(data, []byte(magic)):
		return nil, Meta{}, errors.New("it is no activation index: n2g mine makes one")
	case len(data) < headerSize+trailerSize:
		return nil, Meta{}, errTruncated
	}
	if version := binary.LittleEndian.Uint32(data[8:]); version != 1 {
		return nil, Meta{},
			fmt.Errorf("it is an activation index of version %d, and this program reads version 1: mine the corpus again",
				version)
	}
	trailer := data[len(data)-trailerSize:]
	if string(trailer[32:]) != magic || crc32.Checksum(trailer[:28],
		castagnoli) != binary.LittleEndian.Uint32(trailer[28:]) {
		return nil, Meta{}, errTruncated
	}
	end := binary.LittleEndian.Uint64(trailer)
	sums, encoded := binary.LittleEndian.Uint64(trailer[8:]), binary.LittleEndian.Uint64(trailer[16:])
	size := uint64(len(data) - trailerSize)
	if end > size || sums > size || encoded > size || end < headerSize || end+sums+encoded != size ||
		sums != 4*((end+blockSize-1)/blockSize) {
		return nil, Meta{}, errTruncated
	}
	tail := data[end:size]
	if crc32.Checksum(tail, castagnoli) != binary.LittleEndian.Uint32(trailer[24:]) {
		return nil, Meta{}, errors.New("its footer is damaged: make it again, or copy it again")
	}
	var f footer
	if err := json.Unmarshal(tail[sums:], &f); err != nil {
		return nil, Meta{}, fmt.Errorf("its footer is damaged: %w", err)
	}
	if f.Format != Format {
		return nil, Meta{}, fmt.Errorf("it has the format %q, where %q was expected: mine the corpus again", f.Format, Format)
	}
	for name, s := range f.Sections {
		if s[0] < headerSize || s[1] < 0 || s[0] > int64(end) || s[1] > int64(end)-s[0] || s[0]%alignment != 0 {
			return nil, Meta{}, fmt.Errorf("its section %s lies outside of it", name)
		}
	}
	blocks := int(sums / 4)
	c := &container{data: data[:end], sums: tail[:sums], footer: tail, checked: make([]atomic.Uint32, (blocks+31)/32),
		sections: f.Sections}
	return c, f.Meta, nil
}

// has reports whether a section is there.
func (c *container) has(name string) bool {
	_, ok := c.sections[name]
	return ok
}

// size is the length of a section, 0 where there is none.
func (c *container) size(name string) int64 { return c.sections[name][1] }

// errDamaged is what a wrong checksum, or a number that leads beyond the file, is reported as.
var errDamaged = errors.New("index: the file is damaged: make it again, or copy it again")

// read returns bytes of a section, whose checksums are checked when they are first read.
func (c *container) read(name string, offset, length int64) ([]byte, error) {
	s := c.sections[name]
	if offset < 0 || length < 0 || offset > s[1] || length > s[1]-offset {
		return nil, fmt.Errorf("%w (section %s has %d bytes, not %d at %d)", errDamaged, name, s[1], length, offset)
	}
	first := s[0] + offset
	for block := first / blockSize; length > 0 && block <= (first+length-1)/blockSize; block++ {
		bits, bit := &c.checked[block/32], uint32(1)<<(block%32)
		if bits.Load()&bit != 0 {
			continue
		}
		content := c.data[block*blockSize : min((block+1)*blockSize, int64(len(c.data)))]
		if crc32.Checksum(content, castagnoli) != binary.LittleEndian.Uint32(c.sums[block*4:]) {
			return nil, fmt.Errorf("%w (bytes %d to %d, section %s)", errDamaged, block*blockSize,
				block*blockSize+int64(len(content)), name)
		}
		bits.Or(bit)
	}
	return c.data[first : first+length : first+length], nil
}

// all returns a section.
func (c *container) all(name string) ([]byte, error) { return c.read(name, 0, c.size(name)) }

func float32At(b []byte, at int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))
}

func appendFloat32(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}
