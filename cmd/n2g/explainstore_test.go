package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A neuron of a store is shown as it was when it was explained, both graphs and all scores, and its graphs are drawn.
func TestExplainStored(t *testing.T) {
	folder := t.TempDir()
	s := filepath.Join(folder, "run.db")
	if status, _, stderr := call(t, "", "run", "-layers", "1", "-neurons", "254", "-masked", "none", "-store",
		s); status != 0 {
		t.Fatal(stderr)
	}
	status, fresh, stderr := call(t, "", "explain", "-layer", "1", "-neuron", "254", "-masked", "none")
	if status != 0 {
		t.Fatal(stderr)
	}
	if stored := ok(t, "explain", "-store", s, "-layer", "1", "-neuron", "254"); stored != fresh {
		t.Errorf("it was\n%s\nand of the store it is\n%s", fresh, stored)
	}
	contains(t, "all scores", fresh, []string{"TEST EXAMPLES", "TEST DOCUMENTS", "LOG-LOSS  VALUE ERROR", "context graph ",
		"published graph ", "token table ", "bigram table ", "HARD NEGATIVES", "TOP EXAMPLES"})

	one, many := filepath.Join(folder, "one.svg"), filepath.Join(folder, "many")
	ok(t, "explain", "-store", s, "-site", "blocks.1.mlp.hook_mid[254]", "-graph", "context", "-svg", one)
	ok(t, "export", "-store", s, "-graph", "context", "-svg", many, "-comparisons", filepath.Join(folder, "c.csv"))
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(many, "1_254.svg")); err != nil || string(a) != string(b) ||
		!strings.Contains(string(a), "<svg") {
		t.Errorf("explain and export draw different pictures, or none: %v", err)
	}
	if table, err := os.ReadFile(filepath.Join(folder, "c.csv")); err != nil || strings.Count(string(table), "\n") < 13 ||
		!strings.Contains(string(table), "hard negatives,bigram table,") {
		t.Errorf("%v: %s", err, table)
	}

	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-layer", "1", "-neuron", "254", "-ask", "4"}, "-ask would make it anew"},
		{[]string{"-layer", "1"}, "-neuron NUMBER"},
		{[]string{"-layer", "1", "-neuron", "255"}, "no explanation of layer 1 neuron 255"},
		{[]string{"-layer", "1", "-neuron", "254", "-graph", "other"}, "published or context"},
	} {
		status, _, stderr := call(t, "", append([]string{"explain", "-store", s}, test.args...)...)
		if status != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: %d %q", test.args, status, stderr)
		}
	}
}
