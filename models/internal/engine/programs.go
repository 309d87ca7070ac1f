package engine

import (
	"container/list"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// device is a backend with a model's parameters and the programs compiled for it so far.
//
// A program is a piece of a pass: the embedding, a layer, what is read at a site. A layer's parameters are inputs of
// its program, so that one serves all layers of equal shape, however many a model has.
type device struct {
	*parameters
	cached *programs
	// layer is what the names of a layer's parameters begin with.
	layer func(l int) string
}

func newDevice(p *parameters, layer func(l int) string) *device {
	return &device{parameters: p, cached: newPrograms(), layer: layer}
}

// buildFunc builds a program's graph from its inputs; what it never looks up is never loaded. Names are those of
// outputs, where there are any.
type buildFunc func(w transformer.Weights, inputs []*graph.Node) (outputs []*graph.Node, names []string)

// plan is a program that may have been compiled already: what it differs in from others, its inputs and its graph,
// built with the parameters of layer key.layer.
type plan struct {
	key    programKey
	inputs []shapes.Shape
	build  buildFunc
}

// program is a compiled graph: some inputs of the call, then the parameters it turned out to need.
type program struct {
	executable compute.Executable
	parameters []string
	layer      string   // what the names of the layer's parameters begin with
	outputs    []string // names, where there are any
}

// get returns a plan's program.
func (d *device) get(p plan) (*program, error) {
	return d.cached.get(p.key, func() (*program, error) { return d.compile(p) })
}

// compile builds and compiles. Graph functions panic: that ends here.
func (d *device) compile(of plan) (p *program, err error) {
	p = &program{layer: d.layer(of.key.layer)}
	failure := exceptions.TryCatch[error](func() {
		g := graph.NewGraph(d.backend, of.key.kind)
		nodes := make([]*graph.Node, len(of.inputs))
		for i, shape := range of.inputs {
			nodes[i] = graph.Parameter(g, fmt.Sprintf("input %d", i), shape)
		}
		found := map[string]*graph.Node{}
		lookup := func(name string) *graph.Node {
			if node, ok := found[name]; ok {
				return node
			}
			shape, ok := d.shape(name)
			if !ok {
				return nil
			}
			found[name] = graph.Parameter(g, name, shape)
			p.parameters = append(p.parameters, name)
			return found[name]
		}
		outputs, names := of.build(lookup, nodes)
		if err := g.Compile(outputs...); err != nil {
			panic(err)
		}
		p.executable, p.outputs = g.Executable(), names
	})
	if failure != nil {
		return nil, fmt.Errorf("compile %s: %w", of.key.kind, failure)
	}
	backends.Trim()
	return p, nil
}

// upload hands values, []float32, []int32 or []bool, to the backend.
func (d *device) upload(flat any, shape shapes.Shape) (compute.Buffer, error) {
	buffer, err := d.backend.BufferFromFlatData(0, flat, shape)
	if err != nil {
		return nil, fmt.Errorf("hand a batch to the backend: %w", err)
	}
	return buffer, nil
}

// run executes a plan's program with the parameters of a layer on inputs, which stay, and returns its outputs, which
// are the caller's to free.
func (d *device) run(of plan, layer int, inputs ...compute.Buffer) ([]compute.Buffer, *program, error) {
	p, err := d.get(of)
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(p.parameters))
	for i, name := range p.parameters {
		if rest, ok := strings.CutPrefix(name, p.layer); ok {
			name = d.layer(layer) + rest
		}
		names[i] = name
	}
	parameters, err := d.buffers(names)
	if err != nil {
		return nil, nil, err
	}
	var outputs []compute.Buffer
	failure := exceptions.TryCatch[error](func() {
		outputs, err = p.executable.Execute(slices.Concat(inputs, parameters), nil, 0)
	})
	if failure != nil {
		err = failure
	}
	if err != nil {
		return nil, nil, fmt.Errorf("run a batch: %w", err)
	}
	return outputs, p, nil
}

// free gives buffers back, nil ones left out.
func free(buffers ...compute.Buffer) {
	for _, buffer := range buffers {
		if buffer != nil {
			buffer.Finalize()
		}
	}
}

// read shows an output's values, flat, where they lie, or a copy where the host cannot see them, and frees it.
func (d *device) read(output compute.Buffer, show func(flat []float32)) error {
	defer output.Finalize()
	flat, err := d.floats(output)
	if err != nil {
		return fmt.Errorf("read a batch's result: %w", err)
	}
	show(flat)
	return nil
}

// floats are an output's values.
func (d *device) floats(output compute.Buffer) ([]float32, error) {
	if d.backend.HasSharedBuffers() {
		flat, err := output.Data()
		if err != nil {
			return nil, err
		}
		return flat.([]float32), nil
	}
	shape, err := output.Shape()
	if err != nil {
		return nil, err
	}
	flat := make([]float32, shape.Size())
	return flat, output.ToFlatData(flat)
}

// What a program shows beside its result: nothing, every hook point with its name, or else the one named.
const (
	showNothing = ""
	showAll     = "*"
)

// showIf is everything or nothing.
func showIf(all bool) string {
	if all {
		return showAll
	}
	return showNothing
}

// shown is what a graph's build returns, then the values at the hook points that show names, and the names of these,
// less the prefix.
func shown(show, prefix string, build func(hook transformer.Hook) *graph.Node) (outputs []*graph.Node, names []string) {
	result := build(func(name string, x *graph.Node) *graph.Node {
		name = strings.TrimPrefix(name, prefix)
		if show == showAll || show == name {
			outputs, names = append(outputs, x), append(names, name)
		}
		return x
	})
	return append([]*graph.Node{result}, outputs...), names
}

// keeper takes the value at a hook point and frees it.
type keeper func(name string, value compute.Buffer) error

// all keeps what a program showed.
func (k keeper) all(values []compute.Buffer, prefix string, names []string) error {
	for i, value := range values {
		if err := k(prefix+names[i], value); err != nil {
			free(values[i+1:]...)
			return err
		}
	}
	return nil
}

// programKey is what programs differ in.
type programKey struct {
	kind   string // what it computes
	layer  int    // the first of those that share it
	hook   string // what it reads, or shows beside its result
	edits  string // what it changes
	groups int
	rows   int
	asked  int // rows that are asked at a site, 0 for all
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
