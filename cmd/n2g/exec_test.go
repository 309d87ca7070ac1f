package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/process"
)

// heldModel, set, makes the test binary a command that holds tiny (-exec).
const heldModel = "N2G_TEST_HELD_MODEL"

func holdModel() error {
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		return err
	}
	var sites []process.Site
	for layer := range model.Config().Layers {
		for _, hook := range []string{model.DefaultHook(), "hook_resid_post"} {
			width, err := model.Width(layer, hook)
			if err != nil {
				return err
			}
			sites = append(sites, process.Site{Layer: layer, Hook: hook, Width: width})
		}
	}
	return process.Serve(context.Background(), os.Stdin, os.Stdout, model, sites)
}

// held is the value of -exec that has tiny.
func held() string { return fmt.Sprintf("%s=1 '%s'", heldModel, os.Args[0]) }

// withoutWork is JSON Lines of explanations without what differs between a model here and in a process: how many rows
// ran, which are shared here, and what weights tell.
func withoutWork(t *testing.T, lines string) (list []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e["work"] == nil {
			t.Errorf("no work in %.200s", line)
		}
		delete(e, "work")
		delete(e, "effects")
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

// shortTexts is a folder of a few texts.
func shortTexts(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for i, text := range []string{
		"package p\n\nfunc main() {\n\tif err != nil {\n\t\treturn err\n\t}\n}\n",
		"package q\n\n// Len returns the length of s.\nfunc (s set) Len() int { return len(s) }\n",
		"package r\n\nimport \"fmt\"\n\nfunc say(text string) {\n\tfmt.Println(text)\n}\n",
		"package s\n\nfunc add(a, b int) (int, error) {\n\tif a < 0 {\n\t\treturn 0, nil\n\t}\n\treturn a + b, nil\n}\n",
	} {
		name := filepath.Join(folder, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(name, []byte(strings.Repeat(text, i+2)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestExecSame: every command that takes -exec says of tiny in a process what it says of tiny itself.
func TestExecSame(t *testing.T) {
	texts, out := shortTexts(t), t.TempDir()
	both := func(args ...string) (here, there string) {
		t.Helper()
		return succeed(t, args...), succeed(t, append(args, "-exec", held())...)
	}
	same := func(args ...string) {
		t.Helper()
		if here, there := both(args...); here != there || here == "" {
			t.Errorf("%q:\n%.500s\nof a process:\n%.500s", args, here, there)
		}
	}
	sameExplanations := func(here, there string) {
		t.Helper()
		a, b := withoutWork(t, here), withoutWork(t, there)
		if len(a) == 0 || len(a) != len(b) {
			t.Fatalf("%d and %d explanations", len(a), len(b))
		}
		for i := range a {
			if a[i] != b[i] {
				t.Errorf("explanation %d, of %d bytes, is another of %d bytes in a process", i, len(a[i]), len(b[i]))
			}
		}
	}
	same("activations", "-layer", "1", "-neuron", "17", "-text", "func main() {", "-json")
	same("activations", "-layer", "1", "-neuron", "all", "-hook", "hook_resid_post", "-text", "func main() {", "-json")
	same("activations", "-site", "blocks.1.hook_resid_post[-5]", "-text", "é 世界", "-json")

	sameExplanations(both("explain", "-corpus", texts, "-layer", "2", "-neuron", "124", "-masked", "tiny", "-json", "-",
		"-behaviours", "0")) // which are told by weights
	sameExplanations(both("explain", "-text", "if err != nil { return", "-site", "blocks.1.hook_resid_post[5]", "-masked",
		"tiny", "-json", "-"))

	indexes := []string{filepath.Join(out, "here.n2g"), filepath.Join(out, "there.n2g")}
	succeed(t, "mine", "-corpus", texts, "-o", indexes[0], "-layers", "1")
	succeed(t, "mine", "-corpus", texts, "-o", indexes[1], "-layers", "1", "-exec", held())
	var bytesOf [2][]byte
	for i, path := range indexes {
		var err error
		if bytesOf[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(bytesOf[0], bytesOf[1]) {
		t.Error("the indexes differ")
	}
	x := indexes[0]
	same("examples", "-index", x, "-layer", "1", "-neuron", "17", "-json")
	same("fires", "-index", x, "-text", "return", "-json")
	same("text", "-index", x, "-json", "return")

	stores := []string{filepath.Join(out, "here.db"), filepath.Join(out, "there.db")}
	run := []string{"run", "-index", x, "-layers", "1", "-neurons", "10-17", "-masked", "tiny", "-ask", "0",
		"-behaviours", "0", "-store"} // what a context graph may ask is told by the rows that ran, behaviours by weights
	succeed(t, append(run, stores[0])...)
	succeed(t, append(run, stores[1], "-exec", held())...)
	sameExplanations(succeed(t, "export", "-store", stores[0], "-jsonl", "-"),
		succeed(t, "export", "-store", stores[1], "-jsonl", "-"))
	same("predict", "-store", stores[1], "-layer", "1", "-neuron", "17", "-text", "return err", "-json")

	for _, folder := range []string{"here", "there"} {
		args := []string{"index", "export", "-index", x, "-format", "jsonl", "-o", filepath.Join(out, folder)}
		if folder == "there" {
			args = append(args, "-exec", held())
		}
		succeed(t, args...)
	}
	for _, name := range []string{"windows.jsonl", "activations.jsonl"} {
		here, err := os.ReadFile(filepath.Join(out, "here", name))
		if err != nil {
			t.Fatal(err)
		}
		if there, err := os.ReadFile(filepath.Join(out, "there", name)); err != nil || !bytes.Equal(here, there) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}

// TestExecSays: what a command of -exec cannot give, and what is wrong with it, is one sentence with exit status 1.
func TestExecSays(t *testing.T) {
	explain := func(args ...string) []string {
		return append([]string{"explain", "-text", "a b", "-layer", "0", "-neuron", "1"}, args...)
	}
	hello := func(rest string) string {
		return `read line; echo '{"id":1,"protocol":1,"name":"m","context_length":99,"bos":0,` + rest + `}'; read line; ` +
			`echo oops >&2; exit 4`
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"empty":        {explain("-exec", " "), "-exec is empty"},
		"with a model": {explain("-exec", "true", "-model", "tiny"), "leave out -model"},
		"with an SAE":  {explain("-exec", "true", "-sae", "x"), "leave out -sae"},
		"alone":        {explain("-exec-timeout", "1s"), "name it with -exec"},
		"no time":      {explain("-exec", "true", "-exec-timeout", "-1s"), "above 0"},
		"no command":   {explain("-exec", "no-such-program-7"), "no-such-program-7 ended with exit status 127"},
		"ends":         {explain("-exec", "true"), "true ended before it answered"},
		"talks":        {explain("-exec", "echo Loading"), `no JSON object: "Loading"`},
		"silent":       {explain("-exec", "sleep 60", "-exec-timeout", "200ms"), "sleep 60 has said nothing for 200ms"},
		"breaks": {explain("-exec", hello(`"sites":[{"width":9}]`), "-masked", "none"),
			"ended with exit status 4; its last words: oops"},
		"no such site": {append(explain("-exec", held(), "-masked", "none"), "-hook", "hook_pre"),
			"its sites are blocks.0.mlp.hook_mid[all], blocks.0.hook_resid_post[all]"},
		"no such neuron": {[]string{"explain", "-text", "a b", "-layer", "0", "-neuron", "99999", "-exec", held()},
			"no number 99999"},
		"neighbours":   {explain("-exec", held(), "-masked", "neighbours"), "-masked neighbours asks the explained model"},
		"itself":       {explain("-exec", held(), "-masked", "self"), "-masked self asks the explained model"},
		"faithfulness": {explain("-exec", held(), "-faithfulness"), "-faithfulness ablates"},
		"no examples":  {[]string{"run", "-exec", held(), "-store", filepath.Join(t.TempDir(), "x.db")}, "n2g mine -exec"},
		"tiny's index": {[]string{"examples", "-exec", held(), "-layer", "1", "-neuron", "17"}, "with -index FILE"},
		"effects":      {[]string{"effects", "-exec", "true", "-layer", "1"}, "n2g effects needs a model's weights"},
		"ablate":       {[]string{"ablate", "-exec=true", "-layer", "1"}, "n2g ablate needs a model's weights"},
		"sae":          {[]string{"sae", "-exec", "true"}, "n2g sae needs a model's weights"},
		"steer":        {[]string{"steer", "-exec", "true"}, "n2g steer needs a model's weights"},
		"no model":     {[]string{"search", "-exec", "true"}, "not defined: -exec"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := call(t, "", test.args...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if last := lines[len(lines)-1]; status != 1 || stdout != "" || !strings.Contains(last, test.want) {
				t.Errorf("%d %q %q; want %q", status, stdout, stderr, test.want)
			}
		})
	}
}

// TestExecVaries: without -masked it is said what varies words.
func TestExecVaries(t *testing.T) {
	status, _, stderr := call(t, "", "explain", "-text", "return err", "-layer", "0", "-neuron", "1", "-exec", held())
	if status != 0 || !strings.Contains(stderr, "varied by tiny") {
		t.Errorf("%d %q", status, stderr)
	}
}

// TestExecDocumented: docs/exec.md shows the program as it is, which is one screen long, and what is said to it and by
// it word for word.
func TestExecDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/exec.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("../../docs/exec/model.py")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(program, []byte("\n")); lines >= 60 {
		t.Errorf("the program has %d lines", lines)
	}
	if !bytes.Contains(page, slices.Concat([]byte("```python\n"), program, []byte("```\n"))) {
		t.Error("the page does not show docs/exec/model.py as it is")
	}
	_, dialogue, _ := strings.Cut(string(page), "```text\n> ")
	dialogue, _, _ = strings.Cut(dialogue, "```\n")
	dir := t.TempDir()
	questions, answers := filepath.Join(dir, "questions"), filepath.Join(dir, "answers")
	overheard := fmt.Sprintf("tee '%s' | %s | tee '%s'", questions, pythonModel(t), answers)
	succeed(t, "activations", "-exec", overheard, "-text", "A river bank", "-layer", "0", "-neuron", "0")
	asked, err := os.ReadFile(questions)
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	replies := strings.SplitAfter(string(said), "\n")
	for i, question := range strings.SplitAfter(strings.TrimSuffix(string(asked), "\n"), "\n") {
		fmt.Fprintf(&b, "> %s\n< %s", strings.TrimSuffix(question, "\n"), replies[i])
	}
	if b.String() != "> "+dialogue {
		t.Errorf("the page has\n> %s\nand what was said is\n%s", dialogue, b.String())
	}
}

// pythonModel is the command that runs docs/exec/model.py.
func pythonModel(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not here, which runs docs/exec/model.py (Debian: apt-get install python3)")
	}
	program, err := filepath.Abs("../../docs/exec/model.py")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("'%s' '%s'", python, program)
}

// TestExecPython: the program of docs/exec.md is explained by the commands that stand there, from an empty folder, and
// its graph is the rule that it was written by.
func TestExecPython(t *testing.T) {
	command := pythonModel(t)
	texts := t.TempDir()
	for i := range 8 {
		text := fmt.Sprintf("In year %d the river rose over the bank. We took a loan from the bank of the city.\n"+
			"The lake lay near, and on its bank stood a boat.\n", i)
		if err := os.WriteFile(filepath.Join(texts, fmt.Sprintf("%d.txt", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := succeed(t, "explain", "-exec", command, "-corpus", texts, "-site", "blocks.0.mlp.hook_post[0]", "-masked",
		"none")
	graph := said[strings.Index(said, "\ngraph: "):]
	for _, want := range []string{"3 nodes, 2 edges", "  \"bank\"  activation 1.00\n", "    \"river\"  importance 1.00\n",
		"    \"lake\"  importance 1.00\n", "graph          1.000      1.000   1.000"} {
		if !strings.Contains(graph, want) {
			t.Errorf("no %q in %s", want, graph)
		}
	}
	x := filepath.Join(t.TempDir(), "x.n2g")
	succeed(t, "mine", "-exec", command, "-corpus", texts, "-o", x)
	said = succeed(t, "examples", "-exec", command, "-index", x, "-layer", "0", "-neuron", "1")
	if !strings.Contains(said, "[I]n year 3") {
		t.Error(said)
	}
	_, _, said = call(t, "", "activations", "-exec", command, "-layer", "0", "-neuron", "7", "-text", "a")
	if !strings.Contains(said, "no number 7") {
		t.Error(said)
	}
}
