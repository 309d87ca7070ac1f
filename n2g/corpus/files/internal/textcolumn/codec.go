package textcolumn

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// codec is how pages are compressed, by Parquet's number.
type codec int64

const (
	uncompressed codec = 0
	snappyCodec  codec = 1
	gzipCodec    codec = 2
	zstdCodec    codec = 6
)

// unpack returns the size bytes that are packed in data. It makes room for no more.
func (c codec) unpack(data []byte, size int) ([]byte, error) {
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
		unpacked, err = io.ReadAll(io.LimitReader(r, int64(size)+1))
	case zstdCodec:
		d, failed := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxPage))
		if failed != nil {
			return nil, fmt.Errorf("it is damaged: %w", failed)
		}
		defer d.Close()
		unpacked, err = io.ReadAll(io.LimitReader(d, int64(size)+1))
	default:
		return nil,
			errors.New("its column is compressed in a way that is not read here (Brotli, LZ4 or LZO): write it again with " +
				"zstd, Snappy or gzip")
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is damaged: unpacking a page: %w", err)
	case len(unpacked) != size:
		return nil, fmt.Errorf("it is damaged: a page is not of the %d bytes that are announced", size)
	}
	return unpacked, nil
}
