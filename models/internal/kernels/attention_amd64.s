#include "textflag.h"

// Scores are products of queries and keys, mixes are sums of values by weights. Where heads share keys and values, two
// or three queries are taken at a time: each key and value is loaded once for all, and there are sums enough to wait
// for none. Every sum has the terms of the one that a query makes alone, in the same order.
//
// Each kernel is written once, as a macro over vectors V0 to V15, which are Y0 to Y15 of AVX2 at the first expansion and
// Z0 to Z15 of AVX-512, twice as wide, at the second.

#define ZERO4(a, b, c, d) \
	ZERO(a) \
	ZERO(b) \
	ZERO(c) \
	ZERO(d)

// KEYS makes R8 to R11 point to four keys, whose sums make one vector.
#define KEYS \
	MOVLQSX (R14), R8 \
	MOVLQSX 4(R14), R9 \
	MOVLQSX 8(R14), R10 \
	MOVLQSX 12(R14), R11 \
	IMULQ   R13, R8 \
	IMULQ   R13, R9 \
	IMULQ   R13, R10 \
	IMULQ   R13, R11 \
	ADDQ    DX, R8 \
	ADDQ    DX, R9 \
	ADDQ    DX, R10 \
	ADDQ    DX, R11

// TERM2 and TERM3 add to the sums of two or three queries with a key.
#define TERM2(key, a, b) \
	VMOVUPS     (key)(AX*1), V12 \
	VFMADD231PS V12, V13, a \
	VFMADD231PS V12, V14, b

#define TERM3(key, a, b, c) \
	TERM2(key, a, b) \
	VFMADD231PS V12, V15, c

#define NEXTTERM \
	ADDQ $VECTOR, AX \
	CMPQ AX, R12 \
	JLT  term

// SUM4 writes what the elements of each of four vectors add up to, and goes on to the next query's, R9 bytes further, if
// there is one.
#define SUM4(a, b, c, d, ax, bx) \
	VHADDPS      b, a, a \
	VHADDPS      d, c, c \
	VHADDPS      c, a, a \
	VEXTRACTF128 $1, a, bx \
	VADDPS       bx, ax, ax \
	VMOVUPS      ax, (R8) \
	ADDQ         R9, R8

// SUMS1 to SUMS3 do that for so many queries.
#define SUMS1 \
	FOLD(V0, Y0) \
	FOLD(V1, Y1) \
	FOLD(V2, Y2) \
	FOLD(V3, Y3) \
	SUM4(Y0, Y1, Y2, Y3, X0, X1)

#define SUMS2 \
	SUMS1 \
	FOLD(V4, Y4) \
	FOLD(V5, Y5) \
	FOLD(V6, Y6) \
	FOLD(V7, Y7) \
	SUM4(Y4, Y5, Y6, Y7, X4, X5)

#define SUMS3 \
	SUMS2 \
	FOLD(V8, Y8) \
	FOLD(V9, Y9) \
	FOLD(V10, Y10) \
	FOLD(V11, Y11) \
	SUM4(Y8, Y9, Y10, Y11, X8, X9)

#define NEXTFOUR \
	ADDQ $16, DI \
	ADDQ $16, R14 \
	DECQ CX \
	JNZ  four \
	VZEROUPPER \
	RET

// SCORES1 to SCORES3 are the kernels for so many queries, at SI, BX and R15.
#define SCORES1 \
four: \
	KEYS \
	ZERO4(V0, V1, V2, V3) \
	XORQ        AX, AX \
term: \
	VMOVUPS     (SI)(AX*1), V13 \
	VFMADD231PS (R8)(AX*1), V13, V0 \
	VFMADD231PS (R9)(AX*1), V13, V1 \
	VFMADD231PS (R10)(AX*1), V13, V2 \
	VFMADD231PS (R11)(AX*1), V13, V3 \
	NEXTTERM \
	MOVQ        DI, R8 \
	SUMS1 \
	NEXTFOUR

#define SCORES2 \
four: \
	KEYS \
	ZERO4(V0, V1, V2, V3) \
	ZERO4(V4, V5, V6, V7) \
	XORQ    AX, AX \
term: \
	VMOVUPS (SI)(AX*1), V13 \
	VMOVUPS (BX)(AX*1), V14 \
	TERM2(R8, V0, V4) \
	TERM2(R9, V1, V5) \
	TERM2(R10, V2, V6) \
	TERM2(R11, V3, V7) \
	NEXTTERM \
	MOVQ    DI, R8 \
	MOVQ    dstStride+8(FP), R9 \
	SUMS2 \
	NEXTFOUR

#define SCORES3 \
four: \
	KEYS \
	ZERO4(V0, V1, V2, V3) \
	ZERO4(V4, V5, V6, V7) \
	ZERO4(V8, V9, V10, V11) \
	XORQ    AX, AX \
term: \
	VMOVUPS (SI)(AX*1), V13 \
	VMOVUPS (BX)(AX*1), V14 \
	VMOVUPS (R15)(AX*1), V15 \
	TERM3(R8, V0, V4, V8) \
	TERM3(R9, V1, V5, V9) \
	TERM3(R10, V2, V6, V10) \
	TERM3(R11, V3, V7, V11) \
	NEXTTERM \
	MOVQ    DI, R8 \
	MOVQ    dstStride+8(FP), R9 \
	SUMS3 \
	NEXTFOUR

// WEIGHTED2 and WEIGHTED3 add a vector of a value to two or three sums.
#define WEIGHTED2(at, a, b) \
	VMOVUPS     at*VECTOR(R8), V15 \
	VFMADD231PS V15, V12, a \
	VFMADD231PS V15, V13, b

#define WEIGHTED3(at, a, b, c) \
	WEIGHTED2(at, a, b) \
	VFMADD231PS V15, V14, c

#define STORE4(a, b, c, d) \
	VMOVUPS a, 0*VECTOR(DI) \
	VMOVUPS b, 1*VECTOR(DI) \
	VMOVUPS c, 2*VECTOR(DI) \
	VMOVUPS d, 3*VECTOR(DI) \
	ADDQ    R9, DI

// MIX1 to MIX3 are the kernels for so many rows of weights, at SI, BX and R15.
#define MIX1 \
	ZERO4(V0, V1, V2, V3) \
	XORQ         AX, AX \
value: \
	MOVLQSX      (R14)(AX*4), R8 \
	VBROADCASTSS (SI)(AX*4), V12 \
	IMULQ        R13, R8 \
	ADDQ         DX, R8 \
	VFMADD231PS  0*VECTOR(R8), V12, V0 \
	VFMADD231PS  1*VECTOR(R8), V12, V1 \
	VFMADD231PS  2*VECTOR(R8), V12, V2 \
	VFMADD231PS  3*VECTOR(R8), V12, V3 \
	INCQ         AX \
	CMPQ         AX, CX \
	JLT          value \
	STORE4(V0, V1, V2, V3) \
	VZEROUPPER \
	RET

#define MIX2 \
	ZERO4(V0, V1, V2, V3) \
	ZERO4(V4, V5, V6, V7) \
	XORQ         AX, AX \
value: \
	MOVLQSX      (R14)(AX*4), R8 \
	VBROADCASTSS (SI)(AX*4), V12 \
	VBROADCASTSS (BX)(AX*4), V13 \
	IMULQ        R13, R8 \
	ADDQ         DX, R8 \
	WEIGHTED2(0, V0, V4) \
	WEIGHTED2(1, V1, V5) \
	WEIGHTED2(2, V2, V6) \
	WEIGHTED2(3, V3, V7) \
	INCQ         AX \
	CMPQ         AX, CX \
	JLT          value \
	STORE4(V0, V1, V2, V3) \
	STORE4(V4, V5, V6, V7) \
	VZEROUPPER \
	RET

#define MIX3 \
	ZERO4(V0, V1, V2, V3) \
	ZERO4(V4, V5, V6, V7) \
	ZERO4(V8, V9, V10, V11) \
	XORQ         AX, AX \
value: \
	MOVLQSX      (R14)(AX*4), R8 \
	VBROADCASTSS (SI)(AX*4), V12 \
	VBROADCASTSS (BX)(AX*4), V13 \
	VBROADCASTSS (R15)(AX*4), V14 \
	IMULQ        R13, R8 \
	ADDQ         DX, R8 \
	WEIGHTED3(0, V0, V4, V8) \
	WEIGHTED3(1, V1, V5, V9) \
	WEIGHTED3(2, V2, V6, V10) \
	WEIGHTED3(3, V3, V7, V11) \
	INCQ         AX \
	CMPQ         AX, CX \
	JLT          value \
	STORE4(V0, V1, V2, V3) \
	STORE4(V4, V5, V6, V7) \
	STORE4(V8, V9, V10, V11) \
	VZEROUPPER \
	RET

#define VECTOR 32
#define ZERO(a) VXORPS a, a, a
#define FOLD(a, lower)
#define V0 Y0
#define V1 Y1
#define V2 Y2
#define V3 Y3
#define V4 Y4
#define V5 Y5
#define V6 Y6
#define V7 Y7
#define V8 Y8
#define V9 Y9
#define V10 Y10
#define V11 Y11
#define V12 Y12
#define V13 Y13
#define V14 Y14
#define V15 Y15

// func scoresAVX2(dst, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scoresAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ keys+16(FP), DX
	MOVQ width+24(FP), R12
	MOVQ stride+32(FP), R13
	MOVQ path+40(FP), R14
	MOVQ fours+48(FP), CX
	SCORES1

// func scores2AVX2(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scores2AVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ q+16(FP), SI
	MOVQ keys+24(FP), DX
	MOVQ width+32(FP), R12
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ fours+56(FP), CX
	LEAQ (SI)(R12*1), BX
	SCORES2

// func scores3AVX2(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scores3AVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ q+16(FP), SI
	MOVQ keys+24(FP), DX
	MOVQ width+32(FP), R12
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ fours+56(FP), CX
	LEAQ (SI)(R12*1), BX
	LEAQ (SI)(R12*2), R15
	SCORES3

// func mix32AVX2(z, p, values *float32, stride int, path *int32, n int)
TEXT ·mix32AVX2(SB), NOSPLIT, $0-48
	MOVQ z+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ values+16(FP), DX
	MOVQ stride+24(FP), R13
	MOVQ path+32(FP), R14
	MOVQ n+40(FP), CX
	MIX1

// func mix2AVX2(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)
TEXT ·mix2AVX2(SB), NOSPLIT, $0-64
	MOVQ z+0(FP), DI
	MOVQ zStride+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ pStride+24(FP), BX
	MOVQ values+32(FP), DX
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ n+56(FP), CX
	ADDQ SI, BX
	MIX2

// func mix3AVX2(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)
TEXT ·mix3AVX2(SB), NOSPLIT, $0-64
	MOVQ z+0(FP), DI
	MOVQ zStride+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ pStride+24(FP), BX
	MOVQ values+32(FP), DX
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ n+56(FP), CX
	LEAQ (SI)(BX*2), R15
	ADDQ SI, BX
	MIX3

// func mix8AVX2(z, p, values *float32, stride int, path *int32, n int)
TEXT ·mix8AVX2(SB), NOSPLIT, $0-48
	MOVQ   z+0(FP), DI
	MOVQ   p+8(FP), SI
	MOVQ   values+16(FP), DX
	MOVQ   stride+24(FP), R13
	MOVQ   path+32(FP), R14
	MOVQ   n+40(FP), CX
	VXORPS Y0, Y0, Y0
	XORQ   AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Y4
	IMULQ        R13, R8
	VFMADD231PS  (DX)(R8*1), Y4, Y0
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	VMOVUPS Y0, (DI)
	VZEROUPPER
	RET

#undef VECTOR
#undef ZERO
#undef FOLD
#undef V0
#undef V1
#undef V2
#undef V3
#undef V4
#undef V5
#undef V6
#undef V7
#undef V8
#undef V9
#undef V10
#undef V11
#undef V12
#undef V13
#undef V14
#undef V15

#define VECTOR 64
#define ZERO(a) VPXORD a, a, a

// FOLD adds the upper half of a vector to the lower one.
#define FOLD(a, lower) \
	VEXTRACTF64X4 $1, a, Y15 \
	VADDPS        Y15, lower, lower

#define V0 Z0
#define V1 Z1
#define V2 Z2
#define V3 Z3
#define V4 Z4
#define V5 Z5
#define V6 Z6
#define V7 Z7
#define V8 Z8
#define V9 Z9
#define V10 Z10
#define V11 Z11
#define V12 Z12
#define V13 Z13
#define V14 Z14
#define V15 Z15

// func scoresAVX512(dst, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scoresAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ keys+16(FP), DX
	MOVQ width+24(FP), R12
	MOVQ stride+32(FP), R13
	MOVQ path+40(FP), R14
	MOVQ fours+48(FP), CX
	SCORES1

// func scores2AVX512(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scores2AVX512(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ q+16(FP), SI
	MOVQ keys+24(FP), DX
	MOVQ width+32(FP), R12
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ fours+56(FP), CX
	LEAQ (SI)(R12*1), BX
	SCORES2

// func scores3AVX512(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scores3AVX512(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ q+16(FP), SI
	MOVQ keys+24(FP), DX
	MOVQ width+32(FP), R12
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ fours+56(FP), CX
	LEAQ (SI)(R12*1), BX
	LEAQ (SI)(R12*2), R15
	SCORES3

// func mix64AVX512(z, p, values *float32, stride int, path *int32, n int)
TEXT ·mix64AVX512(SB), NOSPLIT, $0-48
	MOVQ z+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ values+16(FP), DX
	MOVQ stride+24(FP), R13
	MOVQ path+32(FP), R14
	MOVQ n+40(FP), CX
	MIX1

// func mix2AVX512(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)
TEXT ·mix2AVX512(SB), NOSPLIT, $0-64
	MOVQ z+0(FP), DI
	MOVQ zStride+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ pStride+24(FP), BX
	MOVQ values+32(FP), DX
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ n+56(FP), CX
	ADDQ SI, BX
	MIX2

// func mix3AVX512(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)
TEXT ·mix3AVX512(SB), NOSPLIT, $0-64
	MOVQ z+0(FP), DI
	MOVQ zStride+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ pStride+24(FP), BX
	MOVQ values+32(FP), DX
	MOVQ stride+40(FP), R13
	MOVQ path+48(FP), R14
	MOVQ n+56(FP), CX
	LEAQ (SI)(BX*2), R15
	ADDQ SI, BX
	MIX3
