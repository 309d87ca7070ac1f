package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// columnChunk is what a row group holds of a column: pages that are finished, and one that is being filled.
type columnChunk struct {
	pages    []byte // with their headers, packed
	unpacked int64  // their bytes before that, and those of the dictionary
	values   int    // in them

	count         int      // values in the open page, and lists without any
	plain         []byte   // values as they are
	numbers       []uint32 // or the numbers of words
	starts, there []uint32 // of lists: 0 for the first value of a list, else 1; 0 for an empty list, else 1

	words       map[string]uint32 // their numbers
	dictionary  []byte            // words in order of their numbers
	bounded     bool
	least, most int64 // of whole numbers, if bounded
}

func (c *columnChunk) int32(v int32) {
	c.plain = binary.LittleEndian.AppendUint32(c.plain, uint32(v))
	c.count++
}

func (c *columnChunk) int64(v int64) {
	c.plain = binary.LittleEndian.AppendUint64(c.plain, uint64(v))
	c.count++
}

// bound makes the statistics hold a number.
func (c *columnChunk) bound(v int64) {
	if !c.bounded {
		c.bounded, c.least, c.most = true, v, v
	}
	c.least, c.most = min(c.least, v), max(c.most, v)
}

func (c *columnChunk) float32(v float32) {
	c.plain = binary.LittleEndian.AppendUint32(c.plain, math.Float32bits(v))
	c.count++
}

func (c *columnChunk) text(v string) {
	c.plain = appendText(c.plain, v)
	c.count++
}

func appendText(to []byte, v string) []byte {
	v = strings.ToValidUTF8(v, "\uFFFD")
	return append(binary.LittleEndian.AppendUint32(to, uint32(len(v))), v...)
}

func (c *columnChunk) word(v string) {
	number, ok := c.words[v]
	if !ok {
		if c.words == nil {
			c.words = map[string]uint32{}
		}
		number = uint32(len(c.words))
		c.words[strings.Clone(v)] = number
		c.dictionary = appendText(c.dictionary, v)
	}
	c.numbers = append(c.numbers, number)
	c.count++
}

// list says that n values follow which are one list.
func (c *columnChunk) list(n int) {
	if n == 0 {
		c.starts, c.there = append(c.starts, 0), append(c.there, 0)
		c.count++
		return
	}
	for i := range n {
		c.starts, c.there = append(c.starts, uint32(min(i, 1))), append(c.there, 1)
	}
}

// endPage packs the open page.
func (c *columnChunk) endPage(packer *zstd.Encoder) {
	var data []byte
	for _, levels := range [][]uint32{c.starts, c.there} {
		if levels != nil {
			packed := packBits(nil, 1, levels)
			data = append(binary.LittleEndian.AppendUint32(data, uint32(len(packed))), packed...)
		}
	}
	encoding := encodingPlain
	if c.numbers != nil {
		encoding = encodingRLEDictionary
		width := max(1, bits.Len(uint(len(c.words)-1)))
		data = packBits(append(data, byte(width)), width, c.numbers)
	}
	c.pages = append(c.pages, c.page(packer, append(data, c.plain...), pageData, c.count, encoding)...)
	c.values += c.count
	c.count, c.plain, c.numbers, c.starts, c.there = 0, c.plain[:0], c.numbers[:0], c.starts[:0], c.there[:0]
}

func (c *columnChunk) dictionaryPage(packer *zstd.Encoder) []byte {
	return c.page(packer, c.dictionary, pageDictionary, len(c.words), encodingPlain)
}

// page packs data behind a header.
func (c *columnChunk) page(packer *zstd.Encoder, data []byte, kind, values, encoding int) []byte {
	packed := packer.EncodeAll(data, nil)
	t := newThriftWriter() // PageHeader
	t.i32(1, kind)
	t.i32(2, len(data))
	t.i32(3, len(packed))
	if kind == pageDictionary {
		t.open(7)
	} else {
		t.open(5)
	}
	t.i32(1, values)
	t.i32(2, encoding)
	if kind == pageData {
		t.i32(3, encodingRLE) // of levels
		t.i32(4, encodingRLE)
	}
	t.end()
	t.end()
	c.unpacked += int64(len(t.data) + len(data))
	return append(t.data, packed...)
}

// packBits appends numbers of width bits as one run of the hybrid encoding, without gaps and filled up to a multiple of
// eight. Runs of one number are left to the compression.
func packBits(to []byte, width int, numbers []uint32) []byte {
	groups := (len(numbers) + 7) / 8
	to = binary.AppendUvarint(to, uint64(groups)<<1|1)
	end := len(to) + groups*width
	var waiting uint64
	var bits int
	for _, n := range numbers {
		waiting |= uint64(n) << bits
		for bits += width; bits >= 8; bits -= 8 {
			to = append(to, byte(waiting))
			waiting >>= 8
		}
	}
	for len(to) < end {
		to = append(to, byte(waiting))
		waiting >>= 8
	}
	return to
}

// statistics is a struct Statistics of bounded numbers, by which readers pass over row groups; else nil.
func (c *columnChunk) statistics(physical int) []byte {
	if !c.bounded {
		return nil
	}
	number := func(v int64) string {
		data := binary.LittleEndian.AppendUint64(nil, uint64(v))
		if physical == physicalInt32 {
			data = data[:4]
		}
		return string(data)
	}
	t := newThriftWriter()
	t.i64(3, 0) // missing values
	t.text(5, number(c.most))
	t.text(6, number(c.least))
	t.end()
	return t.data
}
