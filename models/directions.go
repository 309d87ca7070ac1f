package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/engine"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// encoder makes of a hook point's values others: features of an auto-encoder, or products with directions.
type encoder interface {
	// Encode computes all of rows of x [rows, width] to dst [rows, …].
	Encode(dst, x []float32, rows int)
	// Feature computes one of them to dst [rows]: the same bits.
	Feature(dst, x []float32, rows, index int)
}

// features is an auto-encoder as an encoder.
var _ encoder = (*sae.SAE)(nil)

// products are dot products with directions.
type products struct{ *kernels.Matrix }

func (p products) Encode(dst, x []float32, rows int) { p.Mul(dst, x, rows) }

func (p products) Feature(dst, x []float32, rows, index int) { p.Column(dst, x, rows, index) }

// Directions are vectors that hook points are multiplied by; those of one hook point have its width.
type Directions struct {
	vectors [][]float32
	digest  string

	mu    sync.Mutex
	heads map[headsKey]products
}

// headsKey names what results of heads are products with.
type headsKey struct {
	engine *engine.Causal
	layer  int
}

// mostDirections bounds a file of them: 1 GiB.
const mostDirections = 1 << 30

// ReadDirections reads vectors: JSON, a list of numbers or a list of such lists, or a file of it; or a safetensors file
// with one tensor, [width] or [count, width].
func ReadDirections(text string) (*Directions, error) {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "[") {
		return parseDirections([]byte(text))
	}
	d, err := readDirections(text)
	if err != nil {
		return nil, fmt.Errorf("directions of %s: %w", text, err)
	}
	return d, nil
}

func readDirections(path string) (*Directions, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > mostDirections:
		return nil, errors.New("it is no file of vectors: they are JSON or one tensor in a safetensors file")
	case !strings.HasSuffix(path, ".safetensors"):
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return parseDirections(data)
	}
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // it is only read
	names := file.Names()
	if len(names) != 1 {
		return nil, fmt.Errorf("it holds %d tensors: leave the one that has the directions, [width] or [count, width]",
			len(names))
	}
	tensor, _ := file.Info(names[0])
	shape := tensor.Shape
	if len(shape) == 1 {
		shape = []int{1, shape[0]}
	}
	if len(shape) != 2 {
		return nil, fmt.Errorf("its tensor has shape %v, but directions have [width] or [count, width]", tensor.Shape)
	}
	values := make([]float32, tensor.Len())
	if err := file.Float32s(names[0], values); err != nil {
		return nil, err
	}
	var vectors [][]float32
	for ; len(values) > 0 && len(vectors) < shape[0]; values = values[shape[1]:] {
		vectors = append(vectors, values[:shape[1]])
	}
	return newDirections(vectors)
}

func parseDirections(data []byte) (*Directions, error) {
	var vectors [][]float32
	decoder := json.NewDecoder(bytes.NewReader(data))
	var list []json.RawMessage
	err := decoder.Decode(&list)
	if _, more := decoder.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("something stands behind the list")
	}
	if err == nil && len(list) > 0 && bytes.HasPrefix(bytes.TrimSpace(list[0]), []byte("[")) {
		err = json.Unmarshal(data, &vectors)
	} else if err == nil {
		vectors = make([][]float32, 1)
		err = json.Unmarshal(data, &vectors[0])
	}
	if err != nil {
		return nil, fmt.Errorf("directions are a JSON list of numbers, or a list of such lists: %w", err)
	}
	return newDirections(vectors)
}

func newDirections(vectors [][]float32) (*Directions, error) {
	if len(vectors) == 0 || len(vectors[0]) == 0 {
		return nil, errors.New("there is no direction: give at least one vector")
	}
	sum := sha256.New()
	for i, v := range vectors {
		if len(v) != len(vectors[0]) {
			return nil, fmt.Errorf("direction %d has %d numbers, and the first has %d", i, len(v), len(vectors[0]))
		}
		zero := true
		for k, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("direction %d has %g at place %d", i, x, k)
			}
			zero = zero && x == 0
			fmt.Fprintf(sum, "%08x", math.Float32bits(x))
		}
		if zero {
			return nil, fmt.Errorf("direction %d is all zeros: nothing lies along it", i)
		}
		fmt.Fprintln(sum)
	}
	return &Directions{vectors: vectors, digest: fmt.Sprintf("%x", sum.Sum(nil)[:8])}, nil
}

// WithDirections is the model with directions beside it: hook points that end in [dir] have the products of their
// values with each. It shares everything else with m: closing one closes both.
func (m *Causal) WithDirections(d *Directions) *Causal {
	with := *m
	with.directions = d
	return &with
}

// Beside tells what stands beside the model that a hook reads through, an auto-encoder or directions, from others of
// its kind; empty where nothing does.
func (m *Causal) Beside(hook string) string {
	switch {
	case strings.HasSuffix(hook, "[sae]") && m.sae != nil:
		return "auto-encoder " + m.sae.Digest()
	case strings.HasSuffix(hook, "[dir]") && m.directions != nil:
		return "directions " + m.directions.digest
	}
	return ""
}

// along is the encoder of a hook point's values along the model's directions, and how many numbers that gives.
func (m *Causal) along(layer int, point string) (encoder, int, error) {
	d := m.directions
	if d == nil {
		return nil, 0, errors.New("a direction is asked, but none is given: name its file, or its numbers, with -direction")
	}
	width, shape := len(d.vectors[0]), m.config.shape()
	want := shape.DModel
	if point != hookResult {
		want = shape.Width(point)
	}
	if width != want {
		return nil, 0, fmt.Errorf("the direction has %d numbers, but %s of layer %d has %d", width, point, layer, want)
	}
	n := len(d.vectors)
	if point != hookResult {
		p := products{kernels.NewMatrix(width, n)}
		for i, v := range d.vectors {
			p.SetTransposed(i, 1, v, nil)
		}
		return p, n, nil
	}
	if err := m.local("results of heads"); err != nil {
		return nil, 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := headsKey{m.engine, layer}
	if p, ok := d.heads[key]; ok {
		return p, n * shape.Heads, nil
	}
	name := transformer.BlockName(layer, "attn.W_O") // [heads, d_head, d_model]
	out, err := m.engine.Parameter(name)
	if err != nil {
		return nil, 0, err
	}
	p := products{kernels.NewMatrix(shape.Heads*shape.DHead, n*shape.Heads)}
	for i, v := range d.vectors {
		for head := range shape.Heads {
			column := make([]float32, shape.Heads*shape.DHead)
			for k := range shape.DHead {
				row := head*shape.DHead + k
				sum := 0.0
				for j, w := range out[row*width : (row+1)*width] {
					sum += float64(w) * float64(v[j])
				}
				column[row] = float32(sum)
			}
			p.SetTransposed(i*shape.Heads+head, 1, column, nil)
		}
	}
	if d.heads == nil {
		d.heads = map[headsKey]products{}
	}
	d.heads[key] = p
	return p, n * shape.Heads, nil
}

// hookResult is what each head adds to the residual stream, [heads, d_model], without b_O: read along directions only.
const hookResult = "attn.hook_result"
