// Package half converts 16-bit floating point numbers.
package half

import "math"

// ToFloat32 widens an IEEE 754 binary16: exponent and fraction move into the places of a binary32, and the bias grows
// from 15 to 127. Infinities and NaNs need the largest exponent instead, and subnormals, whose fraction has no leading
// one, are read as if they had it, and then 2^-14 is taken off.
func ToFloat32(h uint16) float32 {
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
