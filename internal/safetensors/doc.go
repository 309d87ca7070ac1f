// Package safetensors reads and writes the safetensors weight format.
//
// A file is an 8-byte little-endian length, a JSON header of that many bytes and one byte buffer. The header names each
// tensor with its data type, its shape and the range of the buffer that holds its values, row-major and little-endian.
// The format is specified at https://github.com/huggingface/safetensors#format; version 0.4 and later demand in
// addition that the ranges cover the buffer without gap or overlap.
//
// [Open] reads nothing but the header, so opening costs the same for 1 MB and for 1 GB. [File.Float32s] then reads one
// tensor straight into the caller's slice, usually a buffer of the compute backend, and [File.Float32sAt] a part of
// one. Files are read and not mapped: pages of a mapping that were copied from would count as the process's memory,
// beside the copy, and a file that is cut short while it is mapped ends the process in place of an error. [OpenFolder]
// puts one file, or the shards that model.safetensors.index.json lists, behind the same methods. [Write] is the
// opposite direction; its output is byte for byte the same for the same tensors.
//
// Headers come from strangers: whatever a header claims is checked before it is believed, and a wrong one is refused
// with an error of one sentence.
package safetensors
