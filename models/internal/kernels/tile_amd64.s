#include "textflag.h"

// Y0-Y11 hold the tile, two registers a row; Y12 and Y13 a row of the panel; Y14 and Y15 one element of x in all lanes.
//
// The compiler's code for the same loop in Go copies most of these registers at every step and runs at under half of
// the speed.

#define START(a, b) \
	VMOVUPS (R14), a \
	VMOVUPS 32(R14), b \
	ADDQ    BX, R14

#define ROW(x, a, b, v) \
	VBROADCASTSS (x)(AX*1), v \
	VFMADD231PS  Y12, v, a \
	VFMADD231PS  Y13, v, b

#define STORE(a, b) \
	VMOVUPS a, (DI) \
	VMOVUPS b, 32(DI) \
	ADDQ    SI, DI

// R8 to R13 point at the rows of x, which lie BX apart.
#define ROWS \
	LEAQ (R8)(BX*1), R9 \
	LEAQ (R9)(BX*1), R10 \
	LEAQ (R10)(BX*1), R11 \
	LEAQ (R11)(BX*1), R12 \
	LEAQ (R12)(BX*1), R13

// func tileAVX2(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int, panel *float32)
TEXT ·tileAVX2(SB), NOSPLIT, $0-72
	MOVQ start+16(FP), R14
	MOVQ startStride+24(FP), BX
	START(Y0, Y1)
	START(Y2, Y3)
	START(Y4, Y5)
	START(Y6, Y7)
	START(Y8, Y9)
	START(Y10, Y11)

	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), SI
	MOVQ x+32(FP), R8
	MOVQ row+40(FP), BX
	MOVQ term+48(FP), R14
	MOVQ terms+56(FP), CX
	MOVQ panel+64(FP), DX
	ROWS
	XORQ AX, AX

loop:
	VMOVUPS (DX), Y12
	VMOVUPS 32(DX), Y13
	ROW(R8, Y0, Y1, Y14)
	ROW(R9, Y2, Y3, Y15)
	ROW(R10, Y4, Y5, Y14)
	ROW(R11, Y6, Y7, Y15)
	ROW(R12, Y8, Y9, Y14)
	ROW(R13, Y10, Y11, Y15)
	ADDQ    $64, DX
	ADDQ    R14, AX
	DECQ    CX
	JNZ     loop

	STORE(Y0, Y1)
	STORE(Y2, Y3)
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	STORE(Y8, Y9)
	STORE(Y10, Y11)
	VZEROUPPER
	RET

// Z0-Z23 hold four tiles side by side, four registers a row; Z24-Z27 a row of each panel; Z28 and Z29 one element of x in
// all lanes. Each element's sum has the terms of the narrow tile in the same order, so it has the same bits.

#define START4(a, b, c, d) \
	VMOVUPS (R14), a \
	VMOVUPS 64(R14), b \
	VMOVUPS 128(R14), c \
	VMOVUPS 192(R14), d \
	ADDQ    BX, R14

#define ROW4(x, a, b, c, d, v) \
	VBROADCASTSS (x)(AX*1), v \
	VFMADD231PS  Z24, v, a \
	VFMADD231PS  Z25, v, b \
	VFMADD231PS  Z26, v, c \
	VFMADD231PS  Z27, v, d

#define STORE4(a, b, c, d) \
	VMOVUPS a, (DI) \
	VMOVUPS b, 64(DI) \
	VMOVUPS c, 128(DI) \
	VMOVUPS d, 192(DI) \
	ADDQ    SI, DI

// func tileAVX512(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int, panel *float32, panelStride int)
TEXT ·tileAVX512(SB), NOSPLIT, $0-80
	MOVQ start+16(FP), R14
	MOVQ startStride+24(FP), BX
	START4(Z0, Z1, Z2, Z3)
	START4(Z4, Z5, Z6, Z7)
	START4(Z8, Z9, Z10, Z11)
	START4(Z12, Z13, Z14, Z15)
	START4(Z16, Z17, Z18, Z19)
	START4(Z20, Z21, Z22, Z23)

	MOVQ x+32(FP), R8
	MOVQ row+40(FP), BX
	ROWS
	MOVQ term+48(FP), R14
	MOVQ terms+56(FP), CX
	MOVQ panel+64(FP), DX
	MOVQ panelStride+72(FP), BX
	LEAQ (BX)(BX*2), SI
	XORQ AX, AX

loop:
	VMOVUPS (DX), Z24
	VMOVUPS (DX)(BX*1), Z25
	VMOVUPS (DX)(BX*2), Z26
	VMOVUPS (DX)(SI*1), Z27
	ROW4(R8, Z0, Z1, Z2, Z3, Z28)
	ROW4(R9, Z4, Z5, Z6, Z7, Z29)
	ROW4(R10, Z8, Z9, Z10, Z11, Z28)
	ROW4(R11, Z12, Z13, Z14, Z15, Z29)
	ROW4(R12, Z16, Z17, Z18, Z19, Z28)
	ROW4(R13, Z20, Z21, Z22, Z23, Z29)
	ADDQ    $64, DX
	ADDQ    R14, AX
	DECQ    CX
	JNZ     loop

	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), SI
	STORE4(Z0, Z1, Z2, Z3)
	STORE4(Z4, Z5, Z6, Z7)
	STORE4(Z8, Z9, Z10, Z11)
	STORE4(Z12, Z13, Z14, Z15)
	STORE4(Z16, Z17, Z18, Z19)
	STORE4(Z20, Z21, Z22, Z23)
	VZEROUPPER
	RET
