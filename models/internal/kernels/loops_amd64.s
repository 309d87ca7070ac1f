//go:build goexperiment.simd

#include "textflag.h"

// func expsAVX512(dst, x *float32, n int, shift float32, constants *expConstants, sums *[8]float32)
//
// Each lane takes the steps of exps in Go, and the sums of eight lanes are those of vectors of eight: the same bits.
TEXT ·expsAVX512(SB), NOSPLIT, $0-48
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS shift+24(FP), Z16
	MOVQ         constants+32(FP), DX
	VBROADCASTSS (DX), Z17
	VBROADCASTSS 4(DX), Z18
	VBROADCASTSS 8(DX), Z19
	VBROADCASTSS 12(DX), Z20
	VBROADCASTSS 16(DX), Z21
	VBROADCASTSS 20(DX), Z22
	VBROADCASTSS 24(DX), Z23
	VBROADCASTSS 28(DX), Z24
	VBROADCASTSS 32(DX), Z25
	VBROADCASTSS 36(DX), Z26
	VBROADCASTSS 40(DX), Z27
	VBROADCASTSS 44(DX), Z28
	VPBROADCASTD 48(DX), Z29
	VXORPS       Y15, Y15, Y15

vector:
	VMOVUPS (SI), Z0
	VSUBPS  Z16, Z0, Z0
	VMAXPS  Z17, Z0, Z0
	VMINPS  Z18, Z0, Z0

	// n, the power of two, in Z1; what is left, r, in Z0.
	VMULPS       Z19, Z0, Z1
	VRNDSCALEPS  $0, Z1, Z1
	VFMADD231PS  Z20, Z1, Z0
	VFMADD231PS  Z21, Z1, Z0

	// The polynomial, in Z2.
	VMOVAPS     Z22, Z2
	VFMADD213PS Z23, Z0, Z2
	VFMADD213PS Z24, Z0, Z2
	VFMADD213PS Z25, Z0, Z2
	VFMADD213PS Z26, Z0, Z2
	VFMADD213PS Z27, Z0, Z2
	VMULPS      Z0, Z0, Z3
	VFMADD213PS Z0, Z3, Z2
	VADDPS      Z28, Z2, Z2

	VCVTPS2DQ Z1, Z1
	VPADDD    Z29, Z1, Z1
	VPSLLD    $23, Z1, Z1
	VMULPS    Z1, Z2, Z2
	VMOVUPS   Z2, (DI)

	VADDPS        Y2, Y15, Y15
	VEXTRACTF64X4 $1, Z2, Y3
	VADDPS        Y3, Y15, Y15
	ADDQ          $64, SI
	ADDQ          $64, DI
	DECQ          CX
	JNZ           vector

	MOVQ    sums+40(FP), DX
	VMOVUPS Y15, (DX)
	VZEROUPPER
	RET

// func largestAVX512(x *float32, n int) float32
TEXT ·largestAVX512(SB), NOSPLIT, $0-20
	MOVQ    x+0(FP), SI
	MOVQ    n+8(FP), CX
	VMOVUPS (SI), Z0
	VMOVAPS Z0, Z1

pair:
	VMAXPS (SI), Z0, Z0
	VMAXPS 64(SI), Z1, Z1
	ADDQ   $128, SI
	DECQ   CX
	JNZ    pair

	VMAXPS        Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VMAXPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x0e, X0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x01, X0, X1
	VMAXPS        X1, X0, X0
	VMOVSS        X0, ret+16(FP)
	VZEROUPPER
	RET
