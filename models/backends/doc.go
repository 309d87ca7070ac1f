// Package backends opens what a model's arithmetic runs on: GoMLX compute backends by short names.
//
//   - go: pure Go, part of every build. Vector instructions are used throughout only in a binary built with
//     GOEXPERIMENT=simd, which makes explaining twice and training three times as fast; [Info.Line] says when it was not.
//   - xla:cpu, xla:cuda: XLA through a PJRT plugin, by github.com/gomlx/go-xla. Only in builds with cgo, and only where
//     a plugin is already installed: nothing is ever downloaded from here. Float32 products are computed in full
//     precision (go-xla's own default for CUDA is TF32, which keeps 10 of the 23 mantissa bits).
//   - auto: XLA where a plugin is installed, CUDA first; else go.
//
// The name can be given by the caller or in the environment variable N2G_BACKEND.
package backends
