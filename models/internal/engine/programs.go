package engine

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// program is a compiled graph: some inputs of the call, then the parameters it turned out to need.
type program struct {
	executable compute.Executable
	parameters []string
	outputs    []string // names, where there are any
}

// buildFunc builds a program's graph from its inputs; what it never looks up is never loaded.
type buildFunc func(w transformer.Weights, inputs []*graph.Node) []*graph.Node

// compile builds and compiles. Graph functions panic: that ends here.
func (w *parameters) compile(name string, inputs []shapes.Shape, build buildFunc) (p *program, err error) {
	p = &program{}
	failure := exceptions.TryCatch[error](func() {
		g := graph.NewGraph(w.backend, name)
		nodes := make([]*graph.Node, len(inputs))
		for i, shape := range inputs {
			nodes[i] = graph.Parameter(g, fmt.Sprintf("input %d", i), shape)
		}
		found := map[string]*graph.Node{}
		lookup := func(name string) *graph.Node {
			if node, ok := found[name]; ok {
				return node
			}
			shape, ok := w.shape(name)
			if !ok {
				return nil
			}
			found[name] = graph.Parameter(g, name, shape)
			p.parameters = append(p.parameters, name)
			return found[name]
		}
		if err := g.Compile(build(lookup, nodes)...); err != nil {
			panic(err)
		}
		p.executable = g.Executable()
	})
	if failure != nil {
		return nil, fmt.Errorf("compile %s: %w", name, failure)
	}
	return p, nil
}

// run executes the program and hands each output, flat, to read, in order; the slice is valid only until read returns.
// inputs are []float32, []int32 or []bool.
func (w *parameters) run(p *program, shapes []shapes.Shape, inputs []any, read func(i int, flat any)) (err error) {
	parameters, err := w.buffers(p.parameters)
	if err != nil {
		return err
	}
	buffers := make([]compute.Buffer, 0, len(inputs)+len(parameters))
	donate := make([]bool, len(inputs)+len(parameters))
	for i, input := range inputs {
		buffer, err := w.backend.BufferFromFlatData(0, input, shapes[i])
		if err != nil {
			return fmt.Errorf("hand a batch to the backend: %w", err)
		}
		buffers = append(buffers, buffer)
		donate[i] = true
	}
	buffers = append(buffers, parameters...)
	var outputs []compute.Buffer
	failure := exceptions.TryCatch[error](func() {
		outputs, err = p.executable.Execute(buffers, donate, 0)
	})
	if failure != nil {
		err = failure
	}
	if err != nil {
		return fmt.Errorf("run a batch: %w", err)
	}
	for i, output := range outputs {
		if err := w.readOutput(output, func(flat any) { read(i, flat) }); err != nil {
			return fmt.Errorf("read a batch's result: %w", err)
		}
	}
	return nil
}

// readOutput shows an output's values where they lie, or a copy where the host cannot see them, and frees it.
func (w *parameters) readOutput(output compute.Buffer, read func(flat any)) error {
	defer output.Finalize()
	if w.backend.HasSharedBuffers() {
		flat, err := output.Data()
		if err == nil {
			read(flat)
		}
		return err
	}
	shape, err := output.Shape()
	if err != nil {
		return err
	}
	flat := newFlat(shape)
	if err := output.ToFlatData(flat); err != nil {
		return err
	}
	read(flat)
	return nil
}

// newFlat makes a slice for the values of an output, which are activations or positions.
func newFlat(shape shapes.Shape) any {
	if shape.DType.IsFloat() {
		return make([]float32, shape.Size())
	}
	return make([]int32, shape.Size())
}

// programKey is what programs differ in.
type programKey struct {
	kind   string // what it answers
	layer  int
	hook   string
	layers string // of a scan
	groups int
	rows   int
}

// programs keeps the compiled programs last used.
type programs struct {
	most     int
	compiled atomic.Int64

	mu      sync.Mutex
	entries map[programKey]*list.Element
	recent  *list.List // of *programEntry, last used first
}

type programEntry struct {
	key programKey
	get func() (*program, error)
}

// maxPrograms bounds the compiled programs of a model; buckets make it rarely reached.
const maxPrograms = 512

func newPrograms() *programs {
	return &programs{most: maxPrograms, entries: map[programKey]*list.Element{}, recent: list.New()}
}

// get returns the program of that key, which the first caller compiles while others wait.
func (p *programs) get(key programKey, compile func() (*program, error)) (*program, error) {
	p.mu.Lock()
	element, ok := p.entries[key]
	if ok {
		p.recent.MoveToFront(element)
	} else {
		element = p.recent.PushFront(&programEntry{key, sync.OnceValues(func() (*program, error) {
			p.compiled.Add(1)
			return compile()
		})})
		p.entries[key] = element
		if p.recent.Len() > p.most {
			last := p.recent.Remove(p.recent.Back()).(*programEntry)
			delete(p.entries, last.key) // whoever still runs it keeps it alive
		}
	}
	p.mu.Unlock()
	return element.Value.(*programEntry).get()
}
