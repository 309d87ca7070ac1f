//go:build !amd64

package kernels

// together says that queries are taken one at a time.
func together(n, dHead int) int { return 1 }

func groupScores(dst []float32, n, count int, q, keys []float32, stride int, path []int32) {
	scoresPlain(dst, q, keys, stride, path)
}

func groupMix(z, p []float32, n, count int, values []float32, stride int, path []int32) {
	mixPlain(z, p, values, stride, path)
}

// wholeVectors is n, rounded up to what scores may write.
func wholeVectors(n int) int { return (n + 3) &^ 3 }
