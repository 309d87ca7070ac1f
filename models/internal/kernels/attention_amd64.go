package kernels

// vector is how many elements the assembly takes at a time.
const vector = 8

// scores writes q·k to dst for the keys of the rows on the path, and anything up to the next multiple of four.
func scores(dst, q, keys []float32, stride int, path []int32) {
	if !vectors || len(q)%vector != 0 {
		scoresPlain(dst, q, keys, stride, path)
		return
	}
	whole := len(path) &^ 3
	if whole > 0 {
		_ = dst[whole-1]
		scoresAVX2(&dst[0], &q[0], &keys[0], len(q)*4, stride*4, &path[0], whole/4)
	}
	if rest := path[whole:]; len(rest) > 0 {
		_ = dst[whole+3]
		four := [4]int32{rest[0], rest[0], rest[0], rest[0]}
		copy(four[:], rest)
		scoresAVX2(&dst[whole], &q[0], &keys[0], len(q)*4, stride*4, &four[0], 1)
	}
}

// mix writes Σ p·v to z for the values of the rows on the path, of which there is at least one.
func mix(z, p, values []float32, stride int, path []int32) {
	_ = p[len(path)-1]
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

// mix32AVX2 is mix of four vectors and n rows, with the stride in bytes.
//
//go:noescape
func mix32AVX2(z, p, values *float32, stride int, path *int32, n int)

// mix8AVX2 is mix32AVX2 of one vector.
//
//go:noescape
func mix8AVX2(z, p, values *float32, stride int, path *int32, n int)
