package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

const (
	// MaxPage is how many bytes the largest page may have, packed or unpacked, and the texts of a page together. Libraries
	// write pages of about a megabyte.
	MaxPage = 256 << 20
	// maxValues of a page; libraries write some ten thousand.
	maxValues = 1 << 22
)

// Pages yields the texts of one page after another, "" for one that is missing, and ends with the first error.
func (c *TextColumn) Pages() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		u := newUnpacker(c.size)
		for _, one := range c.chunks {
			p := pageReader{column: c, chunk: one, unpacker: u}
			for p.chunk.values > 0 {
				texts, err := p.next()
				if err != nil {
					yield(nil, err)
					return
				}
				if texts == nil {
					continue // a dictionary
				}
				if !yield(texts, nil) {
					return
				}
			}
		}
	}
}

// pageReader reads the pages of a chunk, of which what was read is cut off.
type pageReader struct {
	column     *TextColumn
	chunk      chunk
	unpacker   *unpacker
	dictionary []string
}

// The types of pages, and how values are encoded.
const (
	pageData, pageDictionary, pageDataV2 = 0, 2, 3

	encodingPlain, encodingPlainDictionary, encodingRLE, encodingDeltaLength, encodingDelta, encodingRLEDictionary = 0, 2,
		3, 6, 7, 8
)

// next returns the texts of the next page, nil where it is none of data.
func (p *pageReader) next() ([]string, error) {
	head, err := p.head()
	if err != nil {
		return nil, err
	}
	kind, size, packed := head.field(1).number, head.field(2).number, head.field(3).number
	if size < 0 || packed < 0 || size > MaxPage || packed > MaxPage {
		return nil, fmt.Errorf("a page is larger than %d MiB: write it again with smaller pages", MaxPage>>20)
	}
	if packed > p.chunk.end-p.chunk.start {
		return nil, errors.New("it is damaged: a page goes beyond its column")
	}
	data := make([]byte, packed)
	if _, err := p.column.file.ReadAt(data, p.chunk.start); err != nil {
		return nil, err
	}
	p.chunk.start += packed
	switch kind {
	case pageDictionary:
		about := head.field(7)
		if data, err = p.unpacker.unpack(p.chunk.codec, data, int(size)); err != nil {
			return nil, err
		}
		count, err := countOf(about)
		if err != nil {
			return nil, err
		}
		p.dictionary, err = plain(data, count)
		return nil, err
	case pageData:
		about := head.field(5)
		if data, err = p.unpacker.unpack(p.chunk.codec, data, int(size)); err != nil {
			return nil, err
		}
		count, err := p.count(about)
		if err != nil {
			return nil, err
		}
		levels, data, err := p.levelsV1(data, about, count)
		if err != nil {
			return nil, err
		}
		return p.texts(data, about.field(2).number, levels, count)
	case pageDataV2:
		about := head.field(8)
		count, err := p.count(about)
		if err != nil {
			return nil, err
		}
		levels, data, err := p.levelsV2(data, int(size), about, count)
		if err != nil {
			return nil, err
		}
		return p.texts(data, about.field(4).number, levels, count)
	}
	return nil, nil // an index
}

// head reads the header of a page. It may hold statistics, and so be of any length.
func (p *pageReader) head() (value, error) {
	const longest = 16 << 20
	for length := int64(1 << 12); ; length *= 8 {
		length = min(length, p.chunk.end-p.chunk.start)
		if length == 0 {
			return value{}, errors.New("it is damaged: a column ends early")
		}
		data := make([]byte, length)
		if _, err := p.column.file.ReadAt(data, p.chunk.start); err != nil && !errors.Is(err, io.EOF) {
			return value{}, err
		}
		head, read, err := parseStruct(data)
		if err == nil {
			p.chunk.start += int64(read)
			return head, nil
		}
		if !errors.Is(err, errShort) || length >= longest || length == p.chunk.end-p.chunk.start {
			return value{}, fmt.Errorf("it is damaged: the header of a page: %w", err)
		}
	}
}

// countOf is how many values a page has.
func countOf(about value) (int, error) {
	count := about.field(1).number
	if count < 0 || count > maxValues {
		return 0, fmt.Errorf("a page claims %d texts, more than the %d that are read: write it again with smaller pages",
			count, maxValues)
	}
	return int(count), nil
}

// count is countOf for a page of data, whose values are then no more to come.
func (p *pageReader) count(about value) (int, error) {
	count, err := countOf(about)
	if err == nil && int64(count) > p.chunk.values {
		err = errors.New("it is damaged: a page has more texts than its column")
	}
	p.chunk.values -= int64(count)
	return count, err
}

// levelsV1 are the definition levels of a page, which stand before its values, and the values. nil levels say that no
// text is missing.
func (p *pageReader) levelsV1(data []byte, about value, count int) (levels []uint32, values []byte, err error) {
	if !p.column.optional {
		return nil, data, nil
	}
	if about.field(3).number != encodingRLE {
		return nil, nil, errors.New("it is of an old form of Parquet (bit-packed levels): write it again")
	}
	own, values, err := prefixed(data)
	if err != nil {
		return nil, nil, err
	}
	levels, err = hybrid(own, 1, count)
	return levels, values, err
}

// levelsV2 is levelsV1 for pages of the second version, where levels are not packed.
func (p *pageReader) levelsV2(data []byte, size int, about value, count int) (levels []uint32, values []byte,
	err error) {
	definition, repetition := about.field(5).number, about.field(6).number
	if definition < 0 || repetition < 0 || definition > int64(len(data)) || repetition > int64(len(data))-definition ||
		definition+repetition > int64(size) {
		return nil, nil, errors.New("it is damaged: the levels of a page go beyond it")
	}
	both := int(definition + repetition)
	own, values := data[repetition:both], data[both:]
	if p.column.optional {
		if levels, err = hybrid(own, 1, count); err != nil {
			return nil, nil, err
		}
	}
	if about.has(7) && about.field(7).number != 1 || size == both {
		return levels, values, nil // not packed, or none
	}
	values, err = p.unpacker.unpack(p.chunk.codec, values, size-both)
	return levels, values, err
}

// texts decodes the values of a page and puts "" where one is missing.
func (p *pageReader) texts(data []byte, encoding int64, levels []uint32, count int) ([]string, error) {
	there := count
	if levels != nil {
		there = 0
		for _, level := range levels {
			there += int(level)
		}
	}
	var values []string
	var err error
	switch encoding {
	case encodingPlain:
		values, err = plain(data, there)
	case encodingPlainDictionary, encodingRLEDictionary:
		values, err = p.lookedUp(data, there)
	case encodingDeltaLength:
		values, err = deltaLength(data, there)
	case encodingDelta:
		values, err = deltaStrings(data, there)
	default:
		err = fmt.Errorf("its texts are encoded in a way that is not read here (%d): write it again", encoding)
	}
	if err != nil || levels == nil {
		return values, err
	}
	texts := make([]string, count)
	for i, level := range levels {
		if level == 1 {
			texts[i], values = values[0], values[1:]
		}
	}
	return texts, nil
}

// lookedUp are the texts of the dictionary that a page names by number.
func (p *pageReader) lookedUp(data []byte, count int) ([]string, error) {
	texts := make([]string, count)
	if count == 0 {
		return texts, nil
	}
	if len(data) == 0 || data[0] > 32 {
		return nil, errors.New("it is damaged: a page of dictionary numbers does not say how wide they are")
	}
	numbers, err := hybrid(data[1:], int(data[0]), count)
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		if int64(n) >= int64(len(p.dictionary)) {
			return nil, errors.New("it is damaged: a page names a text that its dictionary lacks")
		}
		texts[i] = p.dictionary[n]
	}
	return texts, nil
}
