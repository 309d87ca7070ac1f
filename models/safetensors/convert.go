package safetensors

import (
	"encoding/binary"
	"math"
	"unsafe"
)

var littleEndian = binary.LittleEndian

// hostIsLittle tells whether a float32 in memory has the byte order of the file, so that copying converts it.
var hostIsLittle = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// toFloat32 converts the elements that src holds; len(src) = len(dst) * t.Size().
func toFloat32(t DType, dst []float32, src []byte) {
	switch t {
	case F32:
		if hostIsLittle {
			copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(littleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = halfToFloat32(littleEndian.Uint16(src[2*i : 2*i+2]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(littleEndian.Uint16(src[2*i:2*i+2])) << 16)
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(littleEndian.Uint64(src[8*i:])))
		}
	}
}

// halfToFloat32 widens an IEEE 754 binary16: exponent and fraction move into the places of a binary32, and the bias grows
// from 15 to 127. Infinities and NaNs need the largest exponent instead, and subnormals, whose fraction has no leading
// one, are read as if they had it, and then 2^-14 is taken off.
func halfToFloat32(h uint16) float32 {
	bits := uint32(h&0x7fff) << 13
	switch bits >> 23 {
	case 0:
		bits = math.Float32bits(math.Float32frombits(bits+113<<23) - 0x1p-14)
	case 31:
		bits |= 0xff << 23
	default:
		bits += 112 << 23
	}
	return math.Float32frombits(bits | uint32(h&0x8000)<<16)
}

// float32ToHalf rounds to the nearest IEEE 754 binary16, ties to even; what is too large becomes an infinity.
func float32ToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fffffff
	switch {
	case bits > 0xff<<23: // NaN: keep what fits of its payload, and keep it a NaN
		return sign | 0x7e00 | uint16(bits>>13)&0x1ff
	case bits >= 0x477ff000: // from 65520 on, half way between the largest binary16 and the next power of two
		return sign | 0x7c00
	case bits < 113<<23: // below 2^-14: subnormal; adding 0.5 lines the fraction up so that the sum's own rounding does ours
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-126<<23)
	}
	// The bias changes from 127 to 15; 0xfff plus the last kept bit rounds half to even, and may carry into the exponent.
	return sign | uint16((bits-112<<23+0xfff+bits>>13&1)>>13)
}
