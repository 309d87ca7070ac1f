package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

var errPageShort = errors.New("it is damaged: a page ends early")

// prefixed takes bytes off the front of data that follow their length, four bytes.
func prefixed(data []byte) (own, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errPageShort
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; n > uint64(len(data)) {
		return nil, nil, errPageShort
	}
	return data[:n], data[n:], nil
}

// plain reads texts that each follow their length.
func plain(data []byte, count int) ([]string, error) {
	if count > len(data)/4 {
		return nil, errPageShort
	}
	texts := make([]string, count)
	for i := range texts {
		own, rest, err := prefixed(data)
		if err != nil {
			return nil, err
		}
		texts[i], data = string(own), rest
	}
	return texts, nil
}

// hybrid reads count numbers of width bits in runs: of one number again and again, or of numbers packed without gaps,
// the lowest bit first, eight at a time. A run may go beyond count.
func hybrid(data []byte, width, count int) ([]uint32, error) {
	numbers := make([]uint32, 0, count)
	for len(numbers) < count {
		head, size := binary.Uvarint(data)
		if size <= 0 {
			return nil, errPageShort
		}
		data = data[size:]
		left := uint64(count - len(numbers))
		if head&1 == 0 {
			bytes := (width + 7) / 8
			if len(data) < bytes {
				return nil, errPageShort
			}
			var n uint32
			for i := range bytes {
				n |= uint32(data[i]) << (8 * i)
			}
			data = data[bytes:]
			if head == 0 {
				return nil, errors.New("it is damaged: a run of nothing in a page")
			}
			for range min(head>>1, left) {
				numbers = append(numbers, n)
			}
			continue
		}
		// The last groups may be cut short behind the last number.
		n := min(head>>1, (left+7)/8) * 8
		taken := min(n, left)
		if width > 0 && taken > uint64(len(data))*8/uint64(width) {
			return nil, errPageShort
		}
		for i := range taken {
			numbers = append(numbers, uint32(unpackBits(data, int(i)*width, width)))
		}
		if head>>1 == 0 {
			return nil, errors.New("it is damaged: a run of nothing in a page")
		}
		data = data[min(uint64(len(data)), n/8*uint64(width)):]
	}
	if width == 1 && len(numbers) > 0 {
		for _, n := range numbers {
			if n > 1 {
				return nil, fmt.Errorf("it is damaged: %d where only 0 and 1 can be", n)
			}
		}
	}
	return numbers, nil
}

// unpackBits reads width bits, up to 64, from a bit of data on, the lowest first. They lie in data.
func unpackBits(data []byte, at, width int) uint64 {
	var n uint64
	for got := 0; got < width; {
		b := uint64(data[at>>3]) >> (at & 7)
		n |= b << got
		step := 8 - at&7
		got, at = got+step, at+step
	}
	if width < 64 {
		n &= 1<<width - 1
	}
	return n
}

// deltas reads numbers that are written as differences, in blocks of a smallest difference and, in miniblocks of a
// width each, what the others have above it; and returns what follows them.
func deltas(data []byte, count int) (numbers []int64, rest []byte, err error) {
	r := thriftReader{data: data} // its variable-length numbers are the same
	var head [3]uint64            // numbers of a block, miniblocks of a block, numbers in all
	for i := range head {
		if head[i], err = r.unsigned(); err != nil {
			return nil, nil, errPageShort
		}
	}
	perBlock, miniblocks, total := head[0], head[1], head[2]
	last, err := r.signed()
	switch {
	case err != nil:
		return nil, nil, errPageShort
	case total != uint64(count):
		return nil, nil, fmt.Errorf("it is damaged: a page of %d texts has the lengths of %d", count, total)
	case miniblocks == 0 || miniblocks > 1<<10 || perBlock > 1<<20 || perBlock%miniblocks != 0 ||
		perBlock/miniblocks%8 != 0 || perBlock == 0:
		return nil, nil, errors.New("it is damaged: blocks of numbers of an impossible size")
	}
	perMiniblock := int(perBlock / miniblocks)
	if count > 0 {
		numbers = append(numbers, last)
	}
	for len(numbers) < count {
		least, err := r.signed()
		if err != nil {
			return nil, nil, errPageShort
		}
		widths, err := r.take(miniblocks)
		if err != nil {
			return nil, nil, errPageShort
		}
		for _, width := range widths {
			if len(numbers) == count {
				break // miniblocks without numbers are not written
			}
			if width > 64 {
				return nil, nil, errors.New("it is damaged: numbers of more than 64 bits")
			}
			packed, err := r.take(uint64(perMiniblock/8) * uint64(width))
			if err != nil {
				return nil, nil, errPageShort
			}
			for i := range min(perMiniblock, count-len(numbers)) {
				last += least + int64(unpackBits(packed, i*int(width), int(width)))
				numbers = append(numbers, last)
			}
		}
	}
	return numbers, r.data, nil
}

// deltaLength reads texts whose lengths stand before them all.
func deltaLength(data []byte, count int) ([]string, error) {
	lengths, rest, err := deltas(data, count)
	if err != nil {
		return nil, err
	}
	texts := make([]string, count)
	for i, n := range lengths {
		if n < 0 || n > int64(len(rest)) {
			return nil, errPageShort
		}
		texts[i], rest = string(rest[:n]), rest[n:]
	}
	return texts, nil
}

// deltaStrings reads texts of which each begins as the one before, up to a length.
func deltaStrings(data []byte, count int) ([]string, error) {
	shared, rest, err := deltas(data, count)
	if err != nil {
		return nil, err
	}
	own, err := deltaLength(rest, count)
	if err != nil {
		return nil, err
	}
	total, last := uint64(0), ""
	for i, n := range shared {
		if n < 0 || n > int64(len(last)) {
			return nil, errors.New("it is damaged: a text shares more with the one before than that has")
		}
		var over uint64
		if total, over = bits.Add64(total, uint64(n)+uint64(len(own[i])), 0); over > 0 || total > MaxPage {
			return nil, fmt.Errorf("the texts of a page are longer than %d MiB: write it again with smaller pages", MaxPage>>20)
		}
		own[i] = last[:n] + own[i]
		last = own[i]
	}
	return own, nil
}
