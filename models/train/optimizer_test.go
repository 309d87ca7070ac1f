package train

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// orthogonalized is the singular values of the matrices that [orthogonal] makes, without its scale.
func orthogonalized(t *testing.T, values []float32, dims []int) []float64 {
	t.Helper()
	backend, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	program, err := NewExec(backend, func(x *Node) *Node { return orthogonal(x) })
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Call(tensor(values, dims))
	if err != nil {
		t.Fatal(err)
	}
	rows, columns := dims[len(dims)-2], dims[len(dims)-1]
	flat := tensors.MustCopyFlatData[float32](out[0])
	byKernels := slices.Clone(values)
	newOrthogonalizer(dims).apply(byKernels)
	for i, v := range flat {
		if math.Abs(float64(v-byKernels[i])) > 1e-5 {
			t.Fatalf("%v: element %d is %g by the graph, %g by kernels", dims, i, v, byKernels[i])
		}
	}
	var all []float64
	for ; len(flat) > 0; flat = flat[rows*columns:] {
		matrix := mat.NewDense(rows, columns, nil)
		for i := range rows * columns {
			matrix.Set(i/columns, i%columns, float64(flat[i])/(muonRMS*math.Sqrt(float64(max(rows, columns)))))
		}
		var svd mat.SVD
		if !svd.Factorize(matrix, mat.SVDNone) {
			t.Fatal("no singular values")
		}
		all = append(all, svd.Values(nil)...)
	}
	return all
}
