package sae

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// mostNPZ bounds what an archive unpacks to: 16 GiB are the largest auto-encoder published.
const mostNPZ = 16 << 30

// readNPZ reads the float32 arrays of a file of numpy.savez
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
func readNPZ(fsys fs.FS, name string) (map[string]tensor, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	reader, ok := file.(io.ReaderAt)
	size := info.Size()
	if !ok {
		data, err := io.ReadAll(file)
		if err != nil {
			return nil, err
		}
		reader, size = bytes.NewReader(data), int64(len(data))
	}
	archive, err := zip.NewReader(reader, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tensors := map[string]tensor{}
	for _, entry := range archive.File {
		key, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue
		}
		// An array of zeros packs well: no bound on the ratio, but on the whole.
		if entry.UncompressedSize64 > mostNPZ {
			return nil, fmt.Errorf("%s: %s would unpack to %d bytes, more than any auto-encoder has", name, entry.Name,
				entry.UncompressedSize64)
		}
		content, err := entry.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t, err := readNPY(content, int64(entry.UncompressedSize64))
		content.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, entry.Name, err)
		}
		tensors[key] = t
	}
	return tensors, nil
}

var (
	npyType  = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// readNPY reads one array of float32, in row-major order, out of size bytes.
func readNPY(r io.Reader, size int64) (tensor, error) {
	var start [10]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != "\x93NUMPY" || start[6] < 1 || start[6] > 3 {
		return tensor{}, fmt.Errorf("not an array of NumPy's")
	}
	length, read := int(binary.LittleEndian.Uint16(start[8:])), int64(10)
	if start[6] > 1 { // the length has four bytes
		var more [2]byte
		if _, err := io.ReadFull(r, more[:]); err != nil {
			return tensor{}, err
		}
		length, read = length|int(binary.LittleEndian.Uint16(more[:]))<<16, 12
	}
	if int64(length) > size {
		return tensor{}, fmt.Errorf("its header claims %d bytes of %d", length, size)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return tensor{}, fmt.Errorf("cut short in its header")
	}
	kind, order, shape := npyType.FindSubmatch(header), npyOrder.FindSubmatch(header), npyShape.FindSubmatch(header)
	switch {
	case kind == nil || order == nil || shape == nil:
		return tensor{}, fmt.Errorf("its header is not understood")
	case string(kind[1]) != "<f4":
		return tensor{}, fmt.Errorf("it holds %s, but only <f4 (float32) is read", kind[1])
	case string(order[1]) == "True":
		return tensor{}, fmt.Errorf("it is stored column by column, which is not read")
	}
	t := tensor{shape: []int{}}
	n := int64(1)
	for field := range strings.SplitSeq(string(shape[1]), ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil || d < 1 || n > size/int64(d) {
			return tensor{}, fmt.Errorf("its shape (%s) does not fit its %d bytes", shape[1], size)
		}
		t.shape = append(t.shape, d)
		n *= int64(d)
	}
	if 4*n != size-read-int64(length) {
		return tensor{}, fmt.Errorf("its shape (%s) does not fit its %d bytes", shape[1], size)
	}
	raw := make([]byte, 4*n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return tensor{}, fmt.Errorf("cut short")
	}
	t.values = make([]float32, n)
	for i := range t.values {
		t.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return t, nil
}
