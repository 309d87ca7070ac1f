package safetensors

import (
	"encoding/binary"
	"math"

	"github.com/neuron2graph/neuron2graph/internal/half"
)

var littleEndian = binary.LittleEndian

// hostIsLittle tells whether a float32 in memory has the byte order of the file, so that reading converts it.
var hostIsLittle = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// toFloat32 converts the elements that src holds; len(src) = len(dst) * t.Size(). The two types of 16 bits are widened
// four at a time, which takes a half to a third of the time.
func toFloat32(t DType, dst []float32, src []byte) {
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(littleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for ; len(dst) >= 4; dst, src = dst[4:], src[8:] {
			fourHalves(dst, littleEndian.Uint64(src))
		}
		for i := range dst {
			dst[i] = half.ToFloat32(littleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for ; len(dst) >= 4; dst, src = dst[4:], src[8:] {
			w := littleEndian.Uint64(src)
			dst[0] = math.Float32frombits(uint32(w) << 16)
			dst[1] = math.Float32frombits(uint32(w) & 0xffff0000)
			dst[2] = math.Float32frombits(uint32(w>>32) << 16)
			dst[3] = math.Float32frombits(uint32(w>>32) & 0xffff0000)
		}
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(littleEndian.Uint16(src[2*i:])) << 16)
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(littleEndian.Uint64(src[8*i:])))
		}
	}
}

// fourHalves widens the four IEEE 754 binary16 of w, the first in its lowest bits. Where no exponent is the least or
// the largest, as with nearly all weights, exponent and fraction only move and the bias grows from 15 to 127.
func fourHalves(dst []float32, w uint64) {
	// the lowest bit of each, and the one above an exponent's five
	const one, carry = 0x0001000100010001, 0x0020002000200020
	exponents := w >> 10 & (31 * one)
	notLeast, largest := exponents+31*one, exponents+one // carry where the exponent is not 0, where it is 31
	if notLeast&^largest&carry != carry {
		for i := range 4 {
			dst[i] = half.ToFloat32(uint16(w >> (16 * i)))
		}
		return
	}
	const sign, rest, bias = 1 << 31, 0x7fff << 13, (127 - 15) << 23
	low, high := uint32(w), uint32(w>>32)
	dst[0] = math.Float32frombits(low<<16&sign | low<<13&rest + bias)
	dst[1] = math.Float32frombits(low&sign | low>>3&rest + bias)
	dst[2] = math.Float32frombits(high<<16&sign | high<<13&rest + bias)
	dst[3] = math.Float32frombits(high&sign | high>>3&rest + bias)
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
	// below 2^-14: subnormal; adding 0.5 lines the fraction up so that the sum's own rounding does ours
	case bits < 113<<23:
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-126<<23)
	}
	// The bias changes from 127 to 15; 0xfff plus the last kept bit rounds half to even, and may carry into the exponent.
	return sign | uint16((bits-112<<23+0xfff+bits>>13&1)>>13)
}
