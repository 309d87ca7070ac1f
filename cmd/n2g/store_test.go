package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// publishedRun explains some published neurons into a store.
func publishedRun(t *testing.T, path string, more ...string) (stdout, stderr string) {
	t.Helper()
	var lines strings.Builder
	for _, name := range []string{"2_117", "1_115", "0_52", "2_37"} {
		n := readNeuron(t, name)
		fmt.Fprintln(&lines, n.examples(t))
	}
	args := []string{"run", "-model", solu, "-masked", "none", "-examples", "-", "-cutoff", "12", "-store", path}
	status, stdout, stderr := call(t, lines.String(), append(args, more...)...)
	if status != 0 {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	return stdout, stderr
}

// ok runs the program, which must succeed without complaint.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := call(t, "", args...)
	if status != 0 || stderr != "" {
		t.Fatalf("%q: %d %q", args, status, stderr)
	}
	return stdout
}

// TestStoreCommands runs neurons in shards, joins them, and asks every question.
func TestStoreCommands(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	one, two, all := path("1.db"), path("2.db"), path("all.db")
	stdout, _ := publishedRun(t, one, "-shard", "1/2")
	contains(t, "run", stdout, []string{"1.db: 2 of 2 done", "neurons/s", "mean F1"})
	stdout, _ = publishedRun(t, one, "-shard", "1/2")
	if strings.Contains(stdout, "neurons/s") {
		t.Errorf("a run that is done runs again: %q", stdout)
	}
	contains(t, "first merge", ok(t, "merge", one, "-store", all),
		[]string{"1.db: 2 neurons added", "all.db: 2 neurons, 0 failed", "shards missing: 2/2"})
	publishedRun(t, two, "-shard", "2/2", "-compress=false")
	joined := ok(t, "merge", "-store", all, two, one)
	contains(t, "second merge", joined, []string{"2.db: 2 neurons added", "1.db: 0 neurons added, 2 were there",
		"all.db: 4 neurons, 0 failed"})
	if strings.Contains(joined, "missing") {
		t.Errorf("all is there, and %q", joined)
	}

	contains(t, "summary", ok(t, "summary", "-store", all, "-svg", path("s.svg"), "-png", path("s.png")),
		[]string{"LAYER", "graph", "token lookup", "n-gram", "2 of 2", "±"})
	if svg, err := os.ReadFile(path("s.svg")); err != nil || !bytes.Contains(svg, []byte("<svg")) {
		t.Error("the plot is no SVG", err)
	}
	if picture, err := os.ReadFile(path("s.png")); err != nil {
		t.Error(err)
	} else if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		t.Error(err)
	}
	contains(t, "Markdown", ok(t, "summary", "-store", all, "-format", "markdown"), []string{"| layer |", "---"})
	table := ok(t, "summary", "-store", all, "-format", "csv")
	if records, err := csv.NewReader(strings.NewReader(table)).ReadAll(); err != nil || len(records) != 10 {
		t.Errorf("%d records, %v", len(records), err)
	}

	// Every token of the published layout is found by searching.
	ok(t, "export", "-store", all, "-neuron-store", path("neuron_store.json"), "-stats", path("stats.json"), "-jsonl",
		path("all.jsonl"), "-csv", path("all.csv"),
		"-dot", path("dot"), "-svg", path("svg"), "-layers", "2", "-neurons", "100-200")
	var tokens, stats map[string]map[string]any
	for name, to := range map[string]any{"neuron_store.json": &tokens, "stats.json": &stats} {
		data, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, to); err != nil {
			t.Fatal(err)
		}
	}
	if len(stats) != 3 || len(stats["2"]) != 2 || len(tokens["activating"]) == 0 {
		t.Errorf("stats.json %v, %d activating tokens", stats, len(tokens["activating"]))
	}
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "\n", `\n`, "\t", `\t`)
	for token, names := range tokens["activating"] {
		found := ok(t, "search", "-json", "-store", all, "--", escape.Replace(token)+":activating")
		if strings.Count(found, "\n") != len(names.([]any)) {
			t.Errorf("token %q is of %v, and found is %s", token, names, found)
		}
	}
	file, err := os.Open(path("all.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for e, err := range n2g.ReadExplanations(file) {
		if err != nil || e.Scores == nil || *e.Options.Cutoff != 12 {
			t.Errorf("explanation %d: %v", count, err)
		}
		count++
	}
	if count != 4 {
		t.Errorf("%d explanations", count)
	}
	for _, pattern := range []string{"dot/*.dot", "svg/*.svg"} {
		if found, err := filepath.Glob(path(pattern)); err != nil || len(found) != 1 || !strings.Contains(found[0], "2_117") {
			t.Errorf("graphs written: %v, %v", found, err)
		}
	}

	contains(t, "similar", ok(t, "similar", "2/117", "-store", all), []string{"NEURON", "SIMILARITY"})
	contains(t, "pairs", ok(t, "similar", "-all", "-threshold", "0.01", "-kind", "activating", "-store", all),
		[]string{"similar and", "subset pairs"})
	contains(t, "induction", ok(t, "find", "induction", "-store", all), []string{"NEURON", "REPEATED"})
	contains(t, "polysemantic", ok(t, "find", "polysemantic", "-store", all), []string{"BEHAVIOURS"})
}

// TestRunFailures: neurons that fail are listed, and tried again when asked.
func TestRunFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	lines := `{"layer": 0, "neuron": 3, "prompts": ["` + strings.Repeat("x ", 5) + `", ""]}` + "\n"
	args := []string{"run", "-model", solu, "-masked", "none", "-examples", "-", "-store", path}
	status, stdout, stderr := call(t, lines, args...)
	if status != 0 || !strings.Contains(stdout, "0 of 1 done, 1 failed") {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	contains(t, "failures", ok(t, "summary", "-store", path, "-failures"), []string{"0/3", "blank"})
	if _, stdout, _ = call(t, lines, args...); !strings.Contains(stdout, "1 failed") ||
		strings.Contains(stdout, "neurons/s") {
		t.Errorf("again: %q", stdout)
	}
	if _, stdout, _ = call(t, lines, append(args, "-retry-failed")...); !strings.Contains(stdout, "neurons/s") {
		t.Errorf("retried: %q", stdout)
	}
}

func TestStoreComplaints(t *testing.T) {
	folder := t.TempDir()
	held := filepath.Join(folder, "held.db")
	s, err := store.Open(held, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text := file(t, "this is no database, though it is long enough to be one if length were all")
	examples := file(t, `{"layer": 0, "neuron": 3, "prompts": ["a"]}`)
	for _, test := range []struct {
		args   []string
		stderr []string
	}{
		{[]string{"run", "-model", solu, "-store", held}, []string{"examples of " + solu, "-index"}},
		{[]string{"run", "-model", solu, "-examples", examples, "-store", held},
			[]string{"held.db", fmt.Sprint(os.Getpid())}},
		{[]string{"run", "-examples", examples, "-store", filepath.Join(folder, "no", "run.db")}, []string{"no folder"}},
		{[]string{"run", "-examples", examples, "-shard", "0/2"}, []string{"1/4"}},
		{[]string{"run", "-examples", examples, "-layers", "x"}, []string{"-layers", `"x"`}},
		{[]string{"run", "-examples", examples, "-index", examples}, []string{"one of"}},
		{[]string{"run", "-examples", examples, "-no-graph"}, []string{"-no-graph"}},
		{[]string{"run", "-model", solu, "-masked", "none", "-examples", examples, "-layers", "7", "-store",
			filepath.Join(folder, "a.db")}, []string{"no layer 7", "0 to 2"}},
		{[]string{"search", "x", "-store", filepath.Join(folder, "none.db")}, []string{"no store", "n2g run"}},
		{[]string{"search", "x", "-store", text}, []string{"no SQLite database"}},
		{[]string{"search"}, []string{"n2g search"}},
		{[]string{"search", "*", "-store", held}, []string{"TOKEN"}},
		{[]string{"similar", "-store", held}, []string{"2/117"}},
		{[]string{"similar", "a", "-store", held}, []string{`"a" is no neuron`}},
		{[]string{"similar", "0/1", "-store", held}, []string{"layer 0 neuron 1"}},
		{[]string{"similar", "-all", "-threshold", "2"}, []string{"-threshold is 2"}},
		{[]string{"similar", "-all", "-kind", "odd"}, []string{"-kind", "odd"}},
		{[]string{"find", "sense"}, []string{`"find sense"`}},
		{[]string{"merge", text}, []string{"-store FILE"}},
		{[]string{"merge", held, "-store", held}, []string{"held.db"}},
		{[]string{"export", "-store", held}, []string{"-stats"}},
		{[]string{"summary", "-store", held, "-format", "odd"}, []string{"-format", "odd"}},
		{[]string{"summary", "-store", held, "-svg", filepath.Join(folder, "x.svg")}, []string{"no scores"}},
	} {
		status, _, stderr := call(t, "", test.args...)
		if status != 1 || strings.Count(strings.TrimSpace(stderr), "\n") > 1 || strings.Contains(stderr, "goroutine") {
			t.Errorf("%q: %d %q", test.args, status, stderr)
		}
		contains(t, fmt.Sprintf("%q", test.args), stderr, test.stderr)
	}
}
