// Package gguf reads GGUF files, llama.cpp's format of one file for a whole model: settings, tokenizer and tensors.
//
// The format is that of ggml's docs/gguf.md, versions 2 and 3, little-endian. A [File] holds the header, whose every
// number is checked against the length of the file before memory is set aside for it; tensors stay in the file until
// they are asked for, whole or in part, and are converted to float32 straight into the caller's memory:
//
//	f, err := gguf.Open("SmolLM2-135M-Instruct.Q4_1.gguf")
//	name, _ := f.Value("general.architecture").(string)           // "llama"
//	err = f.Float32sAt("blk.3.ffn_down.weight", 0, make([]float32, 1536))
//
// A File is a [safetensors.Weights]. Shapes are in row-major order, the fastest dimension last, as everywhere in this
// module; GGUF itself writes them the other way round.
//
// # Quantised types
//
// Rows are stored in blocks of 32 or 256 elements that share a scale (ggml-common.h, ggml-quants.c): F32, F16, BF16,
// F64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K are read. Values equal those of Python's package
// gguf bit for bit.
package gguf
