//go:build !goexperiment.simd

package backends

// simd says whether the pure Go backend's vector kernels are in this build.
const simd = false
