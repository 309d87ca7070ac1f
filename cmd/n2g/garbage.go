package main

import (
	"os"
	"runtime/debug"

	"github.com/neuron2graph/neuron2graph/models"
)

// collectOften makes the garbage collector run before garbage takes a tenth of a large model's memory: by default it
// waits until there is as much of it as of everything else. Weights hold no pointers, so that a collection costs little
// however large they are. A GOGC in the environment is left as it is.
func collectOften(c models.Config) {
	const large, percent = 64 << 20, 10 // weights
	weights := 0
	for _, p := range c.Parameters() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		weights += n
	}
	if os.Getenv("GOGC") == "" && weights > large {
		debug.SetGCPercent(percent)
	}
}
