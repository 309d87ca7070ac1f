package randmodel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// ggufAlignment is that of tensors where a file says nothing.
const ggufAlignment = 32

// Setting is a value of a GGUF header: an int becomes uint32, a float64 float32, and the others are bool, string,
// []string and []int32.
type Setting struct {
	Key   string
	Value any
}

// WriteGGUF writes a GGUF file whose tensors are float32, with shapes in row-major order.
func WriteGGUF(path string, settings []Setting, tensors []safetensors.Tensor) error {
	var b bytes.Buffer
	var err error
	put := func(values ...any) {
		for _, v := range values {
			if text, ok := v.(string); ok {
				err = errors.Join(err, binary.Write(&b, binary.LittleEndian, uint64(len(text))))
				b.WriteString(text)
				continue
			}
			err = errors.Join(err, binary.Write(&b, binary.LittleEndian, v))
		}
	}
	b.WriteString("GGUF")
	put(uint32(3), uint64(len(tensors)), uint64(len(settings)))
	const uint32Kind, int32Kind, float32Kind, boolKind, stringKind, arrayKind = uint32(4), uint32(5), uint32(6), uint32(7),
		uint32(8), uint32(9)
	for _, s := range settings {
		put(s.Key)
		switch v := s.Value.(type) {
		case int:
			put(uint32Kind, uint32(v))
		case float64:
			put(float32Kind, float32(v))
		case bool:
			put(boolKind, v)
		case string:
			put(stringKind, v)
		case []int32:
			put(arrayKind, int32Kind, uint64(len(v)), v)
		case []string:
			put(arrayKind, stringKind, uint64(len(v)))
			for _, text := range v {
				put(text)
			}
		default:
			return fmt.Errorf("setting %s is a %T", s.Key, v)
		}
	}
	offset := 0
	for _, t := range tensors {
		put(t.Name, uint32(len(t.Shape)))
		for _, n := range slices.Backward(t.Shape) {
			put(uint64(n))
		}
		put(uint32(0), uint64(offset))
		offset += (4*len(t.Data) + ggufAlignment - 1) / ggufAlignment * ggufAlignment
	}
	for _, t := range tensors {
		b.Write(make([]byte, -b.Len()&(ggufAlignment-1)))
		put(t.Data)
	}
	b.Write(make([]byte, -b.Len()&(ggufAlignment-1)))
	return errors.Join(err, os.WriteFile(path, b.Bytes(), 0o600))
}
