package safetensors

import "slices"

// DType names a tensor's data type as the header spells it.
type DType string

// The data types that [File.Float32s] converts and [Write] stores. The header may name others, see [DType.Size].
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"  // IEEE 754 binary16
	BF16 DType = "BF16" // the upper half of a binary32
)

// Size returns the bytes that one element takes, 0 if the type is not one of the format.
func (t DType) Size() int {
	switch t {
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3":
		return 1
	case F16, BF16, "I16", "U16":
		return 2
	case F32, "I32", "U32":
		return 4
	case F64, "I64", "U64", "C64":
		return 8
	}
	return 0
}

// floating tells whether Float32s converts the type.
func (t DType) floating() bool { return slices.Contains([]DType{F32, F16, BF16, F64}, t) }

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar
	// Begin and End are the range of the tensor's bytes, counted from the end of the header.
	Begin, End int64
}

// Len returns the number of elements.
func (i Info) Len() int {
	n := 1
	for _, dimension := range i.Shape {
		n *= dimension
	}
	return n
}
