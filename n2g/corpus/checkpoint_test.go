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

func (m slowModel) Scan(ctx context.Context, layers []int, hook string, windows [][]int) ([][][]float32, [][][]int32, error) {
	time.Sleep(time.Millisecond)
	if os.Getenv(pausedVariable) != "" {
		fmt.Println("mining")
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // waits to be killed
	}
	return m.byteModel.Scan(ctx, layers, hook, windows)
}

func resumable(out string) corpus.Options {
	return corpus.Options{Window: 8, Examples: 5, Batch: 4, HistogramEvery: 3, Texts: true, Checkpoint: out + ".part", CheckpointEvery: 1}
}

// mineTo writes an index as the command line does.
func mineTo(ctx context.Context, model corpus.Scanner, out string) error {
	index, err := corpus.Mine(ctx, model, []int{0, 1}, "hook_mid", corpus.FS(documents()), resumable(out))
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := index.Write(&content); err != nil {
		return err
	}
	if err := os.WriteFile(out+".new", content.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(out+".new", out); err != nil {
		return err
	}
	return corpus.RemoveCheckpoint(out + ".part")
}

func uninterrupted(t *testing.T) []byte {
	t.Helper()
	o := resumable("")
	o.Checkpoint = ""
	index, err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if err := index.Write(&content); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

// TestKilled kills passes at 24 random moments; they end with what an uninterrupted one finds.
func TestKilled(t *testing.T) {
	want := uninterrupted(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	kills, passes, resumed := 0, 0, 0
	for kills < 24 {
		passes++
		out := filepath.Join(t.TempDir(), "mined.json")
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
		out := filepath.Join(t.TempDir(), "mined.json")
		stops := 0
		for {
			ctx, cancel := context.WithCancel(t.Context())
			o := resumable(out)
			o.CheckpointEvery = every
			o.Progress = func(int) { cancel() }
			index, err := corpus.Mine(ctx, byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
			if errors.Is(err, context.Canceled) {
				if stops++; stops > 1000 {
					t.Fatal("the pass never ends")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := index.Write(&got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Error("the result differs from that of an uninterrupted pass")
			}
			cancel()
			break
		}
		if stops < 20 {
			t.Errorf("stopped only %d times", stops)
		}
	}
}

// TestResumeRefuses other passes, other corpora and damaged files.
func TestResumeRefuses(t *testing.T) {
	stopped := func(t *testing.T) corpus.Options {
		t.Helper()
		o := resumable(filepath.Join(t.TempDir(), "mined.json"))
		ctx, cancel := context.WithCancel(t.Context())
		batches := 0
		o.Progress = func(int) {
			if batches++; batches == 30 {
				cancel()
			}
		}
		_, err := corpus.Mine(ctx, byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		o.Progress = nil
		return o
	}
	for _, test := range []struct {
		name   string
		change func(o *corpus.Options, fsys fstest.MapFS, layers *[]int)
		says   string
	}{
		{"other layers", func(_ *corpus.Options, _ fstest.MapFS, layers *[]int) { *layers = []int{0} }, "Layers [0 1], not [0]"},
		{"other windows", func(o *corpus.Options, _ fstest.MapFS, _ *[]int) { o.Window = 9 }, "Window 8, not 9"},
		{"a changed document", func(_ *corpus.Options, fsys fstest.MapFS, _ *[]int) { fsys["sub/00.txt"].Data[0] = 'x' }, "no longer"},
		{"a missing document", func(_ *corpus.Options, fsys fstest.MapFS, _ *[]int) { delete(fsys, "sub/00.txt") }, "no longer"},
		{"an empty corpus", func(_ *corpus.Options, fsys fstest.MapFS, _ *[]int) { clear(fsys) }, "no longer"},
		{"a damaged checkpoint", func(o *corpus.Options, _ fstest.MapFS, _ *[]int) {
			content, _ := os.ReadFile(o.Checkpoint)
			content[len(content)/2] ^= 1
			os.WriteFile(o.Checkpoint, content, 0o644)
		}, "damaged"},
		{"a cut checkpoint", func(o *corpus.Options, _ fstest.MapFS, _ *[]int) { os.Truncate(o.Checkpoint, 20) }, "damaged"},
		{"another file", func(o *corpus.Options, _ fstest.MapFS, _ *[]int) { os.WriteFile(o.Checkpoint, []byte("x"), 0o644) }, "damaged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, fsys, layers := stopped(t), documents(), []int{0, 1}
			test.change(&o, fsys, &layers)
			_, err := corpus.Mine(t.Context(), byteModel{killedModel}, layers, "hook_mid", corpus.FS(fsys), o)
			if err == nil || !strings.Contains(err.Error(), test.says) {
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
	o := resumable(filepath.Join(t.TempDir(), "mined.json"))
	mine := func(print string) error {
		_, err := corpus.Mine(t.Context(), printed{byteModel{killedModel}, print}, []int{0}, "hook_mid", corpus.FS(documents()), o)
		return err
	}
	if err := mine("aa"); err != nil {
		t.Fatal(err)
	}
	if err := mine("aa"); err != nil {
		t.Errorf("the same model: %v", err)
	}
	if err := mine("bb"); err == nil || !strings.Contains(err.Error(), "Fingerprint aa, not bb") {
		t.Errorf("other weights: %v", err)
	}
	if err := mine(""); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a fingerprint that cannot be taken: %v", err)
	}
	o.Restart = true
	if err := mine("bb"); err != nil {
		t.Errorf("begun anew: %v", err)
	}
}

// TestTwoPasses: the second process is told the first's id, leaves its checkpoint alone, and may go on once it is gone.
func TestTwoPasses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mined.json")
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
		before, err := os.ReadFile(out + ".part")
		if err != nil {
			t.Fatal(err)
		}
		o := resumable(out)
		o.Restart = restart
		_, err = corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d is writing it", cmd.Process.Pid)) {
			t.Errorf("beside process %d: %v", cmd.Process.Pid, err)
		}
		if after, err := os.ReadFile(out + ".part"); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the first's checkpoint was touched: %v", err)
		}
		cmd.Process.Kill() //nolint:errcheck // it waits for that
		cmd.Wait()         //nolint:errcheck // it was killed
	}
	if err := mineTo(t.Context(), byteModel{killedModel}, out); err != nil {
		t.Fatalf("after the first was killed: %v", err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, uninterrupted(t)) {
		t.Errorf("the result differs, %v", err)
	}
}

// TestCheckpointCannotBeWritten is noticed before the first batch, and a full disk stops the pass.
func TestCheckpointCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "below"), "/proc/mined.part", filepath.Join(t.TempDir(), "no", "folder")} {
		o := resumable("")
		o.Checkpoint = path
		o.Progress = func(int) { t.Error("a batch was run") }
		_, err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one sentence", path, err)
		}
	}
	t.Run("full disk", func(t *testing.T) {
		if _, err := os.Stat("/dev/full"); err != nil {
			t.Skip("there is no /dev/full here")
		}
		o := resumable(filepath.Join(t.TempDir(), "mined.json"))
		batches := 0
		o.Progress = func(int) {
			if batches++; batches == 10 {
				os.Remove(o.Checkpoint + ".tmp")
				if err := os.Symlink("/dev/full", o.Checkpoint+".tmp"); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Fatalf("got %v, want a full disk", err)
		}
		os.Remove(o.Checkpoint + ".tmp")
		o.Progress = nil
		index, err := corpus.Mine(t.Context(), byteModel{killedModel}, []int{0, 1}, "hook_mid", corpus.FS(documents()), o)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := index.Write(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), uninterrupted(t)) {
			t.Error("after a full disk the result differs")
		}
	})
}
