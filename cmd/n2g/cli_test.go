package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

const (
	golden = "../../testdata/golden/"
	solu   = golden + "models/solu"
	bert   = golden + "models/bert"
)

// call runs the program with args.
func call(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &complaints)
	return status, out.String(), complaints.String()
}

// file makes a file of content.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	text := file(t, "func main() { return nil }")
	for _, test := range []struct {
		name   string
		args   []string
		stdin  string
		status int
		stdout []string // all of them, in order
		stderr []string
	}{
		{name: "nothing", status: 1, stderr: []string{"n2g help"}},
		{name: "help", args: []string{"help"}, stdout: []string{"Usage: n2g COMMAND", "activations", "tokenize"}},
		{name: "-h", args: []string{"-h"}, stdout: []string{"Usage: n2g COMMAND"}},
		{name: "help of a command", args: []string{"help", "fill"},
			stdout: []string{"Usage: n2g fill", "Examples:", "-masked MODEL"}},
		{name: "-h of a command", args: []string{"fill", "-h"},
			stdout: []string{"Usage: n2g fill", "Examples:", "-masked MODEL"}},
		{name: "unknown command", args: []string{"exlpain"}, status: 1, stderr: []string{`no command "exlpain"`, "n2g help"}},
		{name: "unknown flag", args: []string{"fill", "-colour"}, status: 1, stderr: []string{"-colour", "n2g fill -h"}},
		{name: "bad value", args: []string{"fill", "-n", "x"}, status: 1, stderr: []string{`"x"`, "-n", "n2g fill -h"}},
		{name: "stray argument", args: []string{"version", "now"}, status: 1, stderr: []string{`"now"`}},
		{name: "version", args: []string{"version", "-backend", "go"}, stdout: []string{"n2g ", "go1.", "backend go"}},
		{name: "unknown backend", args: []string{"version", "-backend", "tpu"}, status: 1,
			stderr: []string{`tpu`, "xla:cuda"}},
		{name: "models", args: []string{"models"}, stdout: []string{"tiny", "transformer_lens", "distilbert"}},
		{name: "backend", args: []string{"backend"}, stdout: []string{"auto", "go", "xla:cpu"}},

		{name: "train", args: []string{"train"}, status: 1, stderr: []string{"n2g help train"}},
		{name: "help of train", args: []string{"help", "train"}, stdout: []string{"train causal", "train masked"}},
		{name: "help of train causal", args: []string{"train", "causal", "-h"},
			stdout: []string{"Usage: n2g train causal", "-learning-rate", "(default"}},
		{name: "train nothing", args: []string{"train", "nothing"}, status: 1,
			stderr: []string{"train nothing", "n2g help train"}},
		{name: "train to nowhere", args: []string{"train", "masked"}, status: 1, stderr: []string{"-out"}},
		{name: "train with a bad seed", args: []string{"train", "causal", "-seed", "-1"}, status: 1,
			stderr: []string{"seed"}},

		{name: "activations", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file", text},
			stdout: []string{"POSITION", "<|endoftext|>", `"func"`, `" main"`}, stderr: []string{"n2g ", "backend"}},
		{name: "activations of all", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "all", "-file",
			text},
			stdout: []string{"HIGHEST", `"func"`}},
		{name: "activations of standard input", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3",
			"-file", "-"}, stdin: "x y",
			stdout: []string{`"x"`, `" y"`}},
		{name: "no layer", args: []string{"activations", "-model", solu, "-neuron", "3", "-file", text}, status: 1,
			stderr: []string{"-layer"}},
		{name: "no neuron", args: []string{"activations", "-model", solu, "-layer", "1", "-file", text}, status: 1,
			stderr: []string{"-neuron"}},
		{name: "layer out of range", args: []string{"activations", "-model", solu, "-layer", "7", "-neuron", "3", "-file",
			text}, status: 1, stderr: []string{"layer 7", "0 to 2"}},
		{name: "neuron out of range", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "512", "-file",
			text}, status: 1, stderr: []string{"neuron 512", "511"}},
		{name: "unknown hook", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-hook",
			"hook_out", "-file", text}, status: 1, stderr: []string{"hook_out", "hook_mid"}},
		{name: "no text", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3"}, status: 1,
			stderr: []string{"-file", "-ids"}},
		{name: "text and ids", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file", text,
			"-ids", "[0]"}, status: 1, stderr: []string{"either"}},
		{name: "bad ids", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-ids", "[0,a]"},
			status: 1, stderr: []string{"[0,5,17]"}},
		{name: "no ids", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-ids", "[]"},
			status: 1, stderr: []string{"empty"}},
		{name: "id out of range", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-ids",
			"[0,9999999]"}, status: 1, stderr: []string{"9999999"}},
		{name: "missing file", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file",
			"/no/such/file"}, status: 1, stderr: []string{"/no/such/file"}},
		{name: "missing model", args: []string{"activations", "-model", "/no/such/model", "-layer", "1", "-neuron", "3",
			"-file", text}, status: 1, stderr: []string{"/no/such/model", "folder"}},

		{name: "cut text", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file", "-",
			"-max-length", "3"}, stdin: strings.Repeat("x y ", 999),
			stdout: []string{"<|endoftext|>", `"x"`, `" y"`}},
		{name: "text longer than the context", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3",
			"-file", "-"}, stdin: strings.Repeat("x y ", 999),
			status: 1, stderr: []string{"2000 tokens", "max_length"}},
		{name: "text cut to nothing", args: []string{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file",
			text, "-max-length", "1"}, status: 1, stderr: []string{"-max-length is 1"}},

		{name: "fill", args: []string{"fill", "-masked", bert, "-text", "if err != [MASK] { return err }", "-n", "2"},
			stdout: []string{"POSITION", "PROBABILITY"}},
		{name: "fill without mask", args: []string{"fill", "-masked", bert, "-text", "no gap"}, status: 1,
			stderr: []string{"[MASK]"}},
		{name: "fill nothing", args: []string{"fill", "-masked", bert}, status: 1, stderr: []string{"-text", "-ids"}},
		{name: "fill none", args: []string{"fill", "-masked", bert, "-text", "[MASK]", "-n", "0"}, status: 1,
			stderr: []string{"-n is 0"}},

		{name: "fill what is not UTF-8", args: []string{"fill", "-masked", bert, "-text", "a\xff [MASK]"}, status: 1,
			stderr: []string{"byte 1 is not UTF-8"}},
		{name: "fill at a position of a text", args: []string{"fill", "-masked", bert, "-text", "[MASK]", "-at", "1"},
			status: 1, stderr: []string{"-at", "-ids"}},
		{name: "fill past the end", args: []string{"fill", "-masked", bert, "-ids", "1,2,3", "-at", "3"}, status: 1,
			stderr: []string{"position 3", "3 ids"}},

		{name: "tokenize", args: []string{"tokenize", "-tokenizer", bert, "-text", "if x\n"},
			stdout: []string{"ID", "0-2", `"if"`, "3-4", `"x"`}},
		{name: "tokenize standard input", args: []string{"tokenize", "-tokenizer", solu, "-file", "-"}, stdin: " x",
			stdout: []string{`" x"`}},
		{name: "tokenize without tokenizer", args: []string{"tokenize", "-text", "x"}, status: 1,
			stderr: []string{"-tokenizer"}},
		{name: "tokenize without text", args: []string{"tokenize", "-tokenizer", bert}, status: 1,
			stderr: []string{"-text", "-jsonl"}},
		{name: "bad JSON line", args: []string{"tokenize", "-tokenizer", bert, "-jsonl"}, stdin: "{\"text\":\"a\"}\n{",
			status: 1, stdout: []string{`"ids"`}, stderr: []string{"line 2"}},
		{name: "JSON line of another type", args: []string{"tokenize", "-tokenizer", bert, "-jsonl"}, stdin: `{"text":3}`,
			status: 1, stderr: []string{"line 1", `"text" is a number, where a string belongs`}},
		{name: "JSON line that is not UTF-8", args: []string{"tokenize", "-tokenizer", bert, "-jsonl"},
			stdin: "{\"text\":\"\xff\"}", status: 1, stderr: []string{"line 1", "byte 9", "text_b64"}},
		{name: "empty JSON line", args: []string{"tokenize", "-tokenizer", bert, "-jsonl"}, stdin: "{}", status: 1,
			stderr: []string{"line 1", "text_b64"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := call(t, test.stdin, test.args...)
			if status != test.status {
				t.Fatalf("exit status %d, want %d; it says %q", status, test.status, stderr)
			}
			contains(t, "stdout", stdout, test.stdout)
			contains(t, "stderr", stderr, test.stderr)
			if status != 0 {
				lines := strings.Split(strings.TrimSpace(stderr), "\n")
				last := lines[len(lines)-1]
				if !strings.HasPrefix(last, "n2g: ") || len(lines) > 2 || strings.Contains(stderr, "goroutine") {
					t.Errorf("the complaint is not one sentence: %q", stderr)
				}
			}
		})
	}
}

// contains looks for the wanted texts in order.
func contains(t *testing.T, where, text string, wanted []string) {
	t.Helper()
	rest := text
	for _, want := range wanted {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("%s lacks %q after what came before it: %q", where, want, text)
			return
		}
		rest = after
	}
}

// TestHelpOfAll: each command has an example or nothing to choose.
func TestHelpOfAll(t *testing.T) {
	a := &app{}
	var all []*command
	for _, c := range a.commands() {
		all = append(append(all, c), c.commands...)
	}
	for _, c := range all {
		flags := 0
		c.flags.VisitAll(func(f *flag.Flag) {
			flags++
			if f.Usage == "" {
				t.Errorf("n2g %s -%s has no help", c.name, f.Name)
			}
		})
		if flags > 1 && len(c.examples) == 0 {
			t.Errorf("n2g %s has %d flags and no example", c.name, flags)
		}
	}
}

// TestActivationsJSON compares with PyTorch's activations.
func TestActivationsJSON(t *testing.T) {
	var reference struct {
		Inputs []struct {
			IDs []int `json:"ids"`
		} `json:"inputs"`
	}
	data, err := os.ReadFile(solu + "/ref.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &reference); err != nil {
		t.Fatal(err)
	}
	ids, err := json.Marshal(reference.Inputs[0].IDs)
	if err != nil {
		t.Fatal(err)
	}
	read := func(args ...string) (out activationsOutput) {
		t.Helper()
		always := []string{"activations", "-model", solu, "-layer", "2", "-json"}
		status, stdout, stderr := call(t, "", append(always, args...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := read("-neuron", "all", "-hook", "hook_mid", "-ids", string(ids))
	one := read("-neuron", "17", "-ids", string(ids))
	if !reflect.DeepEqual(all.IDs, reference.Inputs[0].IDs) || len(all.Tokens) != len(all.IDs) ||
		len(all.Activations) != len(all.IDs) {
		t.Fatalf("%d ids, %d tokens, %d rows", len(all.IDs), len(all.Tokens), len(all.Activations))
	}
	for i, row := range one.Activations {
		if len(row) != 1 || len(all.Activations[i]) != 512 || math.Abs(float64(row[0]-all.Activations[i][17])) > 1e-5 {
			t.Fatalf("row %d: %v alone, %v among all", i, row, all.Activations[i][17])
		}
	}
	// BOS stands in front of a text.
	status, stdout, stderr := call(t, "func main", "activations", "-model", solu, "-layer", "2", "-neuron", "17", "-json",
		"-file", "-")
	var text activationsOutput
	if status != 0 || json.Unmarshal([]byte(stdout), &text) != nil || len(text.IDs) != 3 || text.IDs[0] != 0 {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
}

func TestActivationsHTML(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	status, stdout, stderr := call(t, "a </script> b", "activations", "-model", solu, "-layer", "2", "-neuron", "17",
		"-html", path, "-file", "-")
	if status != 0 || stdout != "" {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page, []byte("</script>")) || !bytes.Contains(page, []byte("layer 2, neuron 17, hook_mid")) {
		t.Errorf("page %.500s", page)
	}
}

// TestActivationsScale: full colour is the neuron's own maximum where that is known, or what the user says.
func TestActivationsScale(t *testing.T) {
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	stats, err := x.Stats(1*512 + 254)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, fmt.Sprintf("</i> %.4g <small>the neuron&#39;s highest in the sample</small>", stats.Maximum())},
		{[]string{"-hook", "hook_pre"}, `<small>the text&#39;s strongest</small>`},
		{[]string{"-max", "0.01"}, `</i> 0.01 <small>given</small>`},
	} {
		status, stdout, stderr := call(t, "a b",
			append([]string{"activations", "-layer", "1", "-neuron", "254", "-html", "-", "-file", "-"}, test.args...)...)
		if status != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("%q: %d %q %q", test.args, status, stderr, stdout)
		}
	}
}

func TestFillJSON(t *testing.T) {
	status, stdout, stderr := call(t, "", "fill", "-masked", bert, "-json", "-n", "4", "-text", "if [MASK] != [MASK] {")
	if status != 0 {
		t.Fatal(stderr)
	}
	var out []fillOutput
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0].Position != 2 || len(out[1].Substitutes) != 4 {
		t.Fatalf("%+v", out)
	}
	for _, mask := range out {
		for i, s := range mask.Substitutes {
			if s.Probability <= 0 || s.Probability > 1 || s.Token == "" || i > 0 &&
				s.Probability > mask.Substitutes[i-1].Probability {
				t.Errorf("substitute %d: %+v", i, s)
			}
		}
	}
}

// TestTokenizeLines sends the reference texts through -jsonl and compares with the Rust library's answers.
func TestTokenizeLines(t *testing.T) {
	for _, name := range []string{"bpe_gpt2", "wordpiece"} {
		t.Run(name, func(t *testing.T) {
			packed, err := os.Open(golden + "tokenizers/" + name + ".cases.jsonl.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer packed.Close()
			unpacked, err := gzip.NewReader(packed)
			if err != nil {
				t.Fatal(err)
			}
			cases, err := io.ReadAll(unpacked)
			if err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := call(t, string(cases), "tokenize", "-jsonl", "-tokenizer",
				golden+"tokenizers/"+name+".tokenizer.json")
			if status != 0 {
				t.Fatal(stderr)
			}
			got := bufio.NewScanner(strings.NewReader(stdout))
			got.Buffer(nil, 1<<24)
			n := 0
			for want := range bytes.Lines(cases) {
				var wanted, answered tokenizeOutput
				if !got.Scan() {
					t.Fatalf("only %d lines", n)
				}
				n++
				if err := json.Unmarshal(want, &wanted); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(got.Bytes(), &answered); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(answered, wanted) {
					t.Fatalf("line %d\n got %s\nwant %s", n, got.Bytes(), want)
				}
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reader, _ := io.Pipe() // never answers
	var stdout, stderr bytes.Buffer
	status := run(ctx, []string{"activations", "-model", solu, "-layer", "2", "-neuron", "17", "-file", "-"}, reader,
		&stdout, &stderr)
	if status != statusInterrupted || stdout.Len() > 0 || stderr.String() != "n2g: interrupted\n" {
		t.Errorf("status %d, %q, %q", status, &stdout, &stderr)
	}
}

func TestWrite(t *testing.T) {
	a := &app{}
	folder := t.TempDir()
	path := filepath.Join(folder, "out")
	if err := a.writeBytes(t.Context(), path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	fails := func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return io.ErrUnexpectedEOF
	}
	if err := a.write(t.Context(), path, fails); err == nil {
		t.Error("a failed write reports nothing")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.writeBytes(cancelled, path, []byte("new")); err == nil {
		t.Error("a cancelled write reports nothing")
	}
	content, err := os.ReadFile(path)
	entries, _ := os.ReadDir(folder)
	if err != nil || string(content) != "old" || len(entries) != 1 {
		t.Errorf("after failures: %q, %v, files %v", content, err, entries)
	}
	if err := a.writeBytes(t.Context(), "/dev/null", []byte("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null is replaced: %v %v", info, err)
	}
	link := filepath.Join(folder, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := a.writeBytes(t.Context(), link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if content, err = os.ReadFile(path); err != nil || string(content) != "new" {
		t.Errorf("through a link: %q, %v", content, err)
	}
}

// without is a copy of a model's folder that lacks a file.
func without(t *testing.T, model, file string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, file)); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestWithoutTokenizer: ids need none.
func TestWithoutTokenizer(t *testing.T) {
	folder := without(t, solu, "tokenizer.json")
	common := []string{"activations", "-model", folder, "-layer", "1", "-neuron", "3"}
	status, stdout, stderr := call(t, "", append(common, "-ids", "[0,5,6]", "-json")...)
	if status != 0 || !strings.HasPrefix(stdout, `{"ids":[0,5,6],"activations":[[`) {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	if status, stdout, stderr = call(t, "", append(common, "-ids", "[0,5,6]")...); status != 0 ||
		!strings.Contains(stdout, `"#5"`) {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	if status, _, stderr = call(t, "a", append(common, "-file", "-")...); status != 1 ||
		!strings.Contains(stderr, "tokenizer.json") {
		t.Errorf("%d %q", status, stderr)
	}
}

// TestFillWithoutTokenizer: ids and positions need none, and the answers are those of the same model with one.
func TestFillWithoutTokenizer(t *testing.T) {
	folder := without(t, bert, "tokenizer.json")
	read := func(args ...string) (out []fillOutput) {
		t.Helper()
		status, stdout, stderr := call(t, "", append([]string{"fill", "-json", "-n", "3", "-ids"}, args...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	masked := read("[1,4,2]", "-masked", bert, "-at", "[1]")
	alone := read("[1,4,2]", "-masked", folder, "-at", "1")
	if len(alone) != 1 || alone[0].Position != 1 || len(alone[0].Substitutes) != 3 {
		t.Fatalf("%+v", alone)
	}
	for i, s := range alone[0].Substitutes {
		if want := masked[0].Substitutes[i]; s.Token != "" || want.Token == "" || s.ID != want.ID ||
			s.Probability != want.Probability {
			t.Errorf("substitute %d is %+v, with a tokenizer %+v", i, s, want)
		}
	}
	for _, args := range [][]string{{"-ids", "1,4,2"}, {"-text", "a [MASK]"}} {
		if status, _, stderr := call(t, "", append([]string{"fill", "-masked", folder}, args...)...); status != 1 ||
			!strings.Contains(stderr, "tokenizer.json") || !strings.Contains(stderr, "-at") {
			t.Errorf("%q: %d %q", args, status, stderr)
		}
	}
	if status, _, stderr := call(t, "a", "explain", "-model", solu, "-masked", folder, "-layer", "1", "-neuron", "3",
		"-file", "-"); status != 1 || !strings.Contains(stderr, "tokenizer.json") {
		t.Errorf("explain: %d %q", status, stderr)
	}
}

// FuzzExamples: what -examples and -stopwords read is examples with prompts and words without blanks, or an error.
func FuzzExamples(f *testing.F) {
	f.Add([]byte(`{"layer": 0, "neuron": 3, "max_activation": 1.5, "prompts": ["a", "b"]}` + "\n" +
		`{"layer": 1, "neuron": 0, "prompts": ["\u0000"]}`))
	f.Add([]byte(`["a", "b c"]`))
	f.Add([]byte("the an\ta"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseExamples(data)
		for _, e := range list {
			if len(e.Prompts) == 0 || e.MaxActivation < 0 {
				t.Errorf("%+v, %v", e, err)
			}
		}
		words, err := parseWords(data)
		if err != nil && words != nil {
			t.Errorf("%q with %v", words, err)
		}
	})
}
