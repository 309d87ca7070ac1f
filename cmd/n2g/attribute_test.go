package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestStoredEffects: n2g effects -store fills a store once, n2g search finds what it holds, and a run into the same
// store adds explanations that have it too.
func TestStoredEffects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "effects.db")
	status, stdout, stderr := call(t, "", "effects", "-layer", "1", "-neuron", "all", "-k", "4", "-store", path)
	if status != 0 || !strings.Contains(stdout, "effects of 512 neurons added") {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	status, stdout, _ = call(t, "", "effects", "-layer", "1", "-neuron", "all", "-store", path)
	if status != 0 || !strings.Contains(stdout, "0 neurons added, 512 were there") {
		t.Errorf("again: %d %q", status, stdout)
	}
	// Every neuron is found by its own first token, and by no other rule than a list of all says.
	var one effectsOutput
	all := map[int]effectsOutput{}
	_, stdout, _ = call(t, "", "effects", "-layer", "1", "-neuron", "all", "-k", "4", "-json")
	for line := range strings.Lines(stdout) {
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		all[one.Neuron] = one
		one = effectsOutput{}
	}
	token := all[254].Promoted[0].Token
	spaced := " " + strings.TrimSpace(token)
	status, stdout, stderr = call(t, "", "search", "-store", path, "-promotes", spaced, "-n", "0", "-json")
	if status != 0 {
		t.Fatal(stderr)
	}
	found := map[int]bool{}
	for line := range strings.Lines(stdout) {
		var hit effectLine
		if err := json.Unmarshal([]byte(line), &hit); err != nil {
			t.Fatal(err)
		}
		found[hit.Neuron] = true
	}
	for n, e := range all {
		want := false
		for _, p := range e.Promoted {
			want = want || p.Token == spaced
		}
		if found[n] != want {
			t.Errorf("neuron %d: found %v, want %v: %q %q", n, found[n], want, token, stderr)
		}
	}
	status, stdout, stderr = call(t, "", "run", "-store", path, "-layers", "1", "-neurons", "254", "-context-splits", "0")
	if status != 0 {
		t.Fatalf("%q %q", stdout, stderr)
	}
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.Explanation(t.Context(), n2g.Site{Layer: 1, Index: 254})
	if err != nil || e.Effects == nil || len(e.Effects.Promoted) != 10 {
		t.Fatalf("%+v, %v", e, err)
	}
	got, want := e.Effects.Promoted[0], all[254].Promoted[0] // which one direction alone may round otherwise
	if got.ID != want.ID || math.Abs(got.Value-want.Value) > 1e-5 {
		t.Errorf("%+v, want %+v", got, want)
	}
	status, stdout, _ = call(t, "", "search", "-store", path, "-promotes", token, "-suppresses", "*")
	if status != 1 || stdout != "" {
		t.Errorf("a star alone: %d %q", status, stdout)
	}
	if status, _, stderr := call(t, "", "search", "-store", path); status != 1 || !strings.Contains(stderr, "told what") {
		t.Errorf("nothing asked: %d %q", status, stderr)
	}
}

// TestExplainTellsEffects: the summary, the JSON and the page of an explanation tell what the neuron does.
func TestExplainTellsEffects(t *testing.T) {
	folder := t.TempDir()
	file, html := filepath.Join(folder, "e.json"), filepath.Join(folder, "e.html")
	explain := []string{"explain", "-layer", "1", "-neuron", "254", "-context-splits", "0", "-masked", "none"}
	if _, stdout, stderr := call(t, "", explain...); !strings.Contains(stdout, "\npromotes   \"") {
		t.Errorf("%q %q", stdout, stderr)
	}
	if status, _, stderr := call(t, "", append(explain, "-json", file, "-html", html, "-effects", "3")...); status != 0 {
		t.Fatal(stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e n2g.Explanation
	if err := json.Unmarshal(data, &e); err != nil || e.Effects == nil || len(e.Effects.Suppressed) != 3 {
		t.Errorf("%+v, %v", e.Effects, err)
	}
	if page, err := os.ReadFile(html); err != nil || !strings.Contains(string(page), "What it does") {
		t.Error(err)
	}
	if _, stdout, _ := call(t, "", append(explain, "-effects", "0")...); strings.Contains(stdout, "promotes") {
		t.Errorf("%q", stdout)
	}
}

// TestFaithfulness: explanations have it on demand, the store keeps it, and n2g summary tells of it.
func TestFaithfulness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	if status, stdout, stderr := call(t, "", "run", "-store", path, "-layers", "1", "-neurons", "254", "-masked", "none",
		"-faithfulness"); status != 0 {
		t.Fatalf("%q %q", stdout, stderr)
	}
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.Explanation(t.Context(), n2g.Site{Layer: 1, Index: 254})
	if err != nil || e.Effects == nil || e.Effects.Faithfulness == nil {
		t.Fatalf("%+v, %v", e, err)
	}
	f := e.Effects.Faithfulness
	tokens := 0
	for _, test := range e.Tests {
		tokens += len(test.Tokens) - 1
	}
	if f.Positions != tokens || f.MeanKL <= 0 || f.Firing <= 0 || (f.Context != nil) != (e.Context != nil) {
		t.Errorf("%+v of %d tokens", f, tokens)
	}
	status, stdout, stderr := call(t, "", "summary", "-store", path, "-effects")
	if status != 0 || !strings.Contains(stdout, fmt.Sprintf("%.3f", f.Graph)) {
		t.Errorf("%q %q", stdout, stderr)
	}
	for _, args := range [][]string{{"-faithfulness", "-effects", "0"}, {"-effects", "-1"}} {
		status, _, stderr := call(t, "", append([]string{"explain", "-layer", "1", "-neuron", "254"}, args...)...)
		if status != 1 || !strings.Contains(stderr, "-effects") {
			t.Errorf("%v: %d %q", args, status, stderr)
		}
	}
}

// TestAblateOnIndex: the loss on test documents is that of their windows one by one.
func TestAblateOnIndex(t *testing.T) {
	ask := func(args ...string) (out indexAblation) {
		t.Helper()
		status, stdout, stderr := call(t, "", append([]string{"ablate", "-layer", "1", "-neuron", "254", "-windows", "5",
			"-json"}, args...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if none := ask("-scale", "1"); math.Abs(none.LossBefore-none.LossAfter) > 1e-6 ||
		none.MeanKL > 1e-9 || none.Texts != 5 {
		t.Errorf("%+v", none)
	}
	got := ask("-set", "20")
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	windows, err := corpus.SplitWindows(x, index.Test, 5)
	if err != nil {
		t.Fatal(err)
	}
	var sum, before, after float64
	for _, w := range windows {
		document, err := x.Document(w.Document)
		if err != nil || document.Split() != index.Test || w.Repeats {
			t.Errorf("%+v, %v", w, err)
		}
		ids, err := corpus.WindowPrompt(x, w)
		if err != nil {
			t.Fatal(err)
		}
		list, err := json.Marshal(ids)
		if err != nil {
			t.Fatal(err)
		}
		_, stdout, stderr := call(t, "", "ablate", "-layer", "1", "-neuron", "254", "-ids", string(list), "-set", "20",
			"-json")
		var one ablateOutput
		if err := json.Unmarshal([]byte(stdout), &one); err != nil {
			t.Fatal(err, stderr)
		}
		n := float64(len(ids) - 1)
		sum, before, after = sum+n, before+n*one.LossBefore, after+n*one.LossAfter
	}
	if math.Abs(got.LossBefore-before/sum) > 1e-6 || math.Abs(got.LossAfter-after/sum) > 1e-6 ||
		got.Tokens != int(sum) || got.LossAfter == got.LossBefore {
		t.Errorf("%+v, want losses %g and %g on %g tokens", got, before/sum, after/sum, sum)
	}
	for _, args := range [][]string{{"-windows", "-1"}, {"-windows", "3", "-text", "x"}, {"-index", "none.n2g"}} {
		if status, stdout, stderr := call(t, "", append([]string{"ablate", "-layer", "1", "-neuron", "254"},
			args...)...); status != 1 || stdout != "" || !strings.Contains(stderr, "-windows") {
			t.Errorf("%v: %d %q", args, status, stderr)
		}
	}
}
