//go:build !amd64

package kernels

func scores(dst, q, keys []float32, stride int, path []int32) {
	scoresPlain(dst, q, keys, stride, path)
}

func mix(z, p, values []float32, stride int, path []int32) { mixPlain(z, p, values, stride, path) }
