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

	"github.com/neuron2graph/neuron2graph/internal/half"
)

// mostNPZ bounds what an archive unpacks to: 16 GiB are the largest auto-encoder published.
const mostNPZ = 16 << 30

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
	}
	width, ok := map[string]int64{"<f2": 2, "<f4": 4, "<f8": 8}[string(kind[1])]
	if !ok {
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
	raw := make([]byte, width*n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return tensor{}, fmt.Errorf("cut short")
	}
	t.values = make([]float32, n)
	for i := range t.values {
		switch at := raw[int64(i)*width:]; width {
		case 2:
			t.values[i] = half.ToFloat32(binary.LittleEndian.Uint16(at))
		case 4:
			t.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(at))
		default:
			t.values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(at)))
		}
	}
	if string(order[1]) == "True" && len(t.shape) == 2 { // column by column
		t.shape[0], t.shape[1] = t.shape[1], t.shape[0]
		t = transposed(t)
	}
	return t, nil
}
