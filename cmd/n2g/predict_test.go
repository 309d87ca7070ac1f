package main

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
)

func TestPredict(t *testing.T) {
	fires := .8
	e := n2g.Explanation{
		Model: "tiny", Site: n2g.Site{Layer: 1, Index: 2, Hook: "hook_mid"}, MaxActivation: 1,
		Trie: &n2g.Node{Token: n2g.RootToken, Children: []*n2g.Node{{Token: " (", Activator: true, End: &fires}}},
		Context: &n2g.ContextGraph{FireThreshold: .3, Label: "`(` after `func`", Root: &n2g.ContextNode{
			Test: &n2g.ContextTest{Kind: n2g.TestToken, Tokens: []string{" ("}},
			Yes: &n2g.ContextNode{
				Test: &n2g.ContextTest{Kind: n2g.TestToken, Distance: 1, Tokens: []string{"func"}},
				Yes:  &n2g.ContextNode{Value: .9}, No: &n2g.ContextNode{Value: .1}},
			No: &n2g.ContextNode{},
		}},
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "neuron.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want []float64
	}{
		{"the graph there is", nil, []float64{0, .9, 0, .1}},
		{"context", []string{"-graph", "context"}, []float64{0, .9, 0, .1}},
		{"published", []string{"-graph", "published"}, []float64{0, .8, 0, .8}},
	} {
		t.Run(test.name, func(t *testing.T) {
			always := []string{"predict", "-explanation", path, "-text", "func ( return (", "-json"}
			status, stdout, stderr := call(t, "", append(always, test.args...)...)
			if status != 0 {
				t.Fatal(stderr)
			}
			var out predictOutput
			if err := json.Unmarshal([]byte(stdout), &out); err != nil {
				t.Fatal(err)
			}
			if strings.Join(out.Tokens, "") != "func ( return (" || len(out.Predictions) != len(test.want) {
				t.Fatalf("%q %v", out.Tokens, out.Predictions)
			}
			for i, v := range test.want {
				if math.Abs(out.Predictions[i]-v) > 1e-9 {
					t.Errorf("%q: %v, want %v", out.Tokens, out.Predictions, test.want)
					break
				}
			}
		})
	}
	status, stdout, stderr := call(t, "", "predict", "-explanation", path, "-text", "func (")
	if status != 0 || !strings.Contains(stdout, "0.900") || !strings.Contains(stdout, "*") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	// What stands in front of every prompt is no token of the text, but the published graph was made and scored with it.
	alone := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := fs.ReadFile(tiny.Causal(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(alone, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.Trie = &n2g.Node{Token: n2g.RootToken, Children: []*n2g.Node{{Token: "if", Activator: true,
		Children: []*n2g.Node{{Token: n2g.IgnoreToken, Ignore: true, End: &fires}}}}}
	if data, err = json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"if", "<|endoftext|>if"} {
		for _, model := range []string{"tiny", alone} { // without weights
			status, stdout, stderr := call(t, string(data), "predict", "-explanation", "-", "-model", model, "-text", text,
				"-json", "-graph", "published")
			want := `{"graph":"published","fire_threshold":0.5,"tokens":["if"],"predictions":[0.8]}` + "\n"
			if status != 0 || stdout != want {
				t.Errorf("%q by the tokenizer of %s: %q %s", text, model, stdout, stderr)
			}
		}
	}
	e.Context = nil
	if data, err = json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"-explanation", "-", "-text", "x", "-graph", "context"}, string(data), "no context graph"},
		{[]string{"-explanation", "-", "-text", "x"}, "{}", "format is missing"},
		{[]string{"-explanation", "-", "-text", "x", "-graph", "both"}, string(data), `"both"`},
		{[]string{"-explanation", "/no/such/file", "-text", "x"}, "", "/no/such/file"},
		{[]string{"-explanation", "-"}, string(data), "give a text"},
		{[]string{"-text", "x"}, "", "name a neuron"},
		{[]string{"-explanation", "-", "-text", ""}, string(data), "blank"},
		{[]string{"-explanation", "-", "-text", "<|endoftext|>"}, string(data), "blank"},
		{[]string{"-explanation", "-", "-text", " \n"}, string(data), "blank"},
		{[]string{"-explanation", "-", "-text", "a\xff"}, string(data), "not UTF-8"},
		{[]string{"-explanation", "-", "-text", "x", "-model", t.TempDir()}, string(data), "no tokenizer.json"},
		{[]string{"-store", "/no/such/store.db", "-layer", "1", "-neuron", "2", "-text", "x"}, "", "/no/such/store.db"},
	} {
		status, _, stderr := call(t, test.stdin, append([]string{"predict"}, test.args...)...)
		if status != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: %d %q, want %q", test.args, status, stderr, test.want)
		}
	}
}
