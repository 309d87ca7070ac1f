package graphviz

import (
	"bytes"
	"context"
	"fmt"

	"github.com/goccy/go-graphviz"
)

// running holds the one layout in progress: go-graphviz runs all of them in one WebAssembly memory.
var running = make(chan struct{}, 1)

// render lays dot out and draws it. A layout that has begun runs to its end; ctx ends the wait for it.
func render(ctx context.Context, dot string, format graphviz.Format) (picture []byte, err error) {
	select {
	case running <- struct{}{}:
		defer func() { <-running }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil { // go-graphviz panics where its module traps
			err = fmt.Errorf("graphviz failed on the graph: %v", r)
		}
	}()
	// Not ctx: a cancelled context would end the module, which the whole process shares.
	background := context.WithoutCancel(ctx)
	engine, err := graphviz.New(background)
	if err != nil {
		return nil, fmt.Errorf("starting graphviz: %w", err)
	}
	defer engine.Close()
	parsed, err := graphviz.ParseBytes([]byte(dot))
	if err != nil {
		return nil, fmt.Errorf("graphviz refuses the graph: %w", err)
	}
	defer parsed.Close()
	var out bytes.Buffer
	if err := engine.Render(background, parsed, format, &out); err != nil {
		return nil, fmt.Errorf("drawing the graph as %s: %w", format, err)
	}
	if out.Len() == 0 {
		return nil, fmt.Errorf("drawing the graph as %s: graphviz returned nothing", format)
	}
	return out.Bytes(), nil
}
