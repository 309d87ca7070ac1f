package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// miningCorpus is a folder with a plain file and packed JSON Lines.
func miningCorpus(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	source, err := os.ReadFile("mine.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "mine.go"), source[:1500], 0o644); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for part := range bytes.SplitSeq(source[1500:4000], []byte("\n\t")) {
		line, err := json.Marshal(map[string]string{"body": string(part)})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(append(line, '\n'))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "texts.jsonl.gz"), packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestMine: what the pass finds of a neuron is what a search for that neuron alone finds, and explain takes it.
func TestMine(t *testing.T) {
	texts := miningCorpus(t)
	out := filepath.Join(t.TempDir(), "mined.n2g")
	args := []string{"mine", "-model", solu, "-backend", "go", "-layers", "0,2", "-window", "16", "-examples", "6",
		"-corpus", texts, "-field", "body", "-o", out}
	status, stdout, stderr := call(t, "", args...)
	if status != 0 || !strings.Contains(stdout, "1024 neurons of solu in 2 layers") {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	if left, _ := filepath.Glob(out + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	x, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	model, err := models.Open(solu, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	source, _, _, err := openCorpus(texts, "body")
	if err != nil {
		t.Fatal(err)
	}
	want, err := corpus.Top(t.Context(), model, n2g.Site{Layer: 2, Index: 125, Hook: "hook_mid"}, source,
		corpus.Options{Window: 16, Index: index.Options{Examples: 6}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := corpus.Examples(x, model, n2g.Site{Layer: 2, Index: 125})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Prompts, want.Prompts) || math.Abs(got.MaxActivation-want.MaxActivation) > 1e-5 {
		t.Errorf("mined %q, maximum %g\nwant  %q, maximum %g", got.Prompts, got.MaxActivation, want.Prompts,
			want.MaxActivation)
	}
	if *got.Density != *want.Density {
		t.Errorf("density %g, want %g", *got.Density, *want.Density)
	}

	status, stdout, stderr = call(t, "", "explain", "-model", solu, "-masked", "none", "-layer", "2", "-neuron", "125",
		"-index", out, "-json", "-", "-stages=false")
	var e n2g.Explanation
	if status != 0 || json.Unmarshal([]byte(stdout), &e) != nil || e.MaxActivation != got.MaxActivation {
		t.Errorf("%d %.200q %q", status, stdout, stderr)
	}
	for _, wrong := range [][]string{{"-layer", "1", "-neuron", "0"}, {"-layer", "2", "-neuron", "512"}, {"-layer", "2"},
		{"-layer", "2", "-neuron", "125", "-hook", "hook_pre"}, {"-layer", "2", "-neuron", "125", "-corpus", "sample"}} {
		status, _, stderr := call(t, "", append([]string{"explain", "-model", solu, "-index", out}, wrong...)...)
		if status != 1 || strings.Count(stderr, "\n") > 2 {
			t.Errorf("%v: %d %q", wrong, status, stderr)
		}
	}
}

// endsWith is a context that is cancelled once a file is there.
type endsWith struct {
	context.Context
	path string
}

func (c endsWith) Err() error {
	if _, err := os.Stat(c.path); err == nil {
		return context.Canceled
	}
	return nil
}

// TestMineGoesOn: an interrupted pass says where it is kept, and ends as an uninterrupted one.
func TestMineGoesOn(t *testing.T) {
	texts, folder := miningCorpus(t), t.TempDir()
	args := func(name string) []string {
		return []string{"mine", "-model", solu, "-backend", "go", "-layers", "0", "-window", "16", "-corpus", texts, "-field",
			"body", "-o", filepath.Join(folder, name)}
	}
	cancelled := endsWith{t.Context(), filepath.Join(folder, "stopped.n2g.part", "corpus")}
	var stdout, stderr bytes.Buffer
	status := run(cancelled, args("stopped.n2g"), strings.NewReader(""), &stdout, &stderr)
	if status != statusInterrupted || !strings.Contains(stderr.String(), "stopped.n2g.part") {
		t.Fatalf("%d %q", status, &stderr)
	}
	if status, _, stderr := call(t, "", args("stopped.n2g")...); status != 0 ||
		!strings.Contains(stderr, "going on with the pass") {
		t.Errorf("%d %q", status, stderr)
	}
	if status, _, stderr := call(t, "", args("whole.n2g")...); status != 0 {
		t.Fatal(stderr)
	}
	stopped, err := os.ReadFile(filepath.Join(folder, "stopped.n2g"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(folder, "whole.n2g"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stopped, whole) {
		t.Error("the results differ")
	}
	part := filepath.Join(folder, "whole.n2g.part")
	if err := errors.Join(os.Mkdir(part, 0o755),
		os.WriteFile(filepath.Join(part, "corpus"), []byte("damaged"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := call(t, "", args("whole.n2g")...); status != 1 || !strings.Contains(stderr, "begin anew") {
		t.Errorf("%d %q", status, stderr)
	}
	if status, _, stderr := call(t, "", append(args("whole.n2g"), "-restart")...); status != 0 {
		t.Errorf("%d %q", status, stderr)
	}
}

func TestMineRefuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.n2g")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "-o FILE"},
		{[]string{"-o", "-"}, "-o FILE"},
		{[]string{"-o", "/no/such/folder/out"}, "/no/such/folder"},
		{[]string{"-o", "/proc/out"}, "/proc/out"},
		{[]string{"-o", out, "-layers", "x"}, "-layers"},
		{[]string{"-o", out, "-layers", "7"}, "0 to 2"},
		{[]string{"-o", out, "-examples", "0"}, "-examples"},
		{[]string{"-o", out, "-corpus", "/no/such/corpus"}, "/no/such/corpus"},
		{[]string{"-o", out, "-corpus", file(t, "\x00")}, "no text"},
		{[]string{"-o", out, "-hook", "hook_out"}, "hook_out"},
	} {
		status, stdout, stderr := call(t, "", append([]string{"mine", "-model", solu, "-backend", "go"}, test.args...)...)
		if status != 1 || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") > 3 {
			t.Errorf("%v: %d %q %q, want %q", test.args, status, stdout, stderr, test.want)
		}
		if left, _ := filepath.Glob(out + "*"); len(left) > 0 {
			t.Errorf("%v left %v", test.args, left)
		}
	}
}

func TestImport(t *testing.T) {
	folder := t.TempDir()
	page := `<h2>Neuron 52 in Layer 0 </h2><h3>Text #0</h3><h4>Max Act: <b>1.5000</b>. Min Act: <b>0</b></h4><div><span class='token' >if</span><span class='token' > a < b</span></div>`
	if err := os.WriteFile(filepath.Join(folder, "52.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{args: []string{"-page", folder}, want: `{"layer":0,"neuron":52,"max_activation":1.5,"prompts":["if a < b"]}`},
		{args: []string{"-page", "-"}, stdin: page, want: `"max_activation":1.5`},
		{args: []string{"-page", folder, "-activation-matrix", golden + "neurons/activation_matrix.json"},
			want: `"prompts":["if a < b"]`},
	} {
		status, stdout, stderr := call(t, test.stdin, append([]string{"import"}, test.args...)...)
		if status != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("%v: %d %q %q, want %q", test.args, status, stdout, stderr, test.want)
		}
		if _, err := parseExamples([]byte(stdout)); err != nil {
			t.Errorf("%v: what is imported cannot be explained: %v", test.args, err)
		}
	}
	for _, args := range [][]string{
		nil, {"-page", "/no/such/page"}, {"-page", t.TempDir()}, {"-page", file(t, "no page")},
		{"-page", folder, "-activation-matrix", file(t, "[[1]]")}, {"-page", folder, "-activation-matrix", file(t, "1")},
		{"-page", folder, "-o", "/no/such/folder/x"},
	} {
		if status, stdout, stderr := call(t, "", append([]string{"import"}, args...)...); status != 1 || stdout != "" ||
			strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: %d %q %q", args, status, stdout, stderr)
		}
	}
}
