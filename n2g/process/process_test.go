//go:build unix

package process_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/process"
)

// playVar has the test's program play a model's process; its value is the part.
const playVar = "N2G_TEST_PROCESS"

func TestMain(m *testing.M) {
	if part := os.Getenv(playVar); part != "" {
		if err := play(part); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	os.Exit(m.Run())
}

// play speaks the protocol as a part says.
func play(part string) error {
	switch part {
	case "tiny":
		model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
		if err != nil {
			return err
		}
		defer model.Close()
		var sites []process.Site
		for layer := range model.Config().Layers {
			for _, hook := range []string{"hook_mid", "hook_pre", "hook_resid_post"} {
				width, err := model.Width(layer, hook)
				if err != nil {
					return err
				}
				sites = append(sites, process.Site{Layer: layer, Hook: hook, Width: width})
			}
		}
		return process.Serve(context.Background(), os.Stdin, os.Stdout, model, sites)
	case "toy":
		return process.Serve(context.Background(), os.Stdin, os.Stdout, toy(),
			[]process.Site{{Hook: "hook_mid", Width: 2}})
	}
	return misplay(part)
}

func toy() n2g.LanguageModel {
	return n2gtest.NewModel(n2gtest.Rule{Token: " bank", Context: " river", Full: 2, Alone: 0.5},
		n2gtest.Rule{Token: " cat", Full: 1})
}

// ask is what the misplaying parts understand of a question.
type ask struct {
	ID      int64
	Method  string
	Prompts [][]int
}

const saysHello = `{"id":%d,"protocol":1,"name":"bad","context_length":64,"bos":0,"mask":1,"vocabulary":99,` +
	`"sites":[{"layer":0,"hook":"hook_post","width":2}]}` + "\n"

// misplay is a process that goes wrong in one way.
func misplay(part string) error {
	in := bufio.NewScanner(os.Stdin)
	var held []ask
	part, what, _ := strings.Cut(part, "=")
	for in.Scan() {
		var q ask
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return err
		}
		if part == "hello" {
			fmt.Println(strings.ReplaceAll(what, "ID", strconv.FormatInt(q.ID, 10)))
			continue
		}
		if q.Method == "hello" {
			if part == "starts" { // something that outlives it, unless its group is killed
				child := exec.Command("sleep", "1000")
				if err := child.Start(); err != nil {
					return err
				}
				if err := os.WriteFile(what, []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
					return err
				}
			}
			fmt.Printf(saysHello, q.ID)
			continue
		}
		switch part {
		case "says":
			fmt.Println(strings.ReplaceAll(what, "ID", strconv.FormatInt(q.ID, 10)))
		case "silent":
		case "exits":
			fmt.Fprintf(os.Stderr, "Traceback (most recent call last):\n  File \"model.py\", line 7\nKeyError: 'blocks'\n")
			os.Exit(2)
		case "ends":
			return nil
		case "closes":
			os.Stdout.Close()
		case "lingers": // and does not end when its input does
			os.Stdout.Close()
			time.Sleep(time.Minute)
		case "long":
			line := bytes.Repeat([]byte("x"), 1<<20)
			for {
				if _, err := os.Stdout.Write(line); err != nil {
					return err
				}
			}
		case "reverse": // answers three at a time, the last first
			if held = append(held, q); len(held) < 3 {
				continue
			}
			for _, q := range slices.Backward(held) {
				same := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d,", len(q.Prompts[0])), len(q.Prompts[0])), ",")
				fmt.Printf(`{"id":%d,"activations":[[%s]]}`+"\n", q.ID, same)
			}
			held = nil
		}
	}
	for part == "lingers" {
		time.Sleep(time.Minute)
	}
	return nil
}

// command plays a part.
func command(part string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playVar+"="+part)
	return cmd
}

// started is a process that plays a part until the test ends.
func started(t testing.TB, part string, o process.Options) *process.Model {
	t.Helper()
	m, err := process.Start(context.Background(), command(part), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestContract(t *testing.T) {
	t.Run("toy", func(t *testing.T) { n2gtest.TestLanguageModel(t, started(t, "toy", process.Options{}), n2g.Site{}) })
	t.Run("tiny", func(t *testing.T) {
		n2gtest.TestLanguageModel(t, started(t, "tiny", process.Options{}), n2g.Site{Layer: 1, Index: 7}, "é 世界\n",
			"func main() {")
	})
}

// opened are tiny's models here, and tiny in a process.
func opened(t testing.TB) (here *models.Causal, masked *models.Masked, there *process.Model) {
	t.Helper()
	here, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	if masked, err = models.OpenMasked(tiny.Name, models.Options{Backend: "go"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { masked.Close() })
	return here, masked, started(t, "tiny", process.Options{})
}

// TestSameExplanation: of a model in a process every stage is what it is of the model itself, to the last bit, on each
// kind of site, for several at a time.
func TestSameExplanation(t *testing.T) {
	here, masked, there := opened(t)
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, site := range []n2g.Site{{Layer: 0, Index: 3}, {Layer: 1, Index: 254}, {Layer: 2, Index: 500},
		{Layer: 1, Index: 5, Hook: "hook_resid_post"}, {Layer: 1, Index: 5, Hook: "-hook_resid_post"}} {
		examples, err := corpus.Examples(x, here, n2g.Site{Layer: site.Layer, Index: max(site.Index, 100)})
		if err != nil {
			t.Fatal(err)
		}
		examples.Site = site
		if !site.IsNeuron() {
			examples.MaxActivation = 0
		}
		wg.Go(func() {
			var texts [2][]byte
			for i, model := range []n2g.LanguageModel{here, there} {
				e, err := n2g.Explain(context.Background(), model, masked, *examples, n2g.Options{Stages: true})
				if err != nil {
					t.Error(site, err)
					return
				}
				if e.Work.Rows > e.Work.PlainRows {
					t.Errorf("%s: %v", site, e.Work)
				}
				e.Work = nil // the engine shares rows of prompts that begin alike, a process whole prompts
				if texts[i], err = json.Marshal(e); err != nil {
					t.Error(err)
				}
			}
			if len(texts[0]) < 1000 || !bytes.Equal(texts[0], texts[1]) {
				t.Errorf("%s: %d and %d bytes differ", site, len(texts[0]), len(texts[1]))
			}
		})
	}
}

// TestSameIndex: mining a model in a process writes the bytes that mining the model itself does.
func TestSameIndex(t *testing.T) {
	here, _, there := opened(t)
	var source corpus.Source = func(yield func(corpus.Text, error) bool) { // a few short texts
		n := 0
		for text, err := range corpus.FS(tiny.Sample()) {
			if len(text.Content) > 4000 {
				continue
			}
			if n++; n > 5 || !yield(text, err) {
				return
			}
		}
	}
	var files [2][]byte
	for i, model := range []corpus.Scanner{here, there} {
		out := filepath.Join(t.TempDir(), "x.n2g")
		err := corpus.Mine(context.Background(), model, []int{0, 2}, []string{"", "hook_resid_post"}, source, out,
			corpus.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if files[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if len(files[0]) < 10_000 || !bytes.Equal(files[0], files[1]) {
		t.Errorf("%d and %d bytes differ", len(files[0]), len(files[1]))
	}
}

// TestWrongHello: what a process says of its model is checked, in one sentence each.
func TestWrongHello(t *testing.T) {
	const rest = `"context_length":64,"bos":0,"sites":[{"width":1}]`
	for name, test := range map[string]struct{ hello, want string }{
		"empty":          {`{"id":ID}`, "protocol 0"},
		"protocol":       {`{"id":ID,"protocol":9,"name":"m",` + rest + `}`, "protocol 9"},
		"name":           {`{"id":ID,"protocol":1,` + rest + `}`, `without "name"`},
		"context length": {`{"id":ID,"protocol":1,"name":"m","bos":0,"sites":[{"width":1}]}`, `"context_length" 0`},
		"sites":          {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0}`, `without "sites"`},
		"mask":           {`{"id":ID,"protocol":1,"name":"m","context_length":9,"sites":[{"width":1}]}`, `without "mask"`},
		"wrong mask":     {`{"id":ID,"protocol":1,"name":"m","mask":7,"vocabulary":7,` + rest + `}`, `"mask" 7`},
		"wrong BOS":      {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":-2,"sites":[{}]}`, `"bos" -2`},
		"hook": {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0,"sites":[{"hook":"a b"}]}`,
			"hook_resid_post"},
		"layer": {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0,"sites":[{"layer":-1}]}`, `"layer": -1`},
		"width": {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0,"sites":[{"width":-1}]}`, "width -1"},
		"vast width": {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0,"sites":[{"width":4611686018427387904}]}`,
			"width 4611686018427387904"},
		"vast layer": {`{"id":ID,"protocol":1,"name":"m","context_length":9,"bos":0,"sites":[{"layer":999999999}]}`,
			"the layer 999999999"},
		"vast vocabulary": {`{"id":ID,"protocol":1,"name":"m","vocabulary":9223372036854775807,` + rest + `}`,
			`"vocabulary" 9223372036854775807`},
		"type":  {`{"id":ID,"protocol":"one"}`, `"protocol" is a JSON string`},
		"text":  {`Loading weights: 100%`, `no JSON object: "Loading weights: 100%"`},
		"error": {`{"id":ID,"error":"no such file: weights"}`, "hello with the error: no such file: weights"},
		"no id": {`{"error":"out of memory"}`, "says: out of memory"},
		"id":    {`{"id":77,"protocol":1}`, "the question 77"},
		"NaN":   {`NaN`, `without "id"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := process.Start(context.Background(), command("hello="+test.hello), process.Options{})
			if err == nil {
				m.Close()
				t.Fatal("no error")
			}
			checkSentence(t, err, test.want)
		})
	}
}

// checkSentence wants an error of one line that holds a text.
func checkSentence(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want a sentence with %q", err, want)
	}
}

// TestWrongAnswers: so are all other answers.
func TestWrongAnswers(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		answer, want string
		ask          func(m *process.Model) error
	}{
		"fewer prompts":  {`{"id":ID,"activations":[[1,2,3]]}`, "1 lists", nil},
		"none":           {`{"id":ID}`, `0 lists of "activations"`, nil},
		"fewer numbers":  {`{"id":ID,"activations":[[1,2],[1,2]]}`, "2 numbers, where 3 tokens", nil},
		"nested":         {`{"id":ID,"activations":[[[1,2],[1,2]],[[1],[1],[1]]]}`, "a list of 2 numbers", nil},
		"deeper":         {`{"id":ID,"activations":[[[[1]],2,3],[1,2]]}`, "where a list of numbers is asked", nil},
		"mixed":          {`{"id":ID,"activations":[[1,[2],3],[1,2]]}`, "where a list of numbers is asked", nil},
		"texts":          {`{"id":ID,"activations":[["1",2,3],[1,2]]}`, `"\"1\",2,3]", where a list`, nil},
		"number":         {`{"id":ID,"activations":[5,[1,2]]}`, "where a list of numbers is asked", nil},
		"null":           {`{"id":ID,"activations":[null,[1,2]]}`, "where a list of numbers is asked", nil},
		"base64":         {`{"id":ID,"activations":["AAA","AAAAAA=="]}`, "no base64", nil},
		"bytes":          {`{"id":ID,"activations":["AAAA","AAAA"]}`, "3 bytes of float32", nil},
		"object":         {`{"id":ID,"activations":{"a":1}}`, `"activations" is a JSON object`, nil},
		"error":          {`{"id":ID,"error":"CUDA out of memory"}`, "activations with the error: CUDA out of memory", nil},
		"empty error":    {`{"id":ID,"error":""}`, "activations with the error", nil},
		"half a line":    {`{"id":ID,"activations":[[1,2,`, "no JSON object", nil},
		"tokens":         {`{"id":ID,"ids":[[1],[2]]}`, "2 lists", tokenizes},
		"token":          {`{"id":ID,"ids":[[1,99]]}`, "the token id 99, of 99", tokenizes},
		"negative token": {`{"id":ID,"ids":[[-1]]}`, "the token id -1", tokenizes},
		"half a token":   {`{"id":ID,"ids":[[1.5]]}`, `"ids" is a JSON number`, tokenizes},
		"offsets":        {`{"id":ID,"ids":[[1]],"offsets":[[[0,1],[1,2]]]}`, `"offsets" of another number`, offsets},
		"offset":         {`{"id":ID,"ids":[[1]],"texts":["a"],"offsets":[[[0,9]]]}`, "no characters of the text", offsets},
		"backwards":      {`{"id":ID,"ids":[[1,1]],"texts":["a"],"offsets":[[[1,2],[0,1]]]}`, "no characters of the text", offsets},
		"texts of ids":   {`{"id":ID,"texts":[]}`, `0 "texts"`, decodes},
	} {
		t.Run(name, func(t *testing.T) {
			m := started(t, "says="+test.answer, process.Options{})
			if test.ask == nil {
				_, err := m.Activations(ctx, 0, "", 1, [][]int{{0, 2, 3}, {0, 4}}, nil)
				checkSentence(t, err, test.want)
				return
			}
			checkSentence(t, test.ask(m), test.want)
		})
	}
}

func tokenizes(m *process.Model) error { _, err := m.Tokenize("abc"); return err }

func offsets(m *process.Model) error { _, _, err := m.TokenizeOffsets("abc"); return err }

// decodes cannot return what is wrong: the next activations and Close do.
func decodes(m *process.Model) error {
	if text := m.Decode([]int{4, 5}); text != "" {
		return fmt.Errorf("decoded as %q", text)
	}
	_, err := m.Activations(context.Background(), 0, "", 0, [][]int{{0}}, nil)
	if closed := m.Close(); closed == nil || err == nil || closed.Error() != err.Error() {
		return fmt.Errorf("%v, and closed with %v", err, closed)
	}
	return err
}

// TestBOSInFront: a tokenizer that adds BOS is told from one that is right.
func TestBOSInFront(t *testing.T) {
	for _, spelt := range []string{"<s>", ""} {
		m := started(t, `says={"id":ID,"ids":[[0,3]],"texts":["`+spelt+`"]}`, process.Options{})
		checkSentence(t, tokenizes(m), "BOS (0) in front")
	}
}

// TestNotFinite: what Python writes for numbers that JSON lacks is read as what it is, and explaining says so.
func TestNotFinite(t *testing.T) {
	m := started(t, `says={"id":ID,"activations":[[1, NaN, Infinity, -Infinity, null, 1e60, 0.5]]}`, process.Options{})
	found, err := m.Activations(context.Background(), 0, "", 1, [][]int{{0, 1, 2, 3, 4, 5, 6}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range found[0] {
		if finite := v-v == 0; finite != (i == 0 || i == 6) {
			t.Errorf("number %d is %g", i, v)
		}
	}
	// Every question has one answer, so that the text has two tokens, each "a".
	m = started(t, `says={"id":ID,"ids":[[2,2]],"texts":["a"],"activations":[[0, 1, NaN]]}`, process.Options{})
	_, err = n2g.Explain(context.Background(), m, nil, n2g.Examples{Site: n2g.Site{Index: 1}, Prompts: []string{"aa"}},
		n2g.Walkthrough())
	checkSentence(t, err, "layer 0 neuron 1 of bad has the activation NaN")
}

// TestEnds: a process that ends, closes or says nothing is told of in a sentence, with its last words, and so is one
// that is not there.
func TestEnds(t *testing.T) {
	for part, want := range map[string]string{
		"exits": "ended with exit status 2; its last words: Traceback (most recent call last): / " +
			"File \"model.py\", line 7 / KeyError: 'blocks'",
		"ends":    "ended before it answered",
		"closes":  "closed its standard output",
		"lingers": "closed its standard output",
		"long":    "writes a line of more than",
		"silent":  "has said nothing for 300ms, asked for activations",
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			o := process.Options{}
			if part == "silent" {
				o.Timeout = 300 * time.Millisecond
			}
			m := started(t, part, o)
			for range 2 { // the second question hears the same
				_, err := m.Activations(context.Background(), 0, "", 1, [][]int{{0, 2, 3}}, nil)
				checkSentence(t, err, want)
			}
			_, err := m.Tokenize("a")
			checkSentence(t, err, want)
		})
	}
	for name, test := range map[string]struct {
		cmd  *exec.Cmd
		want string
	}{
		"no program": {exec.Command("no-such-program-7"), "start no-such-program-7"},
		"no command": {process.Shell("no-such-program-7 -x"),
			"no-such-program-7 -x ended with exit status 127; its last words:"},
		"does nothing": {process.Shell("true"), "true ended before it answered"},
		"only echoes":  {process.Shell("cat"), `cat answers hello without "name"`},
		"talks":        {process.Shell("echo hi"), `no JSON object: "hi"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := process.Start(context.Background(), test.cmd, process.Options{})
			if err == nil {
				m.Close()
			}
			checkSentence(t, err, test.want)
		})
	}
}

// TestCancelled: a question that is given up leaves the process to the others, whose answers stay theirs; the process
// ends with its context.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m, err := process.Start(ctx, command("reverse"), process.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	short, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	if _, err := m.Activations(short, 0, "", 0, [][]int{{0, 1}}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a question that is given up: %v", err)
	}
	cancel()
	if _, err := m.Tokenize("a"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestAnyOrder: answers in any order reach who asked.
func TestAnyOrder(t *testing.T) {
	m := started(t, "reverse", process.Options{})
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			found, err := m.Activations(context.Background(), 0, "", 0, [][]int{make([]int, n+1)}, [][]int{{n}})
			if err != nil || !slices.Equal(found[0], []float32{float32(n + 1)}) {
				t.Errorf("%d: %v, %v", n, found, err)
			}
		})
	}
	wg.Wait()
}

// TestGroupEnds: what the process has started ends with it, however that ends.
func TestGroupEnds(t *testing.T) {
	for _, way := range []string{"closed", "cancelled"} {
		file := filepath.Join(t.TempDir(), "pid")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		m, err := process.Start(ctx, command("starts="+file), process.Options{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(string(text))
		if err != nil || syscall.Kill(pid, 0) != nil {
			t.Fatalf("process %q: %v", text, err)
		}
		if way == "cancelled" {
			cancel()
		} else if err := m.Close(); err != nil {
			t.Error(err)
		}
		for begun := time.Now(); running(pid); time.Sleep(10 * time.Millisecond) {
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("%s: process %d runs on", way, pid)
			}
		}
		m.Close()
	}
}

// running tells whether a process is there, and no zombie that waits for its parent.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !errors.Is(err, os.ErrNotExist)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// TestShares: what another prompt begins with is not sent, nor what stands behind the last position asked.
func TestShares(t *testing.T) {
	m := started(t, "toy", process.Options{})
	ids, err := n2g.Prompt(m, "the river has a bank and a bank")
	if err != nil {
		t.Fatal(err)
	}
	prompts := [][]int{ids[:3], ids, ids[:6], ids}
	for _, test := range []struct {
		positions [][]int
		want      int
	}{{nil, len(ids)}, {[][]int{nil, {5, 2}, nil, {}}, 6}, {[][]int{{}, {}, {}, {}}, 0}} {
		if rows := m.Rows(prompts, test.positions); rows != test.want {
			t.Errorf("%d rows, want %d", rows, test.want)
		}
		want, err := toyAt(ids, prompts, test.positions)
		if err != nil {
			t.Fatal(err)
		}
		found, err := m.Activations(context.Background(), 0, "", 0, prompts, test.positions)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !slices.Equal(found[i], want[i]) {
				t.Errorf("prompt %d at %v: %v, want %v", i, test.positions, found[i], want[i])
			}
		}
	}
}

// toyAt asks the toy model here, which numbers tokens in the order in which it meets them.
func toyAt(ids []int, prompts, positions [][]int) ([][]float32, error) {
	m := toy()
	if here, err := n2g.Prompt(m, "the river has a bank and a bank"); err != nil || !slices.Equal(here, ids) {
		return nil, fmt.Errorf("%v are %v here: %w", ids, here, err)
	}
	return m.Activations(context.Background(), 0, "hook_mid", 0, prompts, positions)
}

// BenchmarkActivations is what a call costs beyond its computing: one prompt of 16 tokens, whose activations the
// process makes up in no time.
func BenchmarkActivations(b *testing.B) {
	m := started(b, "toy", process.Options{})
	ids, err := n2g.Prompt(m, "the river has a bank and the cat sat on a mat in the sun today.")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := m.Activations(b.Context(), 0, "", 0, [][]int{ids}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExplain is a neuron of tiny, explained here and in a process.
func BenchmarkExplain(b *testing.B) {
	here, masked, there := opened(b)
	x, err := index.Read(tiny.Index())
	if err != nil {
		b.Fatal(err)
	}
	examples, err := corpus.Examples(x, here, n2g.Site{Layer: 2, Index: 500})
	if err != nil {
		b.Fatal(err)
	}
	for name, model := range map[string]n2g.LanguageModel{"here": here, "process": there} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := n2g.Explain(b.Context(), model, masked, *examples, n2g.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
