package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"
)

// Tensor is a tensor to be written.
type Tensor struct {
	Name  string
	DType DType // F32 or F16; "" is F32
	Shape []int
	Data  []float32 // row-major
}

// Write writes a file to w. F16 rounds to the nearest value, ties to even. The tensors are laid out by name, and the
// header is padded so that the data begin at a multiple of 8 bytes: equal tensors and metadata give equal bytes.
// All F32 tensors stand before all F16 ones, so that every value is aligned to its size.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	for i := range tensors {
		tensors[i].DType = cmp.Or(tensors[i].DType, F32)
	}
	slices.SortStableFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), cmp.Compare(a.Name, b.Name))
	})
	header, err := buildHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	buffered := bufio.NewWriterSize(w, 1<<16)
	buffered.Write(littleEndian.AppendUint64(nil, uint64(len(header))))
	buffered.Write(header)
	for _, t := range tensors {
		for _, value := range t.Data {
			if t.DType == F16 {
				buffered.Write(littleEndian.AppendUint16(buffered.AvailableBuffer(), float32ToHalf(value)))
			} else {
				buffered.Write(littleEndian.AppendUint32(buffered.AvailableBuffer(), math.Float32bits(value)))
			}
		}
	}
	if err := buffered.Flush(); err != nil { // holds the first error of all writes
		return fmt.Errorf("write safetensors: %w", err)
	}
	return nil
}

// buildHeader makes the JSON header, padded with blanks.
func buildHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata) // sorts the keys
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", metadataKey, text)
	}
	seen := map[string]bool{metadataKey: true}
	offset := int64(0)
	for _, t := range tensors {
		size, ok := byteSize(t.DType, t.Shape)
		switch {
		case t.DType != F32 && t.DType != F16:
			return nil, fmt.Errorf("tensor %q: cannot store type %s, only F32 and F16", t.Name, t.DType)
		case seen[t.Name] || !utf8.ValidString(t.Name):
			return nil, fmt.Errorf("tensor name %q is taken or not UTF-8", t.Name)
		case !ok || size != int64(len(t.Data))*int64(t.DType.Size()):
			return nil, fmt.Errorf("tensor %q: shape %v does not fit its %d values", t.Name, t.Shape, len(t.Data))
		}
		seen[t.Name] = true
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(map[string]any{
			"dtype":        t.DType,
			"shape":        append([]int{}, t.Shape...),
			"data_offsets": [2]int64{offset, offset + size},
		})
		if err != nil {
			return nil, err
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%s", name, text)
		offset += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("the header would take %d bytes, more than the %d allowed", b.Len(), maxHeader)
	}
	return b.Bytes(), nil
}
