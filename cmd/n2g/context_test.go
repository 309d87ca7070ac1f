package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// An explanation from an index has both graphs, and the scores of all predictors on each text.
func TestExplainContext(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "context.svg")
	status, stdout, stderr := call(t, "", "explain", "-layer", "1", "-neuron", "254", "-masked", "none", "-json", "-",
		"-stages=false", "-graph", "context", "-svg", svg, "-other", "../../models/tiny/index.n2g")
	if status != 0 {
		t.Fatal(stderr)
	}
	e, err := n2g.ReadExplanation(strings.NewReader(stdout))
	if err != nil {
		t.Fatal(err)
	}
	if e.Context == nil || e.Context.Label == "" || e.Context.Support.BuildFiring == 0 || e.Context.Support.Asked == 0 ||
		e.Trie == nil {
		t.Fatalf("%+v", e.Context)
	}
	if n := len(e.Comparisons); n != 4*4 || e.Comparisons[n-1].Text != "other text: index" {
		t.Errorf("%d comparisons: four predictors on four texts are 16 (%+v)", n, e.Comparisons)
	}
	needed := 0
	e.Context.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test != nil {
			if yes, known := n.Test.Needed(); yes && known {
				needed++
			}
		}
	})
	if needed == 0 {
		t.Error("no test of the graph is a cause, though the neuron needs its context")
	}
	if data, err := os.ReadFile(svg); err != nil || !strings.Contains(string(data), "<svg") {
		t.Error(err)
	}
	status, stdout, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-masked", "none")
	if status != 0 || !strings.Contains(stdout, "context graph: ") || !strings.Contains(stdout, "TEST DOCUMENTS") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	status, stdout, _ = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-masked", "none", "-context-splits", "0")
	if status != 0 || strings.Contains(stdout, "context graph: ") {
		t.Errorf("%d %q", status, stdout)
	}
	status, _, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-context-splits", "0", "-other",
		"../../models/tiny/index.n2g")
	if status != 1 || !strings.Contains(stderr, "-other") {
		t.Errorf("%d %q", status, stderr)
	}
	status, _, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-other",
		"../../models/tiny/index.n2g,missing.n2g")
	if status != 1 || !strings.Contains(stderr, "missing.n2g") {
		t.Errorf("%d %q", status, stderr)
	}
	status, _, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-other",
		"../../models/tiny/index.n2g,../../models/../models/tiny/index.n2g")
	if status != 1 || !strings.Contains(stderr, `both be those of "index"`) {
		t.Errorf("%d %q", status, stderr)
	}
	status, _, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-other", "../../models/tiny/index.n2g,")
	if status != 1 || !strings.Contains(stderr, "without a name") {
		t.Errorf("%d %q", status, stderr)
	}
	status, _, stderr = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-graph", "both", "-svg", svg)
	if status != 1 || !strings.Contains(stderr, `"both"`) {
		t.Errorf("%d %q", status, stderr)
	}
}
