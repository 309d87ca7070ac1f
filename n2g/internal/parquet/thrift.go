package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxElements bounds how many values metadata may have: those of a file with thousands of row groups are far fewer.
const (
	maxElements = 1 << 21
	maxDepth    = 24 // of structs and lists in one another; Parquet's own lie less deep
)

// errShort says that metadata goes on behind the bytes at hand.
var errShort = errors.New("its metadata ends early")

// value is one of Thrift's compact protocol: a number, bytes, the elements of a list, or the fields of a struct.
type value struct {
	number int64
	bytes  []byte
	list   []value
	fields []field
}

type field struct {
	id    int16
	value value
}

// field of a struct, the zero value if it has none of that number.
func (v value) field(id int16) value {
	for _, f := range v.fields {
		if f.id == id {
			return f.value
		}
	}
	return value{}
}

// has says whether a struct has a field.
func (v value) has(id int16) bool {
	for _, f := range v.fields {
		if f.id == id {
			return true
		}
	}
	return false
}

// The types of compact Thrift.
const (
	typeStop = iota
	typeTrue
	typeFalse
	typeByte
	typeI16
	typeI32
	typeI64
	typeDouble
	typeBinary
	typeList
	typeSet
	typeMap
	typeStruct
)

// thriftReader reads values off the front of data.
type thriftReader struct {
	data     []byte
	elements int
}

// parseStruct reads a struct off the front of data and says how many bytes it takes.
func parseStruct(data []byte) (v value, length int, err error) {
	r := thriftReader{data: data}
	v, err = r.structure(0)
	return v, len(data) - len(r.data), err
}

func (r *thriftReader) byte() (byte, error) {
	if len(r.data) == 0 {
		return 0, errShort
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b, nil
}

func (r *thriftReader) unsigned() (uint64, error) {
	n, size := binary.Uvarint(r.data)
	switch {
	case size == 0:
		return 0, errShort
	case size < 0:
		return 0, errors.New("its metadata has a number of more than 64 bits")
	}
	r.data = r.data[size:]
	return n, nil
}

// signed reads a zigzag number.
func (r *thriftReader) signed() (int64, error) {
	n, err := r.unsigned()
	return int64(n>>1) ^ -int64(n&1), err
}

func (r *thriftReader) structure(depth int) (v value, err error) {
	id := int16(0)
	for {
		head, err := r.byte()
		if err != nil || head == typeStop {
			return v, err
		}
		if delta := int16(head >> 4); delta > 0 {
			id += delta
		} else {
			n, err := r.signed()
			if err != nil {
				return v, err
			}
			id = int16(n)
		}
		f := field{id: id}
		switch kind := head & 0xf; kind {
		case typeTrue, typeFalse: // the type is the value
			if err := r.another(depth + 1); err != nil {
				return v, err
			}
			if kind == typeTrue {
				f.value.number = 1
			}
		default:
			if f.value, err = r.value(kind, depth+1); err != nil {
				return v, err
			}
		}
		v.fields = append(v.fields, f)
	}
}

// another counts a value and refuses one too many.
func (r *thriftReader) another(depth int) error {
	if r.elements++; r.elements > maxElements || depth > maxDepth {
		return fmt.Errorf("its metadata has more than %d values, or %d levels", maxElements, maxDepth)
	}
	return nil
}

// value reads one that stands in a list, or in a field and is no boolean.
func (r *thriftReader) value(kind byte, depth int) (v value, err error) {
	if err := r.another(depth); err != nil {
		return v, err
	}
	switch kind {
	case typeTrue, typeFalse, typeByte:
		b, err := r.byte()
		v.number = int64(int8(b))
		return v, err
	case typeI16, typeI32, typeI64:
		v.number, err = r.signed()
		return v, err
	case typeDouble:
		v.bytes, err = r.take(8)
		return v, err
	case typeBinary:
		n, err := r.unsigned()
		if err != nil {
			return v, err
		}
		v.bytes, err = r.take(n)
		return v, err
	case typeList, typeSet:
		v.list, err = r.elementsOf(depth)
		return v, err
	case typeMap:
		return v, r.skipMap(depth)
	case typeStruct:
		return r.structure(depth)
	}
	return v, fmt.Errorf("its metadata has a value of the unknown type %d", kind)
}

func (r *thriftReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)) {
		return nil, errShort
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken, nil
}

func (r *thriftReader) elementsOf(depth int) ([]value, error) {
	head, err := r.byte()
	if err != nil {
		return nil, err
	}
	n, kind := uint64(head>>4), head&0xf
	if n == 0xf {
		if n, err = r.unsigned(); err != nil {
			return nil, err
		}
	}
	var list []value // grows with what is read, whatever n claims
	for ; n > 0; n-- {
		v, err := r.value(kind, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// skipMap passes over a map: Parquet's metadata has none that matters.
func (r *thriftReader) skipMap(depth int) error {
	n, err := r.unsigned()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := r.byte()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		for _, kind := range [2]byte{kinds >> 4, kinds & 0xf} {
			if _, err := r.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
