package gguf

import "github.com/neuron2graph/neuron2graph/internal/half"

// scale reads an IEEE 754 binary16.
func scale(p []byte) float32 { return half.ToFloat32(littleEndian.Uint16(p)) }

// dequantizer converts one block into dst, whose length is that of the block.
type dequantizer func(dst []float32, block []byte)

// dequantizers are those of the block types, each after ggml's dequantize_row_ function of its name.
var dequantizers = map[Type]dequantizer{
	Q4_0: q4_0, Q4_1: q4_1, Q5_0: q5_0, Q5_1: q5_1, Q8_0: q8_0,
	Q2_K: q2K, Q3_K: q3K, Q4_K: q4K, Q5_K: q5K, Q6_K: q6K,
}

// q4_0 is d·(q-8): scale d, and 16 bytes whose low halves are the first 16 elements.
func q4_0(dst []float32, block []byte) {
	d, q := scale(block), block[2:18]
	dst = dst[:32]
	for i, b := range q {
		dst[i], dst[i+16] = float32(int(b&15)-8)*d, float32(int(b>>4)-8)*d
	}
}

// q4_1 is d·q + m.
func q4_1(dst []float32, block []byte) {
	d, m, q := scale(block), scale(block[2:]), block[4:20]
	dst = dst[:32]
	for i, b := range q {
		dst[i], dst[i+16] = d*float32(b&15)+m, d*float32(b>>4)+m
	}
}

// q5_0 is d·(q-16), the fifth bits in a word of their own.
func q5_0(dst []float32, block []byte) {
	d, high, q := scale(block), littleEndian.Uint32(block[2:]), block[6:22]
	dst = dst[:32]
	for i, b := range q {
		first, second := uint32(b&15)|high>>i&1<<4, uint32(b>>4)|high>>(i+16)&1<<4
		dst[i], dst[i+16] = float32(int(first)-16)*d, float32(int(second)-16)*d
	}
}

// q5_1 is d·q + m.
func q5_1(dst []float32, block []byte) {
	d, m, high, q := scale(block), scale(block[2:]), littleEndian.Uint32(block[4:]), block[8:24]
	dst = dst[:32]
	for i, b := range q {
		first, second := uint32(b&15)|high>>i&1<<4, uint32(b>>4)|high>>(i+16)&1<<4
		dst[i], dst[i+16] = d*float32(first)+m, d*float32(second)+m
	}
}

// q8_0 is d·q.
func q8_0(dst []float32, block []byte) {
	d, q := scale(block), block[2:34]
	dst = dst[:32]
	for i, b := range q {
		dst[i] = float32(int8(b)) * d
	}
}

// q2K is d·scale·q - dmin·min, a scale and a min of four bits each for every 16 elements.
func q2K(dst []float32, block []byte) {
	scales, q := block[:16], block[16:80]
	d, dmin := scale(block[80:]), scale(block[82:])
	for i := range dst[:256] {
		// Each 32 bytes hold 128 elements, two bits of each byte for 32 of them.
		b := q[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
		s := scales[i/16]
		dst[i] = d*float32(s&15)*float32(b) - dmin*float32(s>>4)
	}
}

// q3K is d·(scale-32)·(q-4), the third bit of q, and the upper two of a scale, in places of their own.
func q3K(dst []float32, block []byte) {
	high, q, packed, d := block[:32], block[32:96], block[96:108], scale(block[108:])
	var scales [16]float32
	for i := range scales {
		low := packed[i%8] >> (i / 8 * 4) & 15
		scales[i] = d * float32(int(low|packed[8+i%4]>>(i/4*2)&3<<4)-32)
	}
	for i := range dst[:256] {
		v := int(q[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3)
		if high[i%32]>>(i/32)&1 == 0 {
			v -= 4
		}
		dst[i] = scales[i/16] * float32(v)
	}
}

// sixBits unpacks the scales and mins of Q4_K and Q5_K, eight each in 12 bytes.
func sixBits(p []byte) (scales, mins [8]byte) {
	for i := range 4 {
		scales[i], mins[i] = p[i]&63, p[i+4]&63
		scales[i+4], mins[i+4] = p[i+8]&15|p[i]>>6<<4, p[i+8]>>4|p[i+4]>>6<<4
	}
	return scales, mins
}

// q4K is d·scale·q - dmin·min: each 32 bytes hold 64 elements, the low halves first.
func q4K(dst []float32, block []byte) {
	d, dmin, q := scale(block), scale(block[2:]), block[16:144]
	scales, mins := sixBits(block[4:16])
	for group := range 4 {
		low, high := dst[64*group:64*group+32], dst[64*group+32:64*group+64]
		d1, m1 := d*float32(scales[2*group]), dmin*float32(mins[2*group])
		d2, m2 := d*float32(scales[2*group+1]), dmin*float32(mins[2*group+1])
		for i, b := range q[32*group : 32*group+32] {
			low[i], high[i] = d1*float32(b&15)-m1, d2*float32(b>>4)-m2
		}
	}
}

// q5K is q4K with a fifth bit.
func q5K(dst []float32, block []byte) {
	d, dmin, fifth, q := scale(block), scale(block[2:]), block[16:48], block[48:176]
	scales, mins := sixBits(block[4:16])
	for group := range 4 {
		low, high := dst[64*group:64*group+32], dst[64*group+32:64*group+64]
		d1, m1 := d*float32(scales[2*group]), dmin*float32(mins[2*group])
		d2, m2 := d*float32(scales[2*group+1]), dmin*float32(mins[2*group+1])
		for i, b := range q[32*group : 32*group+32] {
			bits := fifth[i] >> (2 * group)
			low[i] = d1*float32(b&15|bits&1<<4) - m1
			high[i] = d2*float32(b>>4|bits>>1&1<<4) - m2
		}
	}
}

// q6K is d·scale·(q-32), a signed scale for every 16 elements, four bits of q in one place and two in another.
func q6K(dst []float32, block []byte) {
	d := scale(block[208:])
	for part := range 2 { // 128 elements
		low, high, scales, out := block[64*part:], block[128+32*part:], block[192+8*part:], dst[128*part:128*part+128]
		for i := range 32 {
			l1, l2, h := low[i], low[i+32], high[i]
			for k, q := range [4]byte{l1&15 | h&3<<4, l2&15 | h>>2&3<<4, l1>>4 | h>>4&3<<4, l2>>4 | h>>6<<4} {
				out[i+32*k] = d * float32(int8(scales[2*k+i/16])) * float32(int(q)-32)
			}
		}
	}
}
