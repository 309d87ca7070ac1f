package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
)

// view is how a parameter lies in the model's files: the graph functions take it in row-major order of dims, and its
// element (i, j, …) is element offset + i·strides[0] + j·strides[1] + … of the tensor called file.
type view struct {
	file    string
	stored  []int // the shape the file must give
	dims    []int
	strides []int
	offset  int
	shape   []int // dims as the graph functions see them, some merged
	fold    *fold
}

// fold is what becomes of a view when the weight and bias of the norm before a dense layer are made part of it:
// (n ⊙ w + b)·W + c is n·(w ⊙ W) + (b·W + c).
type fold struct {
	scale  string // of W's rows: the vector w; empty for c
	vector string // b, for c
	matrix *view  // W, for c
}

// layout finds the parameters of a model, which the graph functions know by TransformerLens's names, in the files of
// its family. It answers false for a parameter that the family or this model does not have.
type layout func(name string) (view, bool)

// newLayout chooses by family.
func newLayout(c Config, files safetensors.Weights) layout {
	switch c.Family {
	case "gpt2":
		return gpt2Layout(c, prefix(files, "wte.weight", "transformer.", ""))
	case "gpt_neo":
		return gptNeoLayout(c, prefix(files, "wte.weight", "transformer.", ""))
	case "gpt_neox":
		return gptNeoXLayout(c, prefix(files, "embed_in.weight", "gpt_neox.", ""))
	case "opt":
		return optLayout(c, prefix(files, "embed_tokens.weight", "model.decoder.", "decoder."))
	case "olmo":
		return olmoLayout(c, files, prefix(files, "embed_tokens.weight", "model.", ""))
	case "llama", "mistral", "qwen2":
		return llamaLayout(c, files, prefix(files, "embed_tokens.weight", "model.", ""))
	}
	return transformerLensLayout(c, files)
}

// prefix is the one of candidates under which the files hold the probe: Hugging Face's libraries put one before the
// names of a model that was saved with its head.
func prefix(files safetensors.Weights, probe string, candidates ...string) string {
	for _, p := range candidates {
		if _, ok := files.Info(p + probe); ok {
			return p
		}
	}
	return candidates[0]
}

// splitName takes "blocks.3.attn.W_Q" apart: the part of the name behind the layer, and the layer. Parameters outside
// the blocks have layer -1.
func splitName(name string) (part string, layer int) {
	rest, inBlock := strings.CutPrefix(name, "blocks.")
	if !inBlock {
		return name, -1
	}
	number, part, _ := strings.Cut(rest, ".")
	if _, err := fmt.Sscanf(number, "%d", &layer); err != nil {
		return name, -1
	}
	return part, layer
}

// plain is a tensor that is stored as it is used.
func plain(file string, shape ...int) view {
	return view{file: file, stored: shape, dims: shape, strides: rowMajor(shape), shape: shape}
}

// reshaped is a tensor stored in one shape and used, in the same order, in another.
func reshaped(file string, stored []int, shape ...int) view {
	v := plain(file, stored...)
	v.shape = shape
	return v
}

// transposed is a matrix [in, out] stored as [out, in], as PyTorch's Linear does.
func transposed(file string, in, out int) view {
	return view{file: file, stored: []int{out, in}, dims: []int{in, out}, strides: []int{1, in}, shape: []int{in, out}}
}

// rowMajor is the strides of a tensor stored in row-major order.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// size is the number of elements.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// isPlain says that the whole tensor is used in the order it is stored in.
func (v view) isPlain() bool {
	return v.offset == 0 && slices.Equal(v.strides, rowMajor(v.dims)) && size(v.dims) == size(v.stored)
}

// check refuses a view of a tensor that the files do not hold in the expected shape.
func (v view) check(files safetensors.Weights) error {
	info, ok := files.Info(v.file)
	if !ok {
		return fmt.Errorf("the weights lack the tensor %q: the folder does not hold the model that its config.json describes", v.file)
	}
	if !slices.Equal(info.Shape, v.stored) {
		return fmt.Errorf("tensor %q has shape %v, but config.json says %v", v.file, info.Shape, v.stored)
	}
	switch {
	case v.fold == nil:
		return nil
	case v.fold.scale != "":
		return plain(v.fold.scale, v.shape[0]).check(files)
	}
	return plain(v.fold.vector, v.fold.matrix.shape[0]).check(files)
}
