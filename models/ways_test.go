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

// bothWays are those that are always there; with -short, which the race detector runs with, package kernels alone: in
// programs it has the contracts to look at, and takes minutes.
func bothWays() []way {
	if testing.Short() {
		return ways[:1]
	}
	return ways[:2]
}

// open opens the model in a folder, and skips the test with the reason where that cannot compute this way.
func (w way) open(t *testing.T, folder string) *models.Causal {
	t.Helper()
	return w.openWith(t, folder, models.Options{})
}

// openWith is open with options other than the backend.
func (w way) openWith(t *testing.T, folder string, opts models.Options) *models.Causal {
	t.Helper()
	if only := os.Getenv(wayVar); only != "" && only != w.name {
		t.Skipf("%s asks for %s alone", wayVar, only)
	}
	if _, _, err := backends.Open(w.backend); err != nil {
		t.Skip(err)
	}
	opts.Backend = w.backend
	m, err := models.Open(folder, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if w.programs && m.Exact() {
		m.OnPrograms()
	}
	return m
}
