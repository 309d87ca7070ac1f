package corpus_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

const (
	killedVariable = "N2G_TEST_MINE"        // in a child process: where its checkpoint and result go
	pausedVariable = "N2G_TEST_MINE_PAUSED" // set: it waits within its first batch
	killedModel    = 3                      // neurons
)

// TestMain is, in a child process, the pass that TestKilled kills.
func TestMain(m *testing.M) {
	if out := os.Getenv(killedVariable); out != "" {
		if err := mineTo(context.Background(), slowModel{byteModel{killedModel}}, out); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// slowModel takes a moment for each batch, so that a pass can be killed within it.
type slowModel struct{ byteModel }

func (m slowModel) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	time.Sleep(time.Millisecond)
	if os.Getenv(pausedVariable) != "" {
		fmt.Println("mining")
		io.Copy(io.Discard, os.Stdin) // waits to be killed
	}
	return m.byteModel.Scan(ctx, layers, hook, windows, visit)
}

func resumable() corpus.Options {
	return corpus.Options{Window: 8, Batch: 12, KeepEvery: 1,
		Index: index.Options{Examples: 5, Keep: 0.05, Dense: 0.1, SampleEvery: 7}}
}

func mineTo(ctx context.Context, model corpus.Scanner, out string) error {
	return corpus.Mine(ctx, model, []int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()), out, resumable())
}

func uninterrupted(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "mined.n2g")
	o := resumable()
	o.KeepEvery = time.Hour
	if err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()),
		out, o); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestShards: parts of the corpus, mined by themselves, join to the bytes of one pass.
func TestShards(t *testing.T) {
	folder := t.TempDir()
	var shards []string
	for i := range 3 {
		o := resumable()
		o.Shard, o.Shards = i+1, 3
		shards = append(shards, filepath.Join(folder, fmt.Sprintf("%d.n2g", i)))
		if err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()),
			shards[i], o); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(folder, "all.n2g")
	if err := index.Merge(out, shards); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, uninterrupted(t)) {
		t.Errorf("the shards join to something else: %v", err)
	}
}

// TestKilled kills passes at 12 random moments; they end with what an uninterrupted one finds.
func TestKilled(t *testing.T) {
	want := uninterrupted(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	kills, passes, resumed := 0, 0, 0
	for kills < 12 {
		passes++
		out := filepath.Join(t.TempDir(), "mined.n2g")
		for grace := 0; ; grace += 10 { // so that it ends even where a process takes long to start
			if _, err := os.Stat(out + ".part"); err == nil {
				resumed++
			}
			cmd := exec.Command(program)
			cmd.Env = append(os.Environ(), killedVariable+"="+out)
			var complaint strings.Builder
			cmd.Stderr = &complaint
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(5+r.IntN(120)+grace)*time.Millisecond, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			if err == nil {
				break
			}
			if cmd.ProcessState.ExitCode() != -1 {
				t.Fatalf("a pass failed: %s", complaint.String())
			}
			kills++
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("after kills the result differs from that of an uninterrupted pass")
		}
		if left, _ := filepath.Glob(out + ".*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	if resumed == 0 {
		t.Error("no pass was ever resumed")
	}
	t.Logf("%d passes, killed %d times, resumed %d times", passes, kills, resumed)
}

// TestStoppedAtEveryBatch ends a pass behind each of its batches in turn.
func TestStoppedAtEveryBatch(t *testing.T) {
	want := uninterrupted(t)
	for _, every := range []time.Duration{1, time.Hour} { // with an hour, only what ending itself saves
		if testing.Short() && every == 1 {
			continue
		}
		out := filepath.Join(t.TempDir(), "mined.n2g")
		stops := 0
		for {
			ctx, cancel := context.WithCancel(t.Context())
			o := resumable()
			o.KeepEvery = every
			o.Progress = func(int, int) { cancel() }
			err := corpus.Mine(ctx, byteModel{killedModel}, []int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()), out, o)
			cancel()
			if errors.Is(err, context.Canceled) {
				if stops++; stops > 1000 {
					t.Fatal("the pass never ends")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
				t.Errorf("the result differs from that of an uninterrupted pass: %v", err)
			}
			break
		}
		if stops < 10 {
			t.Errorf("stopped only %d times", stops)
		}
	}
}

// TestResumeRefuses other passes, other corpora and damaged files.
func TestResumeRefuses(t *testing.T) {
	stopped := func(t *testing.T) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "mined.n2g")
		ctx, cancel := context.WithCancel(t.Context())
		o := resumable()
		o.Progress = func(done, _ int) {
			if done >= 120 {
				cancel()
			}
		}
		err := corpus.Mine(ctx, byteModel{killedModel}, []int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()), out, o)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return corpus.Unfinished(out)
	}
	part := func(folder string) string { return filepath.Join(folder, "part-000001") }
	for _, test := range []struct {
		name   string
		change func(folder string, o *corpus.Options, fsys fstest.MapFS, layers *[]int)
		says   string
	}{
		{"other layers", func(_ string, _ *corpus.Options, _ fstest.MapFS, layers *[]int) { *layers = []int{0} },
			"began otherwise (layer 0 at hook_mid, layer 1 at hook_mid, not layer 0 at hook_mid)"},
		{"other windows", func(_ string, o *corpus.Options, _ fstest.MapFS, _ *[]int) { o.Window = 9 }, "window 8, not 9"},
		{"a changed document", func(_ string, _ *corpus.Options, fsys fstest.MapFS,
			_ *[]int) {
			fsys["sub/00.txt"].Data[0] = 'x'
		}, "the corpus is not what it was"},
		{"a missing document", func(_ string, _ *corpus.Options, fsys fstest.MapFS, _ *[]int) { delete(fsys, "sub/00.txt") },
			"documents 13, not 12"},
		{"an empty corpus", func(_ string, _ *corpus.Options, fsys fstest.MapFS, _ *[]int) { clear(fsys) }, "no text"},
		{"a damaged part", func(folder string, _ *corpus.Options, _ fstest.MapFS, _ *[]int) {
			content, _ := os.ReadFile(part(folder))
			content[len(content)/2] ^= 1
			os.WriteFile(part(folder), content, 0o644)
		}, "damaged"},
		{"a cut part", func(folder string, _ *corpus.Options, _ fstest.MapFS, _ *[]int) { os.Truncate(part(folder), 20) },
			"truncated"},
		{"another file", func(folder string, _ *corpus.Options, _ fstest.MapFS, _ *[]int) {
			os.WriteFile(part(folder), []byte("x"), 0o644)
		}, "no activation index"},
		{"what an earlier version left", func(folder string, _ *corpus.Options, _ fstest.MapFS, _ *[]int) {
			os.RemoveAll(folder)
			os.WriteFile(folder, []byte("n2g-mining/1\n"), 0o644)
		}, "earlier version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := stopped(t)
			o, fsys, layers := resumable(), documents(), []int{0, 1}
			test.change(folder, &o, fsys, &layers)
			err := corpus.Mine(t.Context(), byteModel{killedModel}, layers, []string{"hook_mid"}, corpus.FS(fsys),
				strings.TrimSuffix(folder, ".part"), o)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// printed is a model with a fingerprint.
type printed struct {
	byteModel
	print string
}

func (m printed) Fingerprint() (string, error) {
	if m.print == "" {
		return "", errors.New("its files are gone")
	}
	return m.print, nil
}

// TestOtherWeights: a pass does not go on with another model of the same name.
func TestOtherWeights(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mined.n2g")
	mine := func(print string, restart bool) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := resumable()
		o.Restart = restart
		o.Progress = func(int, int) { cancel() }
		return corpus.Mine(ctx, printed{byteModel{killedModel}, print}, []int{0}, nil, corpus.FS(documents()), out, o)
	}
	for _, test := range []struct {
		print   string
		restart bool
		says    string
	}{{"aa", false, "canceled"}, {"aa", false, "canceled"}, {"bb", false, "fingerprint aa, not bb"}, {"", false, "gone"},
		{"bb", true, "canceled"}} {
		if err := mine(test.print, test.restart); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestTwoPasses: the second process is told the first's id, leaves its checkpoint alone, and may go on once it is gone.
func TestTwoPasses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mined.n2g")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), killedVariable+"="+out, pausedVariable+"=1")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "mining\n" {
			t.Fatalf("%q, %v", line, err)
		}
		before, err := os.ReadFile(filepath.Join(corpus.Unfinished(out), "corpus"))
		if err != nil {
			t.Fatal(err)
		}
		o := resumable()
		o.Restart = restart
		err = corpus.Mine(t.Context(), byteModel{killedModel},
			[]int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()), out, o)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d is writing it", cmd.Process.Pid)) {
			t.Errorf("beside process %d: %v", cmd.Process.Pid, err)
		}
		if after, err := os.ReadFile(filepath.Join(corpus.Unfinished(out), "corpus")); err != nil ||
			!bytes.Equal(before, after) {
			t.Errorf("the first's folder was touched: %v", err)
		}
		cmd.Process.Kill() // it waits for that
		cmd.Wait()         // it was killed
	}
	if err := mineTo(t.Context(), byteModel{killedModel}, out); err != nil {
		t.Fatalf("after the first was killed: %v", err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, uninterrupted(t)) {
		t.Errorf("the result differs, %v", err)
	}
}

// TestDiskRefuses is noticed before the first batch, and a full disk stops the pass and loses nothing that was kept.
func TestDiskRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "below"), "/proc/mined",
		filepath.Join(t.TempDir(), "no", "folder")} {
		o := resumable()
		o.Progress = func(int, int) { t.Error("a batch was run") }
		err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, nil, corpus.FS(documents()), path, o)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one sentence", path, err)
		}
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	out := filepath.Join(t.TempDir(), "mined.n2g")
	o := resumable()
	batches := 0
	o.Progress = func(int, int) {
		if batches++; batches == 5 {
			if err := os.Symlink("/dev/full", filepath.Join(corpus.Unfinished(out), "part-000005.tmp")); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := corpus.Mine(t.Context(), byteModel{killedModel},
		[]int{0, 1}, []string{"hook_mid"}, corpus.FS(documents()), out, o)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v, want a full disk", err)
	}
	if err := mineTo(t.Context(), byteModel{killedModel}, out); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, uninterrupted(t)) {
		t.Errorf("after a full disk the result differs: %v", err)
	}
}
