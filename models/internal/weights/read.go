package weights

import (
	"cmp"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// Files is a model's files, and the memory that tensors pass through which are stored otherwise than they are used. It
// is used again and again: as garbage it would count with the model, tensor after tensor.
type Files struct {
	safetensors.Weights
	scratch sync.Pool // of *[]float32
}

// borrow calls f with n elements of scratch memory, whose values are arbitrary.
func (s *Files) borrow(n int, f func(block []float32) error) error {
	block, ok := s.scratch.Get().(*[]float32)
	if !ok || cap(*block) < n {
		block = new(make([]float32, n))
	}
	defer s.scratch.Put(block)
	return f((*block)[:n])
}

// read fills dst, of the view's size, from the files.
func (v View) Read(files *Files, dst []float32) error {
	if err := v.readUnfolded(files, dst); err != nil || v.Fold == nil {
		return err
	}
	if v.Fold.Scale != "" {
		return v.foldScale(files, dst)
	}
	return v.foldVector(files, dst)
}

// foldScale multiplies the rows of W.
func (v View) foldScale(files *Files, dst []float32) error {
	scale := make([]float32, v.Shape[0])
	if err := files.Float32s(v.Fold.Scale, scale); err != nil {
		return err
	}
	width := len(dst) / len(scale)
	for i, s := range scale {
		row := dst[i*width : (i+1)*width]
		for j := range row {
			row[j] *= s
		}
	}
	return nil
}

// foldVector adds b·W to c.
func (v View) foldVector(files *Files, dst []float32) error {
	vector, sums := make([]float32, v.Fold.Matrix.Shape[0]), make([]float64, len(dst))
	if err := files.Float32s(v.Fold.Vector, vector); err != nil {
		return err
	}
	return files.borrow(size(v.Fold.Matrix.Shape), func(matrix []float32) error {
		if err := v.Fold.Matrix.readUnfolded(files, matrix); err != nil {
			return err
		}
		for i, x := range vector {
			for j, w := range matrix[i*len(dst) : (i+1)*len(dst)] {
				sums[j] += float64(x) * float64(w)
			}
		}
		for j, sum := range sums {
			dst[j] += float32(sum)
		}
		return nil
	})
}

// blockSize is how many elements are read at a time where they must be brought into another order: enough that each
// line of cache of the destination is written once, and little beside a model.
const blockSize = 1 << 20

// readUnfolded is read without the fold. Every element of the view is read once, and nothing but the view.
func (v View) readUnfolded(files *Files, dst []float32) error {
	if v.isPlain() {
		return files.Float32s(v.File, dst)
	}
	axes := v.axes()
	// From the last axis on, a slab of axes lies in the file without gaps; the axes before it are walked.
	slab, gapless := len(axes), 1
	inPlace := true // whether the slab's elements lie in the parameter as in the file
	for slab > 0 && axes[slab-1].from == gapless {
		slab--
		gapless *= axes[slab].n
		inPlace = inPlace && axes[slab].to == axes[slab].from
	}
	if inPlace {
		return walk(axes[:slab], v.Offset, 0, func(from, to int) error {
			return files.Float32sAt(v.File, from, dst[to:to+gapless])
		})
	}
	outer, inner := axes[slab], gapless/axes[slab].n // the axis along which the slab is cut into blocks
	rows := min(max(1, blockSize/inner), outer.n)
	return files.borrow(rows*inner, func(block []float32) error {
		return walk(axes[:slab], v.Offset, 0, func(from, to int) error {
			for row := 0; row < outer.n; row += rows {
				part := axis{min(rows, outer.n-row), outer.from, outer.to}
				values := block[:part.n*inner]
				if err := files.Float32sAt(v.File, from+row*outer.from, values); err != nil {
					return err
				}
				place(dst[to+row*outer.to:], values, append([]axis{part}, axes[slab+1:]...))
			}
			return nil
		})
	})
}

// axis is one axis of a view: n elements, from apart in the file and to apart in the parameter.
type axis struct{ n, from, to int }

// axes are those of the view in the file's order, without those of one element.
func (v View) axes() []axis {
	var axes []axis
	for i, to := range RowMajor(v.Dims) {
		if v.Dims[i] != 1 {
			axes = append(axes, axis{v.Dims[i], v.Strides[i], to})
		}
	}
	slices.SortStableFunc(axes, func(a, b axis) int { return cmp.Compare(b.from, a.from) })
	return axes
}

// walk calls f with the place of every element of the axes, in the file and in the parameter.
func walk(axes []axis, from, to int, f func(from, to int) error) error {
	if len(axes) == 0 {
		return f(from, to)
	}
	for range axes[0].n {
		if err := walk(axes[1:], from, to, f); err != nil {
			return err
		}
		from, to = from+axes[0].from, to+axes[0].to
	}
	return nil
}

// place copies what lies along the axes, of which there is at least one, to where it belongs.
func place(dst, src []float32, axes []axis) {
	rows, columns := axis{n: 1}, axes[len(axes)-1]
	if len(axes) > 1 {
		rows = axes[len(axes)-2]
	}
	switch {
	case len(axes) > 2:
		for i := range axes[0].n {
			place(dst[i*axes[0].to:], src[i*axes[0].from:], axes[1:])
		}
	case columns.to == 1:
		for i := range rows.n {
			copy(dst[i*rows.to:][:columns.n], src[i*rows.from:])
		}
	default: // a transposition, in tiles, so that each line of cache is read and written once
		const tile = 32
		for i0 := 0; i0 < rows.n; i0 += tile {
			for j0 := 0; j0 < columns.n; j0 += tile {
				for i := i0; i < min(i0+tile, rows.n); i++ {
					for j := j0; j < min(j0+tile, columns.n); j++ {
						dst[i*rows.to+j*columns.to] = src[i*rows.from+j*columns.from]
					}
				}
			}
		}
	}
}
