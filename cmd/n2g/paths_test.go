package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestOutputsOntoInputs: an output that would replace what the command reads, by any name, is refused before anything
// runs, and every file stays as it is.
func TestOutputsOntoInputs(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	db, other := in("run.db"), in("other.db")
	publishedRun(t, db)
	for name, content := range map[string]string{"text.txt": "func main",
		"examples.jsonl": `{"layer": 0, "neuron": 3, "prompts": ["a"]}`, "page.html": "<html>", "words": "a b"} {
		if err := os.WriteFile(in(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in("corpus"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("corpus/a.txt"), []byte("a text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(db, in("symbolic")), os.Link(in("text.txt"), in("hard")), os.Symlink(in("corpus"), in("linked")),
		os.Symlink(in("new.json"), in("dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(other, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), store.Identity{Model: "m"}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := snapshot(t, folder)
	one := []string{"explain", "-model", solu, "-masked", "none", "-layer", "1", "-neuron", "3"}
	for _, args := range [][]string{
		{"summary", "-store", db, "-o", db},
		{"summary", "-store", db, "-o", in("symbolic")},
		{"summary", "-store", in("symbolic"), "-svg", db},
		{"summary", "-store", db, "-png", filepath.Join(folder, "corpus", "..", "run.db")},
		{"summary", "-store", db, "-o", other},
		{"summary", "-store", other, "-o", other + "-wal"},
		{"summary", "-store", db, "-o", in("new"), "-svg", in("new")},
		{"export", "-store", db, "-jsonl", db},
		{"export", "-store", db, "-csv", in("new.csv"), "-stats", folder + "/./new.csv"},
		{"export", "-store", db, "-csv", in("dangling"), "-stats", in("new.json")},
		{"mine", "-model", solu, "-corpus", in("text.txt"), "-o", in("text.txt")},
		{"mine", "-model", solu, "-corpus", in("text.txt"), "-o", in("hard")},
		{"mine", "-model", solu, "-corpus", in("corpus"), "-o", in("corpus/a.txt")},
		{"mine", "-model", solu, "-corpus", in("linked"), "-o", in("corpus/a.txt")},
		append(one, "-file", in("text.txt"), "-html", in("hard")),
		append(one, "-mined", in("examples.jsonl"), "-json", in("examples.jsonl")),
		append(one, "-examples", in("examples.jsonl"), "-json", in("new"), "-html", in("new")),
		append(one, "-file", in("text.txt"), "-stopwords", in("words"), "-json", in("words")),
		{"import", "-page", in("page.html"), "-o", in("page.html")},
		{"import", "-page", folder, "-o", in("page.html")},
		{"run", "-model", solu, "-examples", in("examples.jsonl"), "-store", in("examples.jsonl")},
		{"merge", "-store", db, in("symbolic")},
		{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-file", in("text.txt"), "-html", in("text.txt")},
		{"activations", "-model", filepath.Join(folder, "corpus"), "-layer", "1", "-neuron", "3", "-ids", "1", "-html",
			in("corpus/a.txt")},
	} {
		status, _, stderr := call(t, "", args...)
		if status != 1 || strings.Contains(stderr, "backend") || !strings.Contains(stderr, "replace") &&
			!strings.Contains(stderr, "both write") && !strings.Contains(stderr, "same file") {
			t.Errorf("%q: %d %q", args, status, stderr)
		}
	}
	if after := snapshot(t, folder); !reflect.DeepEqual(before, after) {
		t.Error("files have changed")
	}
	// The same device twice is none of that.
	if status, _, stderr := call(t, "", "summary", "-store", db, "-o", "/dev/null", "-svg", "/dev/null"); status != 0 {
		t.Errorf("/dev/null: %q", stderr)
	}
}

// snapshot is the content of every file below a folder but SQLite's own beside a store.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "-wal") {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() { // a link to nothing, or to a folder
			return nil
		}
		content, err := os.ReadFile(path)
		all[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPathsDeclared: a flag whose value is a file or folder is declared as one, so that nothing is replaced by it
// unseen.
func TestPathsDeclared(t *testing.T) {
	for _, c := range allCommands() {
		declared := map[string]bool{}
		for _, p := range c.paths {
			declared[strings.TrimPrefix(p.name, "-")] = true
		}
		c.flags.VisitAll(func(f *flag.Flag) {
			value, _ := flag.UnquoteUsage(f)
			if strings.HasPrefix(c.name, "train ") {
				return // writes a folder that may be there for one purpose only: going on
			}
			if names := value == "FILE" || value == "FOLDER" || value == "CORPUS" ||
				value == "MODEL"; names != declared[f.Name] {
				t.Errorf("n2g %s -%s takes a %s, and declared as a path is %t", c.name, f.Name, value, declared[f.Name])
			}
		})
	}
}

// TestTexts: -text is the text, -file a file or standard input, and who means the other is told.
func TestTexts(t *testing.T) {
	text := file(t, "func main")
	utf16 := file(t, "\xff\xfef\x00u\x00")
	for _, command := range [][]string{
		{"activations", "-model", solu, "-layer", "1", "-neuron", "3"},
		{"explain", "-model", solu, "-masked", "none", "-layer", "1", "-neuron", "115"},
		{"tokenize", "-tokenizer", solu},
	} {
		with := func(args ...string) (int, string, string) {
			return call(t, "func main", append(command[:len(command):len(command)], args...)...)
		}
		status, literal, stderr := with("-text", "func main")
		if status != 0 {
			t.Fatalf("%q: %q", command, stderr)
		}
		for _, same := range [][]string{{"-file", text}, {"-file", "-"}} {
			if _, out, stderr := with(same...); out != literal {
				t.Errorf("%q %q: %q, and not %q; %q", command, same, out, literal, stderr)
			}
		}
		for _, test := range []struct{ args, want []string }{
			{[]string{"-text", text}, []string{"-file " + text}},
			{[]string{"-text", "-"}, []string{"-file -"}},
			{[]string{"-text", "a", "-file", text}, []string{"one of -text"}},
		} {
			status, _, stderr := with(test.args...)
			if status != 1 {
				t.Errorf("%q %q: %d", command, test.args, status)
			}
			contains(t, command[0], stderr, test.want)
		}
		if status, _, stderr := with("-file", utf16); command[0] != "tokenize" &&
			(status != 1 || !strings.Contains(stderr, "UTF-16")) {
			t.Errorf("%q of UTF-16: %d %q", command, status, stderr)
		}
	}
}

// TestOldName: -o of run and merge is understood, and its new name told.
func TestOldName(t *testing.T) {
	db := filepath.Join(t.TempDir(), "new.db")
	examples := file(t, `{"layer": 1, "neuron": 115, "prompts": ["func main", "func x"]}`)
	status, stdout, stderr := call(t, "", "run", "-model", solu, "-masked", "none", "-examples", examples, "-o", db)
	if status != 0 || !strings.Contains(stdout, "new.db") || !strings.Contains(stderr, "-o of n2g run is called -store") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
}

// TestHarmless: nothing that a terminal would obey gets through, wherever the text is cut into pieces.
func TestHarmless(t *testing.T) {
	const text = "a\tb\n\x1b]0;title\x07\u009b1m é\u202e \xff\x9b日本\r\x7f\x00"
	const want = "a\tb\n" + `\x1b]0;title\x07\x9b1m é\u202e \xff\x9b日本\x0d\x7f\x00`
	for size := 1; size < len(text); size++ {
		var b bytes.Buffer
		h := &harmless{w: &b}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(h, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if b.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", size, &b, want)
		}
	}
	if got := printable("a\nb\tc"); got != `a\nb\tc` {
		t.Errorf("in a line: %q", got)
	}
	db := filepath.Join(t.TempDir(), "run.db")
	s, err := store.Open(db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.PutFailure(t.Context(), n2g.Site{Layer: 1}, "a\x1b]0;PWN\x07\n0/1     forged row"),
		s.Close()); err != nil {
		t.Fatal(err)
	}
	if out := ok(t, "summary", "-failures", "-store", db); strings.Count(out, "\n") != 2 ||
		strings.Contains(out, "\x1b") || !strings.Contains(out, `a\x1b]0;PWN\x07\n0/1     forged row`) {
		t.Errorf("failures: %q", out)
	}
	if _, _, stderr := call(t, "", "explain", "-model", "no\x1b[31m such", "-layer", "1", "-neuron", "1", "-text",
		"a"); strings.Contains(stderr, "\x1b") {
		t.Errorf("a message: %q", stderr)
	}
	if _, _, stderr := call(t, "", strings.Repeat("x", 100_000)); len(stderr) > 2000 {
		t.Errorf("a message of %d bytes", len(stderr))
	}
}

// broken is an output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestStandardOutputFails: every command notices.
func TestStandardOutputFails(t *testing.T) {
	db := filepath.Join(t.TempDir(), "run.db")
	publishedRun(t, db)
	for _, args := range [][]string{
		{"help"}, {"explain", "-h"}, {"version"}, {"models"}, {"backend"}, {"summary", "-store", db},
		{"search", "-store", db, "x"}, {"find", "polysemantic", "-store", db},
		{"export", "-store", db, "-jsonl", "-"}, {"merge", "-store", db + "2", db},
		{"tokenize", "-tokenizer", bert, "-text", "x"}, {"similar", "2/117", "-store", db},
		{"activations", "-model", solu, "-layer", "1", "-neuron", "3", "-text", "x"},
		{"fill", "-masked", bert, "-text", "[MASK]"},
	} {
		var stderr bytes.Buffer
		status := run(t.Context(), args, strings.NewReader(""), broken{}, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%q: %d %q", args, status, &stderr)
		}
	}
}

// childCommand, set, makes the test binary the program.
const childCommand = "N2G_TEST_COMMAND_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childCommand) != "" {
		main()
	}
	if os.Getenv(heldModel) != "" {
		if err := holdModel(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// program is the program as a process.
func program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), childCommand+"=1")
	return c
}

// TestSignals: a program that a signal ends has the exit status that a shell expects of that signal.
func TestSignals(t *testing.T) {
	for sent, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		if signal.Ignored(sent) { // as under nohup: the program inherits that
			t.Logf("%v: SKIPPED, since it is ignored here", sent)
			continue
		}
		c := program("tokenize", "-tokenizer", bert, "-jsonl")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // until it reads
		if err := c.Process.Signal(sent); err != nil {
			t.Fatal(err)
		}
		io.ReadAll(stdout) // it ends with the program
		c.Wait()           // the status tells
		stdin.Close()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("%v: exit status %d, want %d", sent, got, want)
		}
	}
}

// TestLeftBehind: what a killed program left of an output goes with the next that writes it; what one is writing stays.
func TestLeftBehind(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "out.json")
	left := filepath.Join(folder, ".out.json-n2g-LEFT")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := createTemporary(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left is there: %v", err)
	}
	a := &app{}
	if err := a.writeBytes(context.Background(), out, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(busy.Name()); err != nil {
		t.Errorf("what another writes is gone: %v", err)
	}
	if err := busy.discard(); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

// TestRefusedLeavesNothing: a command that is refused makes no store.
func TestRefusedLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	db := filepath.Join(folder, "run.db")
	examples := file(t, `{"layer": 0, "neuron": 3, "prompts": ["a"]}`)
	call(t, "", "run", "-model", "/no/such/model", "-examples", examples, "-store", db)
	call(t, "", "run", "-model", solu, "-masked", "none", "-examples", examples, "-layers", "7", "-store", db)
	call(t, "", "merge", "-store", db, filepath.Join(folder, "none.db"))
	call(t, "", "mine", "-model", solu, "-o", "/dev/null")
	if entries, _ := os.ReadDir(folder); len(entries) > 0 {
		t.Errorf("there are %v", entries)
	}
	if _, err := os.Stat("/dev/null.part"); err == nil {
		t.Error("there is /dev/null.part")
	}
}
