// Package backends opens what a model's arithmetic runs on: GoMLX compute backends by short names.
//
//   - go: pure Go, part of every build. Vector instructions are used throughout only in a binary built with
//     GOEXPERIMENT=simd, which makes explaining twice and training three times as fast; [Info.Line] says when it was
//     not.
//   - xla:cpu, xla:cuda: XLA through a PJRT plugin, by github.com/gomlx/go-xla. Only in builds with cgo, and only where
//     a plugin is already installed: nothing is ever downloaded from here but by [Install] without a source. Float32
//     products are computed in full precision (go-xla's own default for CUDA is TF32, which keeps 10 of the 23 mantissa
//     bits).
//   - auto: xla:cuda where a GPU is and its plugin works, else go. XLA on the processor computes about as fast as the
//     kernels of go and compiles for seconds first, so it runs only where it is named. [Info.Why] says what was chosen
//     why.
//
// Plugins are looked for in what PJRT_PLUGIN_LIBRARY_PATH lists, files or folders, or else in the folders in which
// [Install] and go-xla put them (~/.local/lib/go-xla, /usr/local/lib/go-xla) and those of LD_LIBRARY_PATH. A file is
// loaded only after its format was checked, and first in a process of its own, so that a broken plugin costs a
// sentence. That process is this program again, which the package's init turns into the trial.
//
// The name can be given by the caller or in the environment variable N2G_BACKEND.
package backends
