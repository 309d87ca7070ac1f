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
	status, stdout, stderr := call(t, "", "explain", "-layer", "2", "-neuron", "500", "-masked", "none", "-json", "-",
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
	const none = "context graph: none; it is learned from all of a corpus"
	examples := file(t, `{"layer":1,"neuron":254,"max_activation":1,"prompts":["if err != nil {","return nil, err"]}`)
	status, stdout, stderr = call(t, "", "explain", "-examples", examples, "-masked", "none")
	if status != 0 || !strings.Contains(stdout, none) {
		t.Errorf("from examples alone: %d %q %q", status, stdout, stderr)
	}
	status, stdout, _ = call(t, "", "explain", "-layer", "1", "-neuron", "254", "-masked", "none", "-context-splits", "0")
	if strings.Contains(stdout, none) {
		t.Errorf("what was left out is missed: %q", stdout)
	}
	if status != 0 || strings.Contains(stdout, "context graph: ") {
		t.Errorf("%d %q", status, stdout)
	}
	for _, command := range []string{"explain", "run", "serve"} {
		for _, wrong := range [][2]string{{"-context-splits", "-1"}, {"-ask", "-1"}, {"-ask", "NaN"}, {"-ask", "+Inf"}} {
			status, _, stderr := call(t, "", command, wrong[0], wrong[1])
			if status != 1 || !strings.Contains(stderr, wrong[0]+" is ") {
				t.Errorf("%s %v: %d %q", command, wrong, status, stderr)
			}
		}
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

// A tree in a terminal tells the values of a leaf, whatever they go by.
func TestWriteContext(t *testing.T) {
	var b strings.Builder
	moves := .5
	writeContext(&b, &n2g.ContextGraph{FireThreshold: .5, Label: "`a`",
		Support: n2g.Support{BuildTokens: 100, BuildFiring: 7},
		Root: &n2g.ContextNode{
			Test: &n2g.ContextTest{Kind: n2g.TestToken, Distance: 2, Start: true, Tokens: []string{"\x1b[2J"}, Moves: &moves},
			Yes: &n2g.ContextNode{Value: .25, Tokens: 40, Firing: 7,
				Table: []n2g.TokenValue{{Token: "a", Value: .75}, {Token: "b", Value: .5}},
				Sequences: []n2g.SequenceValue{{Tokens: []string{" x", "\n", "a"}, Value: 1},
					{Tokens: []string{"y", "a"}, Value: .75}, {Tokens: []string{"y", "b"}, Value: .125}}},
			No: &n2g.ContextNode{Tokens: 60},
		}})
	want := "\ncontext graph: `a`\n1 test, learned from 100 tokens of which 7 fire; fires from 0.500 of the maximum on\n" +
		"  the token 2 before: \"\\x1b[2J\" or the start of the text? (needed: masking takes 50 %)\n" +
		"    yes: 0.250 of the maximum; 7 of 40 tokens fire (\" x\" \"\\n\" \"a\" 1.00, \"a\" 0.75, " +
		"\"y\" \"a\" 0.75, \"b\" 0.50, 1 more)\n" +
		"    no: 0.000 of the maximum; 0 of 60 tokens fire\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// Both graphs of a store's neurons are exported, as pictures and in Graphviz's language.
func TestExportContext(t *testing.T) {
	folder := t.TempDir()
	db := filepath.Join(folder, "run.db")
	if status, _, stderr := call(t, "", "run", "-layers", "1", "-neurons", "254", "-masked", "none", "-ask", "0",
		"-effects", "0", "-index", "../../models/tiny/index.n2g", "-store", db); status != 0 {
		t.Fatal(stderr)
	}
	for graph, want := range map[string]string{"published": "importance", "context": "predicted activation"} {
		to := filepath.Join(folder, graph)
		status, _, stderr := call(t, "", "export", "-store", db, "-graph", graph, "-svg", to, "-dot", to)
		if status != 0 {
			t.Fatal(stderr)
		}
		svg, err := os.ReadFile(filepath.Join(to, "1_254.svg"))
		if err != nil || !strings.Contains(string(svg), want) {
			t.Errorf("the %s graph has no %q, error %v", graph, want, err)
		}
		dot, err := os.ReadFile(filepath.Join(to, "1_254.dot"))
		if err != nil || !strings.HasPrefix(string(dot), "digraph {") {
			t.Errorf("%s %v", dot, err)
		}
	}
	for want, args := range map[string][]string{
		`"both"`: {"-graph", "both", "-svg", folder}, "has a context graph": {"-graph", "context", "-svg", folder, "-layers", "0"},
	} {
		status, _, stderr := call(t, "", append([]string{"export", "-store", db}, args...)...)
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %q", args, status, stderr)
		}
	}
}
