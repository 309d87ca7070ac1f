package weights

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
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

// Whatever a view picks of a tensor and in whatever order, it gets the right elements, reads each once and nothing
// else.
func TestViewsReadEachElementOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	views := []View{
		Transposed("t", 900, 3000), // more than a block
		Transposed("t", 2*blockSize, 3),
		Transposed("t", 3, 2*blockSize),
		Heads("t", 3, 50, 7, false), Heads("t", 3, 50, 7, true), Heads("t", 1, 1, 1, true),
		Plain("t", 5, 4), Plain("t"), Reshaped("t", []int{4, 2, 3}, 8, 3),
	}
	for range 300 {
		// A box cut out of a tensor, its axes in any order.
		var stored, dims, strides []int
		for range 1 + rng.IntN(4) {
			stored = append(stored, 1+rng.IntN(9))
		}
		offset, steps := 0, RowMajor(stored)
		for _, axis := range rng.Perm(len(stored)) {
			from := rng.IntN(stored[axis])
			dims, strides = append(dims, 1+rng.IntN(stored[axis]-from)), append(strides, steps[axis])
			offset += from * steps[axis]
		}
		views = append(views, View{File: "t", Stored: stored, Dims: dims, Strides: strides, Offset: offset, Shape: dims})
	}
	for _, v := range views {
		files := &counter{v.Stored, make([]int, size(v.Stored))}
		got, want := make([]float32, size(v.Dims)), make([]int, size(v.Stored))
		if err := v.Read(&Files{Weights: files}, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			at := v.Offset
			for rest, axis := i, len(v.Dims)-1; axis >= 0; axis-- {
				at += rest % v.Dims[axis] * v.Strides[axis]
				rest /= v.Dims[axis]
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
	if err := safetensors.Write(data, []safetensors.Tensor{{Name: "t", Shape: []int{6, 4}, Data: make([]float32, 24)}},
		nil); err != nil {
		t.Fatal(err)
	}
	whole := data.String()
	files, err := safetensors.NewReader(strings.NewReader(whole[:len(whole)-4]), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]View{
		"plain": Plain("t", 6, 4), "transposed": Transposed("t", 4, 6),
		"columns": {File: "t", Stored: []int{6, 4}, Offset: 2, Dims: []int{6, 2}, Strides: []int{4, 1}, Shape: []int{6, 2}},
	} {
		if err := v.Read(&Files{Weights: files}, make([]float32, size(v.Dims))); err == nil ||
			!strings.Contains(err.Error(), `"t"`) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
