package files

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// Bounds of unpacking.
const (
	maxWindow = 128 << 20 // memory that unpacking a zstd or xz file may take

	// A file that holds anything to read does not unpack to so many times its size. Small files may.
	maxRatio  = 250
	freeBytes = 64 << 20
)

// packing is a way to compress files.
type packing struct {
	name, extension, magic string
	open                   func(r io.Reader) (io.Reader, func(), error)
}

var packings = []packing{
	{"gzip", ".gz", "\x1f\x8b", func(r io.Reader) (io.Reader, func(), error) {
		unpacked, err := gzip.NewReader(r)
		return unpacked, func() {}, err
	}},
	{"zstd", ".zst", "\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, func(), error) {
		unpacked, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return unpacked, unpacked.Close, nil
	}},
	{"bzip2", ".bz2", "BZh", func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), func() {}, nil }},
	{"xz", ".xz", "\xfd7zXZ\x00", func(r io.Reader) (io.Reader, func(), error) {
		unpacked, err := xz.NewReader(r, maxWindow)
		return unpacked, func() {}, err
	}},
}

// packingOf is how a file that begins so is compressed, nil if it is not. Of zstd a frame to skip may come first.
func packingOf(head []byte) *packing {
	for i := range packings {
		if bytes.HasPrefix(head, []byte(packings[i].magic)) {
			return &packings[i]
		}
	}
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")) {
		return &packings[1]
	}
	return nil
}

// unpackedName is a name without the extension of a compressed file.
func unpackedName(name string) (inner string, packed bool) {
	for _, p := range packings {
		if extension(name) == p.extension {
			return name[:len(name)-len(p.extension)], true
		}
	}
	return name, false
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// unpackReader is what a compressed file holds, within bounds.
type unpackReader struct {
	packing *packing
	reader  io.Reader
	head    []byte // of the compressed file, for a message
	packed  int64  // size of the compressed file
	read    int64
}

func (u *unpackReader) Read(p []byte) (int, error) {
	n, err := u.reader.Read(p)
	u.read += int64(n)
	if tooMuch(u.read, u.packed) {
		return 0,
			fmt.Errorf("it unpacks to more than %d times its size, which nothing worth reading does: unpack it, if it is",
				maxRatio)
	}
	if err != nil && err != io.EOF {
		err = u.complaint(err)
	}
	return n, err
}

// tooMuch says whether so many bytes are suspiciously many for a file of that size.
func tooMuch(unpacked, packed int64) bool {
	return unpacked > freeBytes && unpacked/maxRatio > packed
}

// complaint says which window was too large, and what to do.
func (u *unpackReader) complaint(err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		size := "a window"
		var header zstd.Header
		if header.Decode(u.head) == nil && header.WindowSize > 0 {
			size = fmt.Sprintf("a window of %d MiB", header.WindowSize>>20)
		}
		return fmt.Errorf("it was compressed with %s, and %d MiB are the most that are read: compress it again without "+
			"--ultra --long (zstd -d --long=31, then zstd), or unpack it", size, maxWindow>>20)
	}
	if errors.Is(err, xz.ErrMemlimit) {
		return fmt.Errorf("it was compressed with a dictionary of more than %d MiB: compress it again with xz -9 or less, "+
			"or unpack it", maxWindow>>20)
	}
	return fmt.Errorf("unpacking %s: %w", u.packing.name, err)
}
