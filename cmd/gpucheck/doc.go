// Command gpucheck checks on a machine with a GPU what cannot be checked elsewhere: that models give there the values
// that they should, and how fast. It needs nothing but a PJRT plugin, the golden models of testdata and this binary;
// the script gpu-check.sh beside it puts the three together, and `make gpu-check` builds what has to be carried there.
//
// It runs parts, each as a process of its own, so that one that fails or takes the plugin down with it costs no other:
//
//   - golden: activations, maxima of a scan, a whole run and logits of each golden model, against PyTorch's;
//   - family: the families that have no golden model, with small random weights, against the pure Go backend, which the
//     tests of package models compare with plain loops;
//   - train: a few steps of training, against the same on the pure Go backend;
//   - speed: tokens a second of a six-layer SoLU of d_model 768 and of a model of GPT-2 small's size, for several batch
//     sizes, with the memory of the device; then the same on the pure Go backend;
//   - explain: whole explanations of neurons of that SoLU model, on both.
//
// After each part it rewrites a report in Markdown, made for docs/benchmarks.md. With -backend go the same runs
// anywhere.
package main
