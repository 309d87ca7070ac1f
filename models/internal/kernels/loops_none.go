//go:build !(amd64 && goexperiment.simd)

package kernels

import "math"

func largest(x []float32) float32 { return largestPlain(x, float32(math.Inf(-1))) }

func exps(dst, x []float32, shift float32) float32 { return expsPlain(dst, x, shift) }

func sum(x []float32) float32 { return sumPlain(x, 0) }

func squares(x []float32, mean float32) float32 { return squaresPlain(x, mean, 0) }

func add(dst, x []float32) { addPlain(dst, x) }

func relu(x []float32) { reluPlain(x) }

func dot(a, b []float32) float32 { return dotPlain(a, b, 0) }

func mulAdd(dst, a, b []float32) { mulAddPlain(dst, a, b) }

func addScaled(dst, x []float32, c float32) { addScaledPlain(dst, x, c) }

func mul(dst, x []float32) { mulPlain(dst, x) }

func scale(dst, x []float32, shift, c float32) { scalePlain(dst, x, shift, c) }

func gelu(x, exponentials []float32) { geluPlain(x, exponentials) }

func scaleMul(dst, x, weight []float32, c float32) { scaleMulPlain(dst, x, weight, c) }

func divide(x, y []float32) { dividePlain(x, y) }

func rotate(a, b, cos, sin []float32) { rotatePlain(a, b, cos, sin) }
