package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// compiler has compiled some programs.
type compiler int

func (c compiler) Programs() int { return int(c) }

func TestWorkCountsPrograms(t *testing.T) {
	var out bytes.Buffer
	writeWork(&out, 2, n2g.Work{}, time.Second, compiler(3), compiler(4), "a model that compiles none")
	if !strings.Contains(out.String(), "programs compiled: 7\n") || !strings.Contains(out.String(), "2 neurons/s") {
		t.Errorf("%s", out.String())
	}
}
