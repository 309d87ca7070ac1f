package models_test

import (
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// way is how a model computes in a test.
type way struct {
	name     string
	backend  string
	programs bool // through compiled programs where package kernels would answer
}

// wayVar names the environment variable that leaves one way, as make test-xla does.
const wayVar = "N2G_TEST_WAY"

// ways are all there are: the last ones need a PJRT plugin.
var ways = []way{
	{"kernels", backends.Go, false},
	{"programs", backends.Go, true},
	{backends.XLACPU, backends.XLACPU, true},
	{backends.XLACUDA, backends.XLACUDA, true},
}

// quickWays are all, and with -short, which the race detector runs with, package kernels alone: in programs it has the
// contracts to look at, and takes minutes.
func quickWays() []way {
	if testing.Short() {
		return ways[:1]
	}
	return ways
}

// open opens the model in a folder, and skips the test with the reason where that cannot compute this way.
func (w way) open(t *testing.T, folder string) *models.Causal {
	t.Helper()
	if only := os.Getenv(wayVar); only != "" && only != w.name {
		t.Skipf("%s asks for %s alone", wayVar, only)
	}
	if _, _, err := backends.Open(w.backend); err != nil {
		t.Skip(err)
	}
	m, err := models.Open(folder, models.Options{Backend: w.backend})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if w.programs && m.Exact() {
		m.OnPrograms()
	}
	return m
}
