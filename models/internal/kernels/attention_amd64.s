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
