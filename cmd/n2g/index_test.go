package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// TestIndexCommands asks the embedded index everything, without a forward pass.
func TestIndexCommands(t *testing.T) {
	neuron := []string{"-layer", "1", "-neuron", "254"}
	snippet := filepath.Join(t.TempDir(), "snippet.go")
	if err := os.WriteFile(snippet, []byte("if err != nil"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"index"}, []string{"1536 neurons of tiny in 3 layers", "271 documents", " neurons are never above 0"}},
		{append([]string{"examples"}, neuron...), []string{"layer 1 neuron 254 (hook_mid): maximum", "density 0.0", "["}},
		{append([]string{"examples", "-kind", "bands", "-limit", "2"}, neuron...), []string{"windows"}},
		{append([]string{"examples", "-kind", "random", "-limit", "3"}, neuron...), []string{".go"}},
		{append([]string{"examples", "-kind", "negatives"}, neuron...), []string{"["}},
		{append([]string{"examples", "-kind", "tokens"}, neuron...), []string{"IN CORPUS"}},
		{append([]string{"examples", "-kind", "cofiring"}, neuron...), []string{"FIRES WITH IT"}},
		{[]string{"fires", "-text", "if err != nil"}, []string{"times in the corpus", "SCORE"}},
		{[]string{"fires", "-file", snippet}, []string{"times in the corpus", "SCORE"}},
		{[]string{"text", "if err != nil"}, []string{`"if err != nil":`, "[if err != nil]"}},
		{[]string{"text", "f err != ni"}, []string{`"f err != ni":`}},
	} {
		status, stdout, stderr := call(t, "", test.args...)
		if status != 0 || stderr != "" {
			t.Errorf("%v: %d %q", test.args, status, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: %q lacks %q", test.args, stdout, want)
			}
		}
		if test.args[0] != "index" {
			status, stdout, _ = call(t, "", append([]string{test.args[0], "-json"}, test.args[1:]...)...)
			if !json.Valid([]byte(stdout)) || status != 0 {
				t.Errorf("%v -json: %d %.200q", test.args, status, stdout)
			}
		}
	}
	for _, args := range [][]string{
		{"index", "-index", "index.go"}, {"index", "-index", "/no/such/index"}, {"index", "-index", "."}, {"fires"},
		{"text", "no such text, hopefully"}, {"fires", "-text", "x", "-limit", "-1"},
		{"fires", "-text", "x", "-file", snippet}, {"fires", "-file", "/no/such/file"},
		{"examples"}, {"examples", "-layer", "9", "-neuron", "0"}, {"examples", "-layer", "1", "-neuron", "512"},
		append([]string{"examples", "-kind", "best"}, neuron...),
		{"index", "export"}, {"index", "export", "-o", t.TempDir(), "-format", "csv"},
		{"index", "export", "-o", t.TempDir(), "-layers", "7"},
	} {
		if status, stdout, stderr := call(t, "", args...); status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: %d %q %q", args, status, stdout, stderr)
		}
	}
}

// TestExamplesAreExplained: what n2g examples writes as JSON, n2g explain reads; and both show one density.
func TestExamplesAreExplained(t *testing.T) {
	status, stdout, stderr := call(t, "", "examples", "-layer", "1", "-neuron", "254", "-json")
	if status != 0 {
		t.Fatal(stderr)
	}
	var examples n2g.Examples
	if err := json.Unmarshal([]byte(stdout), &examples); err != nil || len(examples.Prompts) != 20 {
		t.Fatalf("%v in %.200q", err, stdout)
	}
	for _, args := range [][]string{{"-layer", "1", "-neuron", "254"}, {"-examples", file(t, stdout)}} {
		always := []string{"explain", "-masked", "none", "-json", "-", "-stages=false"}
		status, stdout, stderr := call(t, "", append(always, args...)...)
		var e n2g.Explanation
		if err := json.Unmarshal([]byte(stdout), &e); status != 0 || err != nil {
			t.Fatal(status, stderr, err)
		}
		if *e.Density != *examples.Density || e.MaxActivation != examples.MaxActivation {
			t.Errorf("%v: density %g and maximum %g, not %g and %g", args, *e.Density, e.MaxActivation, *examples.Density,
				examples.MaxActivation)
		}
	}
}

// TestOneDensity: the embedded index, and a search of its corpus for that neuron alone, find the same to the last bit.
func TestOneDensity(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the sample through a layer")
	}
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	site := n2g.Site{Layer: 0, Index: 3, Hook: model.DefaultHook()}
	embedded, err := corpus.Examples(x, model, site)
	if err != nil {
		t.Fatal(err)
	}
	searched, err := corpus.Top(t.Context(), model, site, corpus.FS(tiny.Sample()), corpus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(*embedded.Density, embedded.Prompts) != fmt.Sprint(*searched.Density, searched.Prompts) {
		t.Errorf("densities %g and %g", *embedded.Density, *searched.Density)
	}
	for n := range x.Meta().Neurons() {
		stats, err := x.Stats(n)
		if err != nil {
			t.Fatal(err)
		}
		if (stats.Density() == 0) != stats.Dead() {
			t.Errorf("neuron number %d has the maximum %g and the density %g", n, stats.Highest, stats.Density())
		}
	}
}

func TestIndexExport(t *testing.T) {
	for format, names := range map[string][]string{
		"parquet": {"windows.parquet", "activations.parquet"}, "jsonl": {"windows.jsonl", "activations.jsonl"},
		"neuronpedia": {"tiny/1-mlp-hook_mid/release.jsonl", "tiny/1-mlp-hook_mid/features/batch-0.jsonl.gz",
			"tiny/1-mlp-hook_mid/activations/batch-0.jsonl.gz"},
	} {
		out := t.TempDir()
		if status, _, stderr := call(t, "", "index", "export", "-layers", "1", "-neurons", "254,300-302", "-format", format,
			"-o", out); status != 0 {
			t.Fatal(stderr)
		}
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
