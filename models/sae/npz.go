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
	"slices"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/half"
)

// mostNPZ bounds what an archive unpacks to: 16 GiB are the largest auto-encoder published.
const mostNPZ = 16 << 30

// mostHeader bounds the header of an array, which NumPy pads to 64 bytes or 128.
const mostHeader = 1 << 16

// readNPZ reads the arrays of floats of a file of numpy.savez
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
	left := uint64(mostNPZ) // an array of zeros packs well: no bound on the ratio, but on the whole
	for _, entry := range archive.File {
		if entry.UncompressedSize64 > left {
			return nil, fmt.Errorf("%s: it would unpack to more than any auto-encoder has, %d bytes", name, mostNPZ)
		}
		left -= entry.UncompressedSize64
	}
	for _, entry := range archive.File {
		key, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue
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

// readNPY reads one array of floats out of size bytes.
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
	if int64(length) > min(size, mostHeader) {
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
	}
	var width int64
	var number func([]byte) float32
	switch string(kind[1]) {
	case "<f2":
		width, number = 2, func(b []byte) float32 { return half.ToFloat32(binary.LittleEndian.Uint16(b)) }
	case "<f4":
		width, number = 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	case "<f8":
		width, number = 8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }
	default:
		return tensor{}, fmt.Errorf("it holds %s, but only <f2, <f4 and <f8 are read, floats of 16, 32 and 64 bits", kind[1])
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
	if width*n != size-read-int64(length) {
		return tensor{}, fmt.Errorf("its shape (%s) does not fit its %d bytes", shape[1], size)
	}
	raw := make([]byte, min(width*n, 1<<20))
	for left := width * n; left > 0; left -= int64(len(raw)) { // room is made as numbers come, whatever is claimed
		raw = raw[:min(left, int64(len(raw)))]
		if _, err := io.ReadFull(r, raw); err != nil {
			return tensor{}, fmt.Errorf("cut short")
		}
		if got := int64(len(t.values)); got+int64(len(raw))/width > int64(cap(t.values)) {
			t.values = slices.Grow(t.values, int(min(n-got, max(1<<24, got))))
		}
		for at := raw; len(at) > 0; at = at[width:] {
			t.values = append(t.values, number(at))
		}
	}
	if string(order[1]) == "True" && len(t.shape) == 2 { // column by column
		t.shape[0], t.shape[1] = t.shape[1], t.shape[0]
		t = transposed(t)
	}
	return t, nil
}
