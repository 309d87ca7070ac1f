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
	if os.Getenv("GOGC") == "" && c.Weights > large {
		debug.SetGCPercent(percent)
	}
}
