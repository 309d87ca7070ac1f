package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// publishedNeuron is what these tests read of a reference result.
type publishedNeuron struct {
	Layer   int      `json:"layer"`
	Neuron  int      `json:"neuron"`
	MaxAct  float64  `json:"max_act"`
	Prompts []string `json:"prompts"`
	Train   []struct {
		Results []struct {
			Pruned string `json:"pruned"`
		} `json:"results"`
	} `json:"train"`
	Stats map[string]json.RawMessage `json:"stats"`
}

func readNeuron(t *testing.T, name string) publishedNeuron {
	t.Helper()
	return readGolden[publishedNeuron](t, "neurons/neuron_"+name)
}

func (n publishedNeuron) examples(t *testing.T) string {
	t.Helper()
	line, err := json.Marshal(n2g.Examples{Site: n2g.Site{Layer: n.Layer, Index: n.Neuron}, MaxActivation: n.MaxAct,
		Prompts: n.Prompts})
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// TestExplainPublished explains a neuron as the published program did, with every output.
func TestExplainPublished(t *testing.T) {
	published := readNeuron(t, "2_117")
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	status, stdout, stderr := call(t, published.examples(t), "explain", "-model", solu, "-masked",
		golden+"models/distilbert",
		"-casings", golden+"neurons/word_to_casings.json", "-examples", "-",
		"-json", path("x.json"), "-html", path("x.html"), "-svg", path("x.svg"), "-png", path("x.png"), "-dot", path("x.dot"))
	if status != 0 || stdout != "" {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	e, err := n2g.ReadExplanation(bytes.NewReader(read("x.json")))
	if err != nil {
		t.Fatal(err)
	}
	var pruned []string
	for _, train := range published.Train {
		for _, result := range train.Results {
			pruned = append(pruned, result.Pruned)
		}
	}
	if len(e.Prunes) != len(pruned) {
		t.Fatalf("%d prunes, want %d", len(e.Prunes), len(pruned))
	}
	for i, want := range pruned {
		if e.Prunes[i].Text != want {
			t.Errorf("prune %d is %q, want %q", i, e.Prunes[i].Text, want)
		}
	}
	var firing struct{ Precision, Recall float64 }
	if err := json.Unmarshal(published.Stats["1"], &firing); err != nil {
		t.Fatal(err)
	}
	if got := e.Scores.Firing; math.Abs(got.Precision-firing.Precision) > 1e-9 ||
		math.Abs(got.Recall-firing.Recall) > 1e-9 {
		t.Errorf("scores %+v, want %+v", got, firing)
	}
	if e.Stages == nil {
		t.Error("the JSON lacks the stages")
	}
	if !bytes.Contains(read("x.html"), []byte("<svg")) || !bytes.Contains(read("x.svg"), []byte("layer 2, neuron 117")) ||
		!bytes.Contains(read("x.dot"), []byte("digraph")) {
		t.Error("page, SVG or DOT lack what they are for")
	}
	if _, err := png.Decode(bytes.NewReader(read("x.png"))); err != nil {
		t.Error(err)
	}
}

// TestExplainMany reads JSON Lines; one neuron that cannot be explained does not cost the others.
func TestExplainMany(t *testing.T) {
	a, b := readNeuron(t, "2_117"), readNeuron(t, "1_115")
	a.Prompts, b.Prompts = a.Prompts[:4], b.Prompts[:4]
	lines := a.examples(t) + "\n" + b.examples(t) + "\n"
	common := []string{"explain", "-model", solu, "-masked", "none", "-examples", "-"}

	status, stdout, stderr := call(t, lines, append(common, "-json", "-", "-stages=false", "-cutoff", "12")...)
	if status != 0 || strings.Count(stdout, "\n") != 2 {
		t.Fatalf("%d, %d lines, %q", status, strings.Count(stdout, "\n"), stderr)
	}
	i := 0
	for e, err := range n2g.ReadExplanations(strings.NewReader(stdout)) {
		if err != nil {
			t.Fatal(err)
		}
		if want := []publishedNeuron{a, b}[i]; e.Site.Layer != want.Layer || e.Site.Index != want.Neuron ||
			*e.Options.Cutoff != 12 || e.Stages != nil {
			t.Errorf("explanation %d is of %+v with cutoff %d", i, e.Site, *e.Options.Cutoff)
		}
		i++
	}

	status, stdout, stderr = call(t, lines+`{"layer":0,"neuron":99999,"prompts":["a"]}`, append(common, "-json", "-")...)
	if status != 1 || strings.Count(stdout, "\n") != 2 || !strings.Contains(stderr, "1 of 3 neurons") ||
		!strings.Contains(stderr, "99999") {
		t.Errorf("with one of a bad index: %d, %d lines, %q", status, strings.Count(stdout, "\n"), stderr)
	}

	if status, stdout, stderr = call(t, lines, append(common, "-layer", "1")...); status != 0 ||
		strings.Count(stdout, "max activation") != 1 || !strings.Contains(stdout, "neuron 115") {
		t.Errorf("of layer 1: %d %q %q", status, stdout, stderr)
	}
	if status, _, stderr = call(t, lines, append(common, "-svg", "x")...); status != 1 ||
		!strings.Contains(stderr, "one neuron") {
		t.Errorf("a drawing of two: %d %q", status, stderr)
	}
}

// TestExplainText is the published walkthrough's way: one prompt, no graph.
func TestExplainText(t *testing.T) {
	status, stdout, stderr := call(t, "func main() { if err != nil { return err } }", "explain", "-model", solu, "-masked",
		golden+"models/distilbert",
		"-layer", "1", "-neuron", "115", "-file", "-")
	if status != 0 {
		t.Fatal(stderr)
	}
	contains(t, "stdout", stdout, []string{"layer 1, neuron 115", "pruned to", "IMPORTANCE", "<|endoftext|>"})
	if strings.Contains(stdout, "graph") {
		t.Errorf("a graph of one prompt: %s", stdout)
	}
}

func TestExplainCorpus(t *testing.T) {
	corpus := file(t,
		strings.Repeat("func f(x int) error {\n\tif x > 3 {\n\t\treturn fmt.Errorf(\"%d\", x)\n\t}\n\treturn nil\n}\n\n", 30))
	status, stdout, stderr := call(t, "", "explain", "-model", solu, "-masked", "none", "-layer", "1", "-neuron", "115",
		"-corpus", corpus)
	if status != 0 || !strings.Contains(stdout, "max activation") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
}

func TestExplainComplaints(t *testing.T) {
	text := file(t, "func main")
	common := []string{"explain", "-model", solu, "-masked", "none"}
	for _, test := range []struct {
		name  string
		args  []string
		stdin string
		want  []string
	}{
		{"no neuron to search for", []string{"-layer", "1"}, "", []string{"-layer", "-neuron"}},
		{"two sources", []string{"-layer", "1", "-neuron", "1", "-file", text, "-corpus", text}, "", []string{"one of"}},
		{"no neuron", []string{"-layer", "1", "-file", text}, "", []string{"-neuron"}},
		{"layer out of range", []string{"-layer", "8", "-neuron", "1", "-file", text}, "", []string{"layer 8", "0 to 2"}},
		{"unknown preset", []string{"-layer", "1", "-neuron", "1", "-file", text, "-preset", "mine"}, "",
			[]string{"mine", "walkthrough"}},
		{"unknown mode", []string{"-layer", "1", "-neuron", "1", "-file", text, "-mode", "all"}, "",
			[]string{`"all"`, "mask_num"}},
		{"bad threshold", []string{"-layer", "1", "-neuron", "1", "-file", text, "-cutoff", "ten"}, "",
			[]string{"cutoff", "whole number"}},
		{"graph of a text", []string{"-layer", "1", "-neuron", "1", "-file", text, "-svg", "x"}, "", []string{"no graph"}},
		{"no folder", []string{"-layer", "1", "-neuron", "1", "-file", text, "-json", "/no/such/folder/x"}, "",
			[]string{"/no/such/folder"}},
		{"folder for a file", []string{"-layer", "1", "-neuron", "1", "-file", text, "-json", t.TempDir()}, "",
			[]string{"is a folder"}},
		{"two to standard output", []string{"-layer", "1", "-neuron", "1", "-file", text, "-json", "-", "-html", "-"}, "",
			[]string{"only one"}},
		{"blank text", []string{"-layer", "1", "-neuron", "1", "-file", "-"}, " \n", []string{"blank"}},
		{"no examples", []string{"-examples", "-"}, "", []string{`"prompts"`}},
		{"broken examples", []string{"-examples", "-"}, `{"layer":1,`, []string{"object 1", `"prompts"`}},
		{"examples without neuron", []string{"-examples", "-"}, `{"layer":1,"prompts":["a"]}`,
			[]string{"object 1", "neuron"}},
		{"examples without prompts", []string{"-examples", "-"}, `{"layer":1,"neuron":2}`, []string{"object 1", "prompts"}},
		{"examples with a negative maximum", []string{"-examples", "-"},
			`{"layer":1,"neuron":2,"max_activation":-1,"prompts":["a"]}`, []string{"object 1", "max_activation -1"}},
		{"examples with a word for a number", []string{"-examples", "-"}, `{"layer":"one","neuron":2,"prompts":["a"]}`,
			[]string{"object 1", `"layer" is a string, where a whole number belongs`}},
		{"examples with a misspelled field", []string{"-examples", "-"}, `{"layer":1,"neuron":2,"promts":["a"]}`,
			[]string{"object 1", `no field "promts"`}},
		{"examples that are not UTF-8", []string{"-examples", "-"}, "{\"layer\":1,\"neuron\":2,\"prompts\":[\"a\xff\"]}",
			[]string{"byte 35 is not UTF-8"}},
		{"examples of others", []string{"-examples", "-", "-layer", "2"}, `{"layer":1,"neuron":2,"prompts":["a"]}`,
			[]string{"no examples of the neuron"}},
		{"missing casings", []string{"-layer", "1", "-neuron", "1", "-file", text, "-casings", "/no/such/file"}, "",
			[]string{"/no/such/file"}},
		{"bad casings", []string{"-layer", "1", "-neuron", "1", "-file", text, "-casings", text}, "",
			[]string{text, `{"word"`}},
		{"mask id out of range", []string{"-layer", "1", "-neuron", "1", "-file", text, "-mask-id", "99999"}, "",
			[]string{"-mask-id is 99999"}},
		{"bad stopwords", []string{"-layer", "1", "-neuron", "1", "-file", text, "-stopwords", file(t, "[1")}, "",
			[]string{"list of words"}},
		{"missing masked model", []string{"-layer", "1", "-neuron", "1", "-file", text, "-masked", "/no/such/model"}, "",
			[]string{"/no/such/model"}},
		{"missing corpus", []string{"-layer", "1", "-neuron", "1", "-corpus", "/no/such/folder"}, "",
			[]string{"/no/such/folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := call(t, test.stdin, append(common[:len(common):len(common)], test.args...)...)
			if status != 1 || stdout != "" {
				t.Fatalf("%d %q %q", status, stdout, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q lacks %q", stderr, want)
				}
			}
		})
	}
}
