// Package tiny holds two small language models, and text to try them on, inside the program: a three-layer SoLU model
// and a three-layer DistilBERT, both trained by this repository (package train) on the Go toolchain's source tree, and
// the part of that tree which training never saw.
//
// The reference "tiny" opens them:
//
//	model, err := models.Open("tiny", models.Options{})
//	masked, err := models.OpenMasked("tiny", models.Options{})
//
// So does it a sparse auto-encoder of the causal model, whose features can be explained like its neurons:
//
//	model, err := models.Open("tiny", models.Options{SAE: "tiny"})
//
// How they were trained, and how good they are, stands in docs/training.md; config.json of each has the figures.
//
// The text is part of the Go distribution, copyright The Go Authors, and comes under the BSD licence that lies in the
// file LICENSE of [Sample].
package tiny

//go:generate go run ./internal/remake
//go:generate go run ../../cmd/n2g train sae -site blocks.1.hook_resid_post -features 512 -steps 4000 -half -out sae
//go:generate rm sae.checkpoint.safetensors
