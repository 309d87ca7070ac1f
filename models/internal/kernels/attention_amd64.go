package kernels

// How many elements the assembly takes at a time, with AVX2 and with AVX-512.
const (
	vector     = 8
	wideVector = 16
)

// wholeVectors is n, rounded up to whole vectors.
func wholeVectors(n int) int {
	if wideVectors {
		return (n + wideVector - 1) &^ (wideVector - 1)
	}
	return (n + vector - 1) &^ (vector - 1)
}

// together is how many of n queries that share their keys and values are best taken at a time.
func together(n, dHead int) int {
	if !vectors || dHead%(4*vector) != 0 || n < 2 {
		return 1
	}
	if n == 3 || n > 4 {
		return 3
	}
	return 2
}

// groupScores writes q·k to count rows of dst, n elements apart, for as many queries side by side; of at least four
// elements each, and to a multiple of four.
func groupScores(dst []float32, n, count int, q, keys []float32, stride int, path []int32) {
	width := len(q) / count
	if count == 1 {
		scores(dst, q, keys, stride, path)
		return
	}
	whole := len(path) &^ 3
	if whole > 0 {
		_ = dst[(count-1)*n+whole-1]
		fours(count, &dst[0], n*4, &q[0], &keys[0], width*4, stride*4, &path[0], whole/4)
	}
	if rest := path[whole:]; len(rest) > 0 {
		_ = dst[(count-1)*n+whole+3]
		four := [4]int32{rest[0], rest[0], rest[0], rest[0]}
		copy(four[:], rest)
		fours(count, &dst[whole], n*4, &q[0], &keys[0], width*4, stride*4, &four[0], 1)
	}
}

// fours is the function for two or three queries of so many bytes.
func fours(count int, dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, n int) {
	wide := wideVectors && width%(4*wideVector) == 0
	switch {
	case wide && count == 2:
		scores2AVX512(dst, dstStride, q, keys, width, stride, path, n)
	case wide:
		scores3AVX512(dst, dstStride, q, keys, width, stride, path, n)
	case count == 2:
		scores2AVX2(dst, dstStride, q, keys, width, stride, path, n)
	default:
		scores3AVX2(dst, dstStride, q, keys, width, stride, path, n)
	}
}

// groupMix writes Σ p·v to as many rows of z, which lie side by side, for count rows of p, n elements apart.
func groupMix(z, p []float32, n, count int, values []float32, stride int, path []int32) {
	width := len(z) / count
	if count == 1 {
		mix(z, p, values, stride, path)
		return
	}
	_ = p[(count-1)*n+len(path)-1]
	at := 0
	for ; wideVectors && at+4*wideVector <= width; at += 4 * wideVector {
		if count == 2 {
			mix2AVX512(&z[at], width*4, &p[0], n*4, &values[at], stride*4, &path[0], len(path))
		} else {
			mix3AVX512(&z[at], width*4, &p[0], n*4, &values[at], stride*4, &path[0], len(path))
		}
	}
	for ; at < width; at += 4 * vector {
		if count == 2 {
			mix2AVX2(&z[at], width*4, &p[0], n*4, &values[at], stride*4, &path[0], len(path))
		} else {
			mix3AVX2(&z[at], width*4, &p[0], n*4, &values[at], stride*4, &path[0], len(path))
		}
	}
}

// scores writes q·k to dst for the keys of the rows on the path, and anything up to the next multiple of four.
func scores(dst, q, keys []float32, stride int, path []int32) {
	if !vectors || len(q)%vector != 0 {
		scoresPlain(dst, q, keys, stride, path)
		return
	}
	fours := scoresAVX2
	if wideVectors && len(q)%wideVector == 0 {
		fours = scoresAVX512
	}
	whole := len(path) &^ 3
	if whole > 0 {
		_ = dst[whole-1]
		fours(&dst[0], &q[0], &keys[0], len(q)*4, stride*4, &path[0], whole/4)
	}
	if rest := path[whole:]; len(rest) > 0 {
		_ = dst[whole+3]
		four := [4]int32{rest[0], rest[0], rest[0], rest[0]}
		copy(four[:], rest)
		fours(&dst[whole], &q[0], &keys[0], len(q)*4, stride*4, &four[0], 1)
	}
}

// mix writes Σ p·v to z for the values of the rows on the path, of which there is at least one.
func mix(z, p, values []float32, stride int, path []int32) {
	_ = p[len(path)-1]
	if wideVectors {
		for ; len(z) >= 4*wideVector; z = z[4*wideVector:] {
			mix64AVX512(&z[0], &p[0], &values[0], stride*4, &path[0], len(path))
			values = values[4*wideVector:]
		}
	}
	if vectors {
		for ; len(z) >= 4*vector; z = z[4*vector:] { // four vectors at a time, so that one weight serves them all
			mix32AVX2(&z[0], &p[0], &values[0], stride*4, &path[0], len(path))
			values = values[4*vector:]
		}
		for ; len(z) >= vector; z = z[vector:] {
			mix8AVX2(&z[0], &p[0], &values[0], stride*4, &path[0], len(path))
			values = values[vector:]
		}
	}
	if len(z) > 0 {
		mixPlain(z, p, values, stride, path)
	}
}

// scoresAVX2 is scores for so many fours of keys, with width and stride in bytes.
//
//go:noescape
func scoresAVX2(dst, q, keys *float32, width, stride int, path *int32, fours int)

// scoresAVX512 is scoresAVX2 with vectors twice as wide.
//
//go:noescape
func scoresAVX512(dst, q, keys *float32, width, stride int, path *int32, fours int)

// mix32AVX2 is mix of four vectors and n rows, with the stride in bytes.
//
//go:noescape
func mix32AVX2(z, p, values *float32, stride int, path *int32, n int)

// mix64AVX512 is mix32AVX2 with vectors twice as wide.
//
//go:noescape
func mix64AVX512(z, p, values *float32, stride int, path *int32, n int)

// mix8AVX2 is mix32AVX2 of one vector.
//
//go:noescape
func mix8AVX2(z, p, values *float32, stride int, path *int32, n int)

// scores2AVX2 is scoresAVX2 of two queries side by side, for rows of dst that lie dstStride bytes apart.
//
//go:noescape
func scores2AVX2(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)

// scores3AVX2 is scores2AVX2 of three queries.
//
//go:noescape
func scores3AVX2(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)

// mix2AVX2 is mix32AVX2 of two rows of weights, for rows of z and p that lie so many bytes apart.
//
//go:noescape
func mix2AVX2(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)

// mix3AVX2 is mix2AVX2 of three rows.
//
//go:noescape
func mix3AVX2(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)

// scores2AVX512 is scores2AVX2 with vectors twice as wide, and so on.
//
//go:noescape
func scores2AVX512(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)

//go:noescape
func scores3AVX512(dst *float32, dstStride int, q, keys *float32, width, stride int, path *int32, fours int)

//go:noescape
func mix2AVX512(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)

//go:noescape
func mix3AVX512(z *float32, zStride int, p *float32, pStride int, values *float32, stride int, path *int32, n int)
