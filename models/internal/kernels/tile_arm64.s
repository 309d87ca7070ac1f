#include "textflag.h"

// V0-V23 hold the tile, four registers a row; V24-V27 a row of the panel; V28 and V29 one element of x in all lanes.

#define START(a, b, c, d) \
	VLD1 (R2), [a.S4, b.S4, c.S4, d.S4] \
	ADD  R3, R2

#define ROW(x, a, b, c, d, v) \
	VLD1R (x), [v.S4] \
	ADD   R11, x \
	VFMLA V24.S4, v.S4, a.S4 \
	VFMLA V25.S4, v.S4, b.S4 \
	VFMLA V26.S4, v.S4, c.S4 \
	VFMLA V27.S4, v.S4, d.S4

#define STORE(a, b, c, d) \
	VST1 [a.S4, b.S4, c.S4, d.S4], (R0) \
	ADD  R1, R0

// func tileNEON(dst *float32, stride int, start *float32, startStride int, x *float32, row, term, terms int, panel *float32)
TEXT ·tileNEON(SB), NOSPLIT, $0-72
	MOVD start+16(FP), R2
	MOVD startStride+24(FP), R3
	START(V0, V1, V2, V3)
	START(V4, V5, V6, V7)
	START(V8, V9, V10, V11)
	START(V12, V13, V14, V15)
	START(V16, V17, V18, V19)
	START(V20, V21, V22, V23)

	MOVD x+32(FP), R4
	MOVD row+40(FP), R10
	MOVD term+48(FP), R11
	MOVD terms+56(FP), R12
	MOVD panel+64(FP), R13
	ADD  R10, R4, R5
	ADD  R10, R5, R6
	ADD  R10, R6, R7
	ADD  R10, R7, R8
	ADD  R10, R8, R9

loop:
	VLD1.P 64(R13), [V24.S4, V25.S4, V26.S4, V27.S4]
	ROW(R4, V0, V1, V2, V3, V28)
	ROW(R5, V4, V5, V6, V7, V29)
	ROW(R6, V8, V9, V10, V11, V28)
	ROW(R7, V12, V13, V14, V15, V29)
	ROW(R8, V16, V17, V18, V19, V28)
	ROW(R9, V20, V21, V22, V23, V29)
	SUBS   $1, R12
	BNE    loop

	MOVD dst+0(FP), R0
	MOVD stride+8(FP), R1
	STORE(V0, V1, V2, V3)
	STORE(V4, V5, V6, V7)
	STORE(V8, V9, V10, V11)
	STORE(V12, V13, V14, V15)
	STORE(V16, V17, V18, V19)
	STORE(V20, V21, V22, V23)
	RET
