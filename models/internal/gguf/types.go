package gguf

import "fmt"

// Type is how a tensor's elements are stored, by ggml's number.
type Type uint32

// The types that can be read. The number after Q is the bits of an element; K types have scales of scales.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2
	Q4_1 Type = 3
	Q5_0 Type = 6
	Q5_1 Type = 7
	Q8_0 Type = 8
	Q2_K Type = 10
	Q3_K Type = 11
	Q4_K Type = 12
	Q5_K Type = 13
	Q6_K Type = 14
	F64  Type = 28
	BF16 Type = 30
)

const supported = "F32, F16, BF16, F64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K"

// names are ggml's, also of types that cannot be read, so that a refusal can name them.
var names = map[Type]string{
	F32: "F32", F16: "F16", Q4_0: "Q4_0", Q4_1: "Q4_1", Q5_0: "Q5_0", Q5_1: "Q5_1", Q8_0: "Q8_0", 9: "Q8_1",
	Q2_K: "Q2_K", Q3_K: "Q3_K", Q4_K: "Q4_K", Q5_K: "Q5_K", Q6_K: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
	18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32",
	27: "I64", F64: "F64", 29: "IQ1_M", BF16: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

func (t Type) String() string {
	if name, ok := names[t]; ok {
		return name
	}
	return fmt.Sprintf("number %d", uint32(t))
}

// layout is how many elements a block has, and how many bytes; 0 for a type that cannot be read.
func (t Type) layout() (elements, bytes int) {
	const (
		small, super = 32, 256 // elements of a block
		half         = 2       // bytes of a scale
	)
	switch t {
	case F32:
		return 1, 4
	case F16, BF16:
		return 1, 2
	case F64:
		return 1, 8
	case Q4_0:
		return small, half + small/2
	case Q4_1:
		return small, 2*half + small/2
	case Q5_0:
		return small, half + small/8 + small/2
	case Q5_1:
		return small, 2*half + small/8 + small/2
	case Q8_0:
		return small, half + small
	case Q2_K:
		return super, super/16 + super/4 + 2*half
	case Q3_K:
		return super, super/8 + super/4 + 12 + half
	case Q4_K:
		return super, 2*half + 12 + super/2
	case Q5_K:
		return super, 2*half + 12 + super/8 + super/2
	case Q6_K:
		return super, super/2 + super/4 + super/16 + half
	}
	return 0, 0
}
