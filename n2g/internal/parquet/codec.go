package parquet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codec is how pages are compressed, by Parquet's number.
type codec int64

const (
	uncompressed codec = 0
	snappyCodec  codec = 1
	gzipCodec    codec = 2
	zstdCodec    codec = 6
	lz4Codec     codec = 7 // raw blocks; the older 5 is framed as Hadoop has it
)

// unpacker unpacks pages, and keeps what the next one can use again.
type unpacker struct {
	zstd *zstd.Decoder
	left int64 // bytes that pages may still unpack to
}

// Pages of a column together may unpack to so many times the size of the file: small ones that each unpack to [MaxPage]
// would take very long. Small files may hold anything.
const (
	maxRatio  = 250
	freeBytes = 1 << 30
)

func newUnpacker(file int64) *unpacker { return &unpacker{left: max(freeBytes, maxRatio*file)} }

// unpack returns the size bytes that are packed in data. It makes room for what there is, up to [MaxPage].
func (u *unpacker) unpack(c codec, data []byte, size int) ([]byte, error) {
	if u.left -= int64(size); u.left < 0 {
		return nil, fmt.Errorf("its column unpacks to more than %d times the size of the file", maxRatio)
	}
	if size == 0 && len(data) == 0 {
		return nil, nil // of a page without values, which some compress and some do not
	}
	var unpacked []byte
	var err error
	switch c {
	case uncompressed:
		unpacked = data
	case snappyCodec:
		if n, err := snappy.DecodedLen(data); err != nil || n != size {
			return nil, fmt.Errorf("it is damaged: a page of %d bytes, where %d are announced", n, size)
		}
		unpacked, err = snappy.Decode(nil, data)
	case gzipCodec:
		r, failed := gzip.NewReader(bytes.NewReader(data))
		if failed != nil {
			return nil, fmt.Errorf("it is damaged: %w", failed)
		}
		unpacked, err = readAll(r, size, len(data))
	case zstdCodec:
		if u.zstd == nil {
			u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPage))
			if err != nil {
				return nil, err
			}
		}
		unpacked, err = u.zstd.DecodeAll(data, make([]byte, 0, likely(size, len(data))))
	case lz4Codec:
		if size > 255*len(data) { // more than the format can pack
			return nil, fmt.Errorf("it is damaged: a page of %d bytes, packed in %d", size, len(data))
		}
		unpacked = make([]byte, size)
		var n int
		n, err = lz4.UncompressBlock(data, unpacked)
		unpacked = unpacked[:max(0, n)]
	default:
		return nil,
			errors.New("its column is compressed in a way that is not read here (Brotli, LZO, or LZ4 in Hadoop's frames): " +
				"write it again with zstd, Snappy or gzip")
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is damaged: unpacking a page: %w", err)
	case len(unpacked) != size:
		return nil, fmt.Errorf("it is damaged: a page is not of the %d bytes that are announced", size)
	}
	return unpacked, nil
}

// readAll reads up to a byte more than size of what length bytes unpack to.
func readAll(r io.Reader, size, length int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(likely(size, length) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, int64(size)+1))
	return b.Bytes(), err
}

// likely is how much room to make at once where length bytes are said to unpack to size. More is made as bytes come.
func likely(size, length int) int { return min(size, 32*length+1<<16) }
