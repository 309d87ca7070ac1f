package weights

import (
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// View is how a parameter lies in the model's files: it is used in row-major order of Dims, and its element (i, j, …)
// is element Offset + i·Strides[0] + j·Strides[1] + … of the tensor called File.
type View struct {
	File    string
	Stored  []int // the shape the file must give
	Dims    []int
	Strides []int
	Offset  int
	Shape   []int // Dims as the parameter is used, some merged
	Fold    *Fold
}

// Fold is what becomes of a view when the weight and bias of the norm before a dense layer are made part of it:
// (n ⊙ w + b)·W + c is n·(w ⊙ W) + (b·W + c).
type Fold struct {
	Scale  string // of W's rows: the vector w; empty for c
	Vector string // b, for c
	Matrix *View  // W, for c
}

// Layout finds the parameters of a model, which are asked for by one set of names, in the files of its family. It
// answers false for a parameter that the family or this model does not have.
type Layout func(name string) (View, bool)

// Plain is a tensor that is stored as it is used.
func Plain(file string, shape ...int) View {
	return View{File: file, Stored: shape, Dims: shape, Strides: RowMajor(shape), Shape: shape}
}

// Reshaped is a tensor stored in one shape and used, in the same order, in another.
func Reshaped(file string, stored []int, shape ...int) View {
	v := Plain(file, stored...)
	v.Shape = shape
	return v
}

// Transposed is a matrix [in, out] stored as [out, in], as PyTorch's Linear does.
func Transposed(file string, in, out int) View {
	return View{File: file, Stored: []int{out, in}, Dims: []int{in, out}, Strides: []int{1, in}, Shape: []int{in, out}}
}

// RowMajor is the strides of a tensor stored in row-major order.
func RowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// Size is the number of elements.
func (v View) Size() int { return size(v.Dims) }

// size is the number of elements of a shape.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// isPlain says that the whole tensor is used in the order it is stored in.
func (v View) isPlain() bool {
	return v.Offset == 0 && slices.Equal(v.Strides, RowMajor(v.Dims)) && size(v.Dims) == size(v.Stored)
}

// Check refuses a view of a tensor that the files do not hold in the expected shape.
func (v View) Check(files safetensors.Weights) error {
	info, ok := files.Info(v.File)
	if !ok {
		return fmt.Errorf("the weights lack the tensor %q, which a model as config.json describes it has", v.File)
	}
	if !slices.Equal(info.Shape, v.Stored) {
		return fmt.Errorf("tensor %q has shape %v, but config.json says %v", v.File, info.Shape, v.Stored)
	}
	switch {
	case v.Fold == nil:
		return nil
	case v.Fold.Scale != "":
		return Plain(v.Fold.Scale, v.Shape[0]).Check(files)
	}
	return Plain(v.Fold.Vector, v.Fold.Matrix.Shape[0]).Check(files)
}

// Heads is a projection to heads, stored [head, in, d_head] (turned: [head, d_head, in]) and used as the matrix
// [in, head·d_head].
func Heads(file string, heads, in, dHead int, turned bool) View {
	v := View{
		File: file, Stored: []int{heads, in, dHead},
		Dims: []int{in, heads, dHead}, Strides: []int{dHead, in * dHead, 1},
		Shape: []int{in, heads * dHead},
	}
	if turned {
		v.Stored, v.Strides = []int{heads, dHead, in}, []int{1, in * dHead, in}
	}
	return v
}
