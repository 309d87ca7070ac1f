package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrain trains a model of almost no size and asks it.
func TestTrain(t *testing.T) {
	corpus := t.TempDir()
	for i, name := range []string{"a.go", "b.go", "c.go", "d.go", "e.go", "f.go", "g.go", "h.go", "i.go", "j.go", "k.go",
		"l.go", "m.go", "n.go", "o.go", "p.go",
		"q.go", "r.go", "s.go", "t.go", "u.go", "v.go", "w.go", "x.go", "y.go", "z.go"} {
		text := strings.Repeat("package p\n\nfunc f(x int) int { return x + "+strings.Repeat("1", i+1)+" }\n", 40)
		if err := os.WriteFile(filepath.Join(corpus, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "model")
	status, stdout, stderr := call(t, "", "train", "causal", "-out", out, "-corpus", corpus, "-backend", "go", "-steps",
		"2", "-batch", "2", "-context", "16",
		"-layers", "1", "-d-model", "8", "-d-mlp", "16", "-heads", "2", "-vocabulary", "300", "-held-out", "4")
	if status != 0 || !strings.Contains(stdout, "held-out loss") {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	if status, stdout, stderr = call(t, "func f", "activations", "-model", out, "-layer", "0", "-neuron", "15", "-file",
		"-"); status != 0 {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
}
