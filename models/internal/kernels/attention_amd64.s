#include "textflag.h"

// func scoresAVX2(dst, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scoresAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ keys+16(FP), DX
	MOVQ width+24(FP), R12
	MOVQ stride+32(FP), R13
	MOVQ path+40(FP), R14
	MOVQ fours+48(FP), CX

	// Four keys at a time, whose sums make one vector.
four:
	MOVLQSX (R14), R8
	MOVLQSX 4(R14), R9
	MOVLQSX 8(R14), R10
	MOVLQSX 12(R14), R11
	IMULQ   R13, R8
	IMULQ   R13, R9
	IMULQ   R13, R10
	IMULQ   R13, R11
	ADDQ    DX, R8
	ADDQ    DX, R9
	ADDQ    DX, R10
	ADDQ    DX, R11
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	VXORPS  Y2, Y2, Y2
	VXORPS  Y3, Y3, Y3
	XORQ    AX, AX

term:
	VMOVUPS     (SI)(AX*1), Y4
	VFMADD231PS (R8)(AX*1), Y4, Y0
	VFMADD231PS (R9)(AX*1), Y4, Y1
	VFMADD231PS (R10)(AX*1), Y4, Y2
	VFMADD231PS (R11)(AX*1), Y4, Y3
	ADDQ        $32, AX
	CMPQ        AX, R12
	JLT         term

	VHADDPS      Y1, Y0, Y0
	VHADDPS      Y3, Y2, Y2
	VHADDPS      Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VMOVUPS      X0, (DI)
	ADDQ         $16, DI
	ADDQ         $16, R14
	DECQ         CX
	JNZ          four
	VZEROUPPER
	RET

// func mix32AVX2(z, p, values *float32, stride int, path *int32, n int)
TEXT ·mix32AVX2(SB), NOSPLIT, $0-48
	MOVQ   z+0(FP), DI
	MOVQ   p+8(FP), SI
	MOVQ   values+16(FP), DX
	MOVQ   stride+24(FP), R13
	MOVQ   path+32(FP), R14
	MOVQ   n+40(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Y4
	IMULQ        R13, R8
	ADDQ         DX, R8
	VFMADD231PS  (R8), Y4, Y0
	VFMADD231PS  32(R8), Y4, Y1
	VFMADD231PS  64(R8), Y4, Y2
	VFMADD231PS  96(R8), Y4, Y3
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VZEROUPPER
	RET

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

// func scoresAVX512(dst, q, keys *float32, width, stride int, path *int32, fours int)
TEXT ·scoresAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ keys+16(FP), DX
	MOVQ width+24(FP), R12
	MOVQ stride+32(FP), R13
	MOVQ path+40(FP), R14
	MOVQ fours+48(FP), CX

four:
	MOVLQSX (R14), R8
	MOVLQSX 4(R14), R9
	MOVLQSX 8(R14), R10
	MOVLQSX 12(R14), R11
	IMULQ   R13, R8
	IMULQ   R13, R9
	IMULQ   R13, R10
	IMULQ   R13, R11
	ADDQ    DX, R8
	ADDQ    DX, R9
	ADDQ    DX, R10
	ADDQ    DX, R11
	VPXORD  Z0, Z0, Z0
	VPXORD  Z1, Z1, Z1
	VPXORD  Z2, Z2, Z2
	VPXORD  Z3, Z3, Z3
	XORQ    AX, AX

term:
	VMOVUPS     (SI)(AX*1), Z4
	VFMADD231PS (R8)(AX*1), Z4, Z0
	VFMADD231PS (R9)(AX*1), Z4, Z1
	VFMADD231PS (R10)(AX*1), Z4, Z2
	VFMADD231PS (R11)(AX*1), Z4, Z3
	ADDQ        $64, AX
	CMPQ        AX, R12
	JLT         term

	VEXTRACTF64X4 $1, Z0, Y4
	VEXTRACTF64X4 $1, Z1, Y5
	VEXTRACTF64X4 $1, Z2, Y6
	VEXTRACTF64X4 $1, Z3, Y7
	VADDPS        Y4, Y0, Y0
	VADDPS        Y5, Y1, Y1
	VADDPS        Y6, Y2, Y2
	VADDPS        Y7, Y3, Y3
	VHADDPS       Y1, Y0, Y0
	VHADDPS       Y3, Y2, Y2
	VHADDPS       Y2, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPS        X1, X0, X0
	VMOVUPS       X0, (DI)
	ADDQ          $16, DI
	ADDQ          $16, R14
	DECQ          CX
	JNZ           four
	VZEROUPPER
	RET

// func mix64AVX512(z, p, values *float32, stride int, path *int32, n int)
TEXT ·mix64AVX512(SB), NOSPLIT, $0-48
	MOVQ   z+0(FP), DI
	MOVQ   p+8(FP), SI
	MOVQ   values+16(FP), DX
	MOVQ   stride+24(FP), R13
	MOVQ   path+32(FP), R14
	MOVQ   n+40(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	XORQ   AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Z4
	IMULQ        R13, R8
	ADDQ         DX, R8
	VFMADD231PS  (R8), Z4, Z0
	VFMADD231PS  64(R8), Z4, Z1
	VFMADD231PS  128(R8), Z4, Z2
	VFMADD231PS  192(R8), Z4, Z3
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VZEROUPPER
	RET

// Where heads share keys and values, two or three queries are taken at a time: each key and value is loaded once for
// all, and there are sums enough to wait for none. Every sum has the terms of the one above in the same order.

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

#define ZERO4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

// FOURSUMS writes what the lanes of each of four vectors add up to, and goes on to the next query's.
#define FOURSUMS(a, b, c, d, ax, bx) \
	VHADDPS      b, a, a \
	VHADDPS      d, c, c \
	VHADDPS      c, a, a \
	VEXTRACTF128 $1, a, bx \
	VADDPS       bx, ax, ax \
	VMOVUPS      ax, (R8) \
	ADDQ         R9, R8

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

four:
	KEYS
	ZERO4(Y0, Y1, Y2, Y3)
	ZERO4(Y4, Y5, Y6, Y7)
	XORQ AX, AX

term:
	VMOVUPS     (SI)(AX*1), Y13
	VMOVUPS     (BX)(AX*1), Y14
	VMOVUPS     (R8)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y0
	VFMADD231PS Y12, Y14, Y4
	VMOVUPS     (R9)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y1
	VFMADD231PS Y12, Y14, Y5
	VMOVUPS     (R10)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y2
	VFMADD231PS Y12, Y14, Y6
	VMOVUPS     (R11)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y3
	VFMADD231PS Y12, Y14, Y7
	ADDQ        $32, AX
	CMPQ        AX, R12
	JLT         term

	MOVQ DI, R8
	MOVQ dstStride+8(FP), R9
	FOURSUMS(Y0, Y1, Y2, Y3, X0, X1)
	FOURSUMS(Y4, Y5, Y6, Y7, X4, X5)
	ADDQ $16, DI
	ADDQ $16, R14
	DECQ CX
	JNZ  four
	VZEROUPPER
	RET

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

four:
	KEYS
	ZERO4(Y0, Y1, Y2, Y3)
	ZERO4(Y4, Y5, Y6, Y7)
	ZERO4(Y8, Y9, Y10, Y11)
	XORQ AX, AX

term:
	VMOVUPS     (SI)(AX*1), Y13
	VMOVUPS     (BX)(AX*1), Y14
	VMOVUPS     (R15)(AX*1), Y15
	VMOVUPS     (R8)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y0
	VFMADD231PS Y12, Y14, Y4
	VFMADD231PS Y12, Y15, Y8
	VMOVUPS     (R9)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y1
	VFMADD231PS Y12, Y14, Y5
	VFMADD231PS Y12, Y15, Y9
	VMOVUPS     (R10)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y2
	VFMADD231PS Y12, Y14, Y6
	VFMADD231PS Y12, Y15, Y10
	VMOVUPS     (R11)(AX*1), Y12
	VFMADD231PS Y12, Y13, Y3
	VFMADD231PS Y12, Y14, Y7
	VFMADD231PS Y12, Y15, Y11
	ADDQ        $32, AX
	CMPQ        AX, R12
	JLT         term

	MOVQ DI, R8
	MOVQ dstStride+8(FP), R9
	FOURSUMS(Y0, Y1, Y2, Y3, X0, X1)
	FOURSUMS(Y4, Y5, Y6, Y7, X4, X5)
	FOURSUMS(Y8, Y9, Y10, Y11, X8, X9)
	ADDQ $16, DI
	ADDQ $16, R14
	DECQ CX
	JNZ  four
	VZEROUPPER
	RET

#define STOREZ(a, b, c, d) \
	VMOVUPS a, (DI) \
	VMOVUPS b, 32(DI) \
	VMOVUPS c, 64(DI) \
	VMOVUPS d, 96(DI) \
	ADDQ    R9, DI

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
	ZERO4(Y0, Y1, Y2, Y3)
	ZERO4(Y4, Y5, Y6, Y7)
	XORQ AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Y12
	VBROADCASTSS (BX)(AX*4), Y13
	IMULQ        R13, R8
	ADDQ         DX, R8
	VMOVUPS      (R8), Y15
	VFMADD231PS  Y15, Y12, Y0
	VFMADD231PS  Y15, Y13, Y4
	VMOVUPS      32(R8), Y15
	VFMADD231PS  Y15, Y12, Y1
	VFMADD231PS  Y15, Y13, Y5
	VMOVUPS      64(R8), Y15
	VFMADD231PS  Y15, Y12, Y2
	VFMADD231PS  Y15, Y13, Y6
	VMOVUPS      96(R8), Y15
	VFMADD231PS  Y15, Y12, Y3
	VFMADD231PS  Y15, Y13, Y7
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	STOREZ(Y0, Y1, Y2, Y3)
	STOREZ(Y4, Y5, Y6, Y7)
	VZEROUPPER
	RET

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
	ZERO4(Y0, Y1, Y2, Y3)
	ZERO4(Y4, Y5, Y6, Y7)
	ZERO4(Y8, Y9, Y10, Y11)
	XORQ AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Y12
	VBROADCASTSS (BX)(AX*4), Y13
	VBROADCASTSS (R15)(AX*4), Y14
	IMULQ        R13, R8
	ADDQ         DX, R8
	VMOVUPS      (R8), Y15
	VFMADD231PS  Y15, Y12, Y0
	VFMADD231PS  Y15, Y13, Y4
	VFMADD231PS  Y15, Y14, Y8
	VMOVUPS      32(R8), Y15
	VFMADD231PS  Y15, Y12, Y1
	VFMADD231PS  Y15, Y13, Y5
	VFMADD231PS  Y15, Y14, Y9
	VMOVUPS      64(R8), Y15
	VFMADD231PS  Y15, Y12, Y2
	VFMADD231PS  Y15, Y13, Y6
	VFMADD231PS  Y15, Y14, Y10
	VMOVUPS      96(R8), Y15
	VFMADD231PS  Y15, Y12, Y3
	VFMADD231PS  Y15, Y13, Y7
	VFMADD231PS  Y15, Y14, Y11
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	STOREZ(Y0, Y1, Y2, Y3)
	STOREZ(Y4, Y5, Y6, Y7)
	STOREZ(Y8, Y9, Y10, Y11)
	VZEROUPPER
	RET

// The same with vectors twice as wide.

#define ZEROZ4(a, b, c, d) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c \
	VPXORD d, d, d

// FOLD adds the upper half of a vector to the lower one.
#define FOLD(a, lower) \
	VEXTRACTF64X4 $1, a, Y15 \
	VADDPS        Y15, lower, lower

#define STOREZ4(a, b, c, d) \
	VMOVUPS a, (DI) \
	VMOVUPS b, 64(DI) \
	VMOVUPS c, 128(DI) \
	VMOVUPS d, 192(DI) \
	ADDQ    R9, DI

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

four:
	KEYS
	ZEROZ4(Z0, Z1, Z2, Z3)
	ZEROZ4(Z4, Z5, Z6, Z7)
	XORQ AX, AX

term:
	VMOVUPS     (SI)(AX*1), Z13
	VMOVUPS     (BX)(AX*1), Z14
	VMOVUPS     (R8)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z0
	VFMADD231PS Z12, Z14, Z4
	VMOVUPS     (R9)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z1
	VFMADD231PS Z12, Z14, Z5
	VMOVUPS     (R10)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z2
	VFMADD231PS Z12, Z14, Z6
	VMOVUPS     (R11)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z3
	VFMADD231PS Z12, Z14, Z7
	ADDQ        $64, AX
	CMPQ        AX, R12
	JLT         term

	MOVQ DI, R8
	MOVQ dstStride+8(FP), R9
	FOLD(Z0, Y0)
	FOLD(Z1, Y1)
	FOLD(Z2, Y2)
	FOLD(Z3, Y3)
	FOURSUMS(Y0, Y1, Y2, Y3, X0, X1)
	FOLD(Z4, Y4)
	FOLD(Z5, Y5)
	FOLD(Z6, Y6)
	FOLD(Z7, Y7)
	FOURSUMS(Y4, Y5, Y6, Y7, X4, X5)
	ADDQ $16, DI
	ADDQ $16, R14
	DECQ CX
	JNZ  four
	VZEROUPPER
	RET

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

four:
	KEYS
	ZEROZ4(Z0, Z1, Z2, Z3)
	ZEROZ4(Z4, Z5, Z6, Z7)
	ZEROZ4(Z8, Z9, Z10, Z11)
	XORQ AX, AX

term:
	VMOVUPS     (SI)(AX*1), Z13
	VMOVUPS     (BX)(AX*1), Z14
	VMOVUPS     (R15)(AX*1), Z15
	VMOVUPS     (R8)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z0
	VFMADD231PS Z12, Z14, Z4
	VFMADD231PS Z12, Z15, Z8
	VMOVUPS     (R9)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z1
	VFMADD231PS Z12, Z14, Z5
	VFMADD231PS Z12, Z15, Z9
	VMOVUPS     (R10)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z2
	VFMADD231PS Z12, Z14, Z6
	VFMADD231PS Z12, Z15, Z10
	VMOVUPS     (R11)(AX*1), Z12
	VFMADD231PS Z12, Z13, Z3
	VFMADD231PS Z12, Z14, Z7
	VFMADD231PS Z12, Z15, Z11
	ADDQ        $64, AX
	CMPQ        AX, R12
	JLT         term

	MOVQ DI, R8
	MOVQ dstStride+8(FP), R9
	FOLD(Z0, Y0)
	FOLD(Z1, Y1)
	FOLD(Z2, Y2)
	FOLD(Z3, Y3)
	FOURSUMS(Y0, Y1, Y2, Y3, X0, X1)
	FOLD(Z4, Y4)
	FOLD(Z5, Y5)
	FOLD(Z6, Y6)
	FOLD(Z7, Y7)
	FOURSUMS(Y4, Y5, Y6, Y7, X4, X5)
	FOLD(Z8, Y8)
	FOLD(Z9, Y9)
	FOLD(Z10, Y10)
	FOLD(Z11, Y11)
	FOURSUMS(Y8, Y9, Y10, Y11, X8, X9)
	ADDQ $16, DI
	ADDQ $16, R14
	DECQ CX
	JNZ  four
	VZEROUPPER
	RET

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
	ZEROZ4(Z0, Z1, Z2, Z3)
	ZEROZ4(Z4, Z5, Z6, Z7)
	XORQ AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Z12
	VBROADCASTSS (BX)(AX*4), Z13
	IMULQ        R13, R8
	ADDQ         DX, R8
	VMOVUPS      (R8), Z15
	VFMADD231PS  Z15, Z12, Z0
	VFMADD231PS  Z15, Z13, Z4
	VMOVUPS      64(R8), Z15
	VFMADD231PS  Z15, Z12, Z1
	VFMADD231PS  Z15, Z13, Z5
	VMOVUPS      128(R8), Z15
	VFMADD231PS  Z15, Z12, Z2
	VFMADD231PS  Z15, Z13, Z6
	VMOVUPS      192(R8), Z15
	VFMADD231PS  Z15, Z12, Z3
	VFMADD231PS  Z15, Z13, Z7
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	STOREZ4(Z0, Z1, Z2, Z3)
	STOREZ4(Z4, Z5, Z6, Z7)
	VZEROUPPER
	RET

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
	ZEROZ4(Z0, Z1, Z2, Z3)
	ZEROZ4(Z4, Z5, Z6, Z7)
	ZEROZ4(Z8, Z9, Z10, Z11)
	XORQ AX, AX

value:
	MOVLQSX      (R14)(AX*4), R8
	VBROADCASTSS (SI)(AX*4), Z12
	VBROADCASTSS (BX)(AX*4), Z13
	VBROADCASTSS (R15)(AX*4), Z14
	IMULQ        R13, R8
	ADDQ         DX, R8
	VMOVUPS      (R8), Z15
	VFMADD231PS  Z15, Z12, Z0
	VFMADD231PS  Z15, Z13, Z4
	VFMADD231PS  Z15, Z14, Z8
	VMOVUPS      64(R8), Z15
	VFMADD231PS  Z15, Z12, Z1
	VFMADD231PS  Z15, Z13, Z5
	VFMADD231PS  Z15, Z14, Z9
	VMOVUPS      128(R8), Z15
	VFMADD231PS  Z15, Z12, Z2
	VFMADD231PS  Z15, Z13, Z6
	VFMADD231PS  Z15, Z14, Z10
	VMOVUPS      192(R8), Z15
	VFMADD231PS  Z15, Z12, Z3
	VFMADD231PS  Z15, Z13, Z7
	VFMADD231PS  Z15, Z14, Z11
	INCQ         AX
	CMPQ         AX, CX
	JLT          value

	STOREZ4(Z0, Z1, Z2, Z3)
	STOREZ4(Z4, Z5, Z6, Z7)
	STOREZ4(Z8, Z9, Z10, Z11)
	VZEROUPPER
	RET
