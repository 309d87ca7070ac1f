package models

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
)

// counter counts how often each element of its one tensor, whose values are 0, 1, 2 …, is read.
type counter struct {
	shape []int
	read  []int
}

func (c *counter) Names() []string { return []string{"t"} }
func (c *counter) Close() error    { return nil }

func (c *counter) Info(name string) (safetensors.Info, bool) {
	return safetensors.Info{Name: name, DType: safetensors.F32, Shape: c.shape}, name == "t"
}

func (c *counter) Float32s(name string, dst []float32) error { return c.Float32sAt(name, 0, dst) }

func (c *counter) Float32sAt(_ string, first int, dst []float32) error {
	for i := range dst {
		c.read[first+i]++
		dst[i] = float32(first + i)
	}
	return nil
}

// Whatever a view picks of a tensor and in whatever order, it gets the right elements, reads each once and nothing else.
func TestViewsReadEachElementOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	views := []view{
		transposed("t", 900, 3000), // more than a block
		transposed("t", 2*blockSize, 3),
		transposed("t", 3, 2*blockSize),
		headMatrix("t", 3, 50, 7, false), headMatrix("t", 3, 50, 7, true), headMatrix("t", 1, 1, 1, true),
		plain("t", 5, 4), plain("t"), reshaped("t", []int{4, 2, 3}, 8, 3),
	}
	for range 300 {
		// A box cut out of a tensor, its axes in any order.
		var stored, dims, strides []int
		for range 1 + rng.IntN(4) {
			stored = append(stored, 1+rng.IntN(9))
		}
		offset, steps := 0, rowMajor(stored)
		for _, axis := range rng.Perm(len(stored)) {
			from := rng.IntN(stored[axis])
			dims, strides = append(dims, 1+rng.IntN(stored[axis]-from)), append(strides, steps[axis])
			offset += from * steps[axis]
		}
		views = append(views, view{file: "t", stored: stored, dims: dims, strides: strides, offset: offset, shape: dims})
	}
	for _, v := range views {
		files := &counter{v.stored, make([]int, size(v.stored))}
		got, want := make([]float32, size(v.dims)), make([]int, size(v.stored))
		if err := v.read(&source{Weights: files}, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			at := v.offset
			for rest, axis := i, len(v.dims)-1; axis >= 0; axis-- {
				at += rest % v.dims[axis] * v.strides[axis]
				rest /= v.dims[axis]
			}
			if want[at]++; got[i] != float32(at) {
				t.Fatalf("%+v: element %d is number %g of the file, want %d", v, i, got[i], at)
			}
		}
		if !slices.Equal(files.read, want) {
			t.Fatalf("%+v: elements are read in excess", v)
		}
	}
}

// What the files cannot give is an error, however a view reads.
func TestViewsOfCutFiles(t *testing.T) {
	data := &strings.Builder{}
	if err := safetensors.Write(data, []safetensors.Tensor{{Name: "t", Shape: []int{6, 4}, Data: make([]float32, 24)}}, nil); err != nil {
		t.Fatal(err)
	}
	whole := data.String()
	files, err := safetensors.NewReader(strings.NewReader(whole[:len(whole)-4]), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]view{
		"plain": plain("t", 6, 4), "transposed": transposed("t", 4, 6),
		"columns": {file: "t", stored: []int{6, 4}, offset: 2, dims: []int{6, 2}, strides: []int{4, 1}, shape: []int{6, 2}},
	} {
		if err := v.read(&source{Weights: files}, make([]float32, size(v.dims))); err == nil || !strings.Contains(err.Error(), `"t"`) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
