package main

import (
	"fmt"
	"io"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
)

const verboseUsage = "say what the explanations have cost"

// writeWork writes what explaining neurons with some models has cost.
func writeWork(w io.Writer, neurons int, work n2g.Work, elapsed time.Duration, models ...any) {
	fmt.Fprintf(w, "n2g: %d neurons in %s, %.3g neurons/s\n", neurons, elapsed.Round(time.Millisecond),
		float64(neurons)/elapsed.Seconds())
	fmt.Fprintf(w, "n2g: %v\n", work)
	fmt.Fprintf(w, "n2g: time by stage, of all neurons together: %s\n", work.Times())
	compiled := 0
	for _, m := range models {
		if m, ok := m.(interface{ Programs() int }); ok {
			compiled += m.Programs()
		}
	}
	fmt.Fprintf(w, "n2g: programs compiled: %d\n", compiled)
}
