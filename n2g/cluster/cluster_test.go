package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is n2g whose results are texts that name what made them.
type fake struct {
	mu    sync.Mutex
	calls [][]string
	fails map[string]int // by first word and shard: how often it fails
}

func (p *fake) execute(ctx context.Context, args []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, args)
	value := func(flag string) string {
		if i := slices.Index(args, flag); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	key := args[0] + " " + value("-shard")
	if p.fails[key] > 0 {
		p.fails[key]--
		return errors.New("no luck\nat all")
	}
	switch args[0] {
	case "summary":
		return os.WriteFile(value("-o"), []byte("summary"), 0o644)
	case "merge":
		out := value("-store") + value("-index")
		text := ""
		for _, part := range args[3:] {
			content, err := os.ReadFile(part)
			if err != nil {
				return err
			}
			text += string(content)
		}
		return os.WriteFile(out, []byte(text), 0o644)
	}
	before, _ := os.ReadFile(value("-store")) // what an earlier attempt left
	return os.WriteFile(value("-o")+value("-store"), append(before, fmt.Sprintf("%s %s;", args[0], value("-shard"))...),
		0o644)
}

func testJob(t *testing.T, tasks int) (Folder, *Job) {
	t.Helper()
	f := Folder(filepath.Join(t.TempDir(), "a job's folder"))
	j := &Job{Program: "/opt/n2g", Directory: "/", Mine: []string{"-corpus", "go"}, Run: []string{"-masked", "none"},
		Tasks: tasks}
	if err := f.Create(j); err != nil {
		t.Fatal(err)
	}
	return f, j
}

// TestStages runs a job's tasks in order: results lie where the next stage looks for them, and nothing is run twice.
func TestStages(t *testing.T) {
	f, j := testJob(t, 3)
	p := &fake{}
	o := TaskOptions{Execute: p.execute, Scratch: t.TempDir()}
	if err := Task(t.Context(), f, Run, 1, o); err == nil || !strings.Contains(err.Error(), "stage index") {
		t.Errorf("before its index is there: %v", err)
	}
	if err := Task(t.Context(), f, Index, 1, o); err == nil ||
		!strings.Contains(err.Error(), "stage mine are not done: 1-3") {
		t.Errorf("before its parts are there: %v", err)
	}
	for range 2 { // the second time only the last joins again
		for _, s := range j.Stages() {
			for number := 1; number <= j.Parts(s); number++ {
				if err := Task(t.Context(), f, s, number, o); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if content, err := os.ReadFile(f.Result(Store, 1)); err != nil || string(content) != "run 1/3;run 2/3;run 3/3;" {
		t.Errorf("joined: %q, %v", content, err)
	}
	if content, err := os.ReadFile(f.Result(Index, 1)); err != nil || string(content) != "mine 1/3;mine 2/3;mine 3/3;" {
		t.Errorf("index: %q, %v", content, err)
	}
	want := []string{"run", "-masked", "none", "-index", f.Result(Index, 1), "-shard", "2/3", "-store"}
	if !slices.ContainsFunc(p.calls, func(args []string) bool { return slices.Equal(args[:len(args)-1], want) }) {
		t.Errorf("nobody called %q", want)
	}
	if len(p.calls) != 3+1+3+2+2 {
		t.Errorf("%d calls", len(p.calls))
	}
	status, err := ReadStatus(f)
	if err != nil || len(status) != 4 {
		t.Fatalf("%+v, %v", status, err)
	}
	for _, s := range status {
		if s.Done != s.Tasks || len(s.Troubles) > 0 {
			t.Errorf("%+v", s)
		}
	}
	if scripts := Scripts(f, j, Slurm{}); len(scripts) != 0 {
		t.Errorf("all is done, and %d scripts are left", len(scripts))
	}
}

// TestTroubles: a task that fails once is tried again; one that fails twice leaves the reason, and what the others did
// is joined and waits for it.
func TestTroubles(t *testing.T) {
	_, j := testJob(t, 3)
	j.Mine = nil
	f := Folder(t.TempDir())
	if err := f.Create(j); err != nil {
		t.Fatal(err)
	}
	p := &fake{fails: map[string]int{"run 1/3": 1, "run 2/3": 2}}
	o := TaskOptions{Execute: p.execute, Scratch: t.TempDir()}
	for number, fails := range map[int]bool{1: false, 2: true, 3: false} {
		if err := Task(t.Context(), f, Run, number, o); (err != nil) != fails {
			t.Errorf("task %d: %v", number, err)
		}
	}
	if err := Task(t.Context(), f, Store, 1, o); err == nil || !strings.Contains(err.Error(), "not done: 2") {
		t.Errorf("joining what there is: %v", err)
	}
	if content, err := os.ReadFile(f.Result(Store, 1)); err != nil || string(content) != "run 1/3;run 3/3;" {
		t.Errorf("joined: %q, %v", content, err)
	}
	status, err := ReadStatus(f)
	if err != nil || len(status) != 2 {
		t.Fatalf("%+v, %v", status, err)
	}
	if s := status[0]; s.Done != 2 || s.Failed != 1 || s.Troubles[0].Number != 2 ||
		s.Troubles[0].Reason != "no luck at all" || s.Troubles[0].Attempts != 2 {
		t.Errorf("run: %+v", s)
	}
	if s := status[1]; s.Failed != 1 || s.Done != 0 || !strings.Contains(s.Troubles[0].Reason, "not done: 2") {
		t.Errorf("store: %+v", s)
	}
	scripts := Scripts(f, j, Slurm{})
	if len(scripts) != 2 || !strings.Contains(scripts[0].Text, "--array=2\n") {
		t.Fatalf("what is left: %+v", scripts)
	}
	for _, s := range []struct {
		stage  Stage
		number int
	}{{Run, 2}, {Store, 1}} {
		if err := Task(t.Context(), f, s.stage, s.number, o); err != nil {
			t.Error(err)
		}
	}
	if content, err := os.ReadFile(f.Result(Store, 1)); err != nil || string(content) != "run 1/3;run 2/3;run 3/3;" {
		t.Errorf("in the end: %q, %v", content, err)
	}
}

// TestStopped: what a task did before it was stopped is in the job's folder, and an attempt on another machine goes on
// from there.
func TestStopped(t *testing.T) {
	f := Folder(t.TempDir())
	if err := f.Create(&Job{Run: []string{}, Tasks: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	p := &fake{}
	o := TaskOptions{Scratch: t.TempDir(), Execute: func(ctx context.Context, args []string) error {
		err := p.execute(ctx, args)
		stop()
		return errors.Join(err, ctx.Err())
	}, Snapshot: func(_ context.Context, from, to string) error { return copyFile(from, to) }}
	if err := Task(ctx, f, Run, 1, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	status, err := ReadStatus(f)
	if err != nil || status[0].Interrupted != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	elsewhere := TaskOptions{Scratch: t.TempDir(), Execute: p.execute}
	if err := Task(t.Context(), f, Run, 1, elsewhere); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(f.Result(Run, 1)); err != nil || string(content) != "run 1/1;run 1/1;" {
		t.Errorf("%q, %v", content, err)
	}
	if left, _ := os.ReadDir(filepath.Join(string(f), "partial")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestKilled: a task that says nothing for long counts as killed.
func TestKilled(t *testing.T) {
	f, _ := testJob(t, 2)
	old := time.Now().Add(-time.Hour)
	for number, beat := range map[int]time.Time{1: old, 2: time.Now()} {
		if err := writeJSON(f.state(Mine, number), state{State: running, Host: "n1", Started: old, Attempts: 1}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.state(Mine, number), beat, beat); err != nil {
			t.Fatal(err)
		}
	}
	status, err := ReadStatus(f)
	if err != nil || status[0].Running != 1 || status[0].Interrupted != 1 ||
		!strings.Contains(status[0].Troubles[0].Reason, "killed") {
		t.Errorf("%+v, %v", status, err)
	}
}

// TestEnded: the status of a process that was killed is the reason that is told, and nothing that the task itself said.
func TestEnded(t *testing.T) {
	f, _ := testJob(t, 3)
	if err := writeJSON(f.state(Mine, 1), state{State: failed, Reason: "no luck", Attempts: 2}); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(f.state(Mine, 2), state{State: running, Host: "n1", Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	for number := 1; number <= 3; number++ {
		if err := Ended(f, Mine, number, 137); err != nil {
			t.Fatal(err)
		}
	}
	status, err := ReadStatus(f)
	if err != nil || status[0].Failed != 3 {
		t.Fatalf("%+v, %v", status, err)
	}
	for i, want := range []string{"no luck", "killed by signal 9", "killed by signal 9"} {
		if got := status[0].Troubles[i].Reason; !strings.Contains(got, want) {
			t.Errorf("task %d: %q", i+1, got)
		}
	}
}

func TestOtherJob(t *testing.T) {
	f, j := testJob(t, 3)
	again := *j
	again.Program = "/elsewhere/n2g"
	if err := f.Create(&again); err != nil {
		t.Errorf("the same job by a program elsewhere: %v", err)
	}
	other := *j
	other.Run = []string{"-masked", "tiny"}
	if err := f.Create(&other); err == nil || !strings.Contains(err.Error(), "another job") {
		t.Errorf("another job: %v", err)
	}
	if _, err := Folder(t.TempDir()).Job(); err == nil || !strings.Contains(err.Error(), "n2g submit") {
		t.Errorf("no job: %v", err)
	}
}

// TestScripts: what is asked of SLURM stands in the scripts, and a job of one task is no array.
func TestScripts(t *testing.T) {
	f, j := testJob(t, 40)
	o := Slurm{Partition: "gpu", Time: "4:00:00", Memory: "8G", CPUs: 4, GPUs: "1", ArrayLimit: 16,
		Extra: "--account=x --qos=y"}
	scripts := Scripts(f, j, o)
	if len(scripts) != 4 {
		t.Fatalf("%d scripts", len(scripts))
	}
	for _, want := range []string{
		"#!/bin/bash\n", "--array=1-40%16\n", "--partition=gpu\n", "--time=4:00:00\n", "--mem=8G\n", "--cpus-per-task=4\n",
		"--gpus=1\n", "#SBATCH --account=x\n", "#SBATCH --qos=y\n",
		"--signal=B:USR1@120\n", "--requeue\n", `part=('/opt/n2g' task -dir '` + strings.ReplaceAll(string(f), "'", `'\''`) +
			`' -stage mine`,
	} {
		if !strings.Contains(scripts[0].Text, want) {
			t.Errorf("the script lacks %q:\n%s", want, scripts[0].Text)
		}
	}
	if strings.Contains(scripts[1].Text, "--gpus") || strings.Contains(scripts[1].Text, "--array") {
		t.Errorf("joining asks for too much:\n%s", scripts[1].Text)
	}
	for i, want := range []string{"", "afterany:JOB-OF-MINE", "afterok:JOB-OF-INDEX", "afterany:JOB-OF-RUN"} {
		if !strings.Contains(scripts[i].Command(), want) ||
			(want == "") != !strings.Contains(scripts[i].Command(), "dependency") {
			t.Errorf("%s", scripts[i].Command())
		}
	}
	j.Tasks = 1
	for _, s := range Scripts(f, j, o) {
		if strings.Contains(s.Text, "--array") {
			t.Errorf("an array for one task:\n%s", s.Text)
		}
	}
	if got := ranges([]int{1, 2, 3, 7, 9, 10}); got != "1-3,7,9-10" {
		t.Errorf("ranges %s", got)
	}
}

var update = flag.Bool("update", false, "write testdata anew")

// TestManifest: the manifest is the kept one, which the tests of module tools hold to Kubernetes' own types.
func TestManifest(t *testing.T) {
	j := &Job{Program: "/n2g", Directory: "/", Mine: []string{"-corpus", "/job/it's \"text\".jsonl"}, Run: []string{},
		Tasks: 40}
	got, err := Manifest("/job", j, Kubernetes{Image: "example/n2g:v0.1.0", Claim: "n2g", GPUs: 1, Limit: 8})
	if err != nil {
		t.Fatal(err)
	}
	const name = "testdata/kubernetes.yaml"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || string(want) != got {
		t.Errorf("the manifest is not %s: see what has changed, and write it anew with -update (%v)", name, err)
	}
	for _, o := range []Kubernetes{{Claim: "n2g"}, {Image: "n2g"}} {
		if _, err := Manifest("/job", j, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	text := regexp.MustCompile(`"-job", ("(?:[^"\\]|\\.)*")`).FindStringSubmatch(got)
	job := ""
	if text == nil || json.Unmarshal([]byte(text[1]), &job) != nil {
		t.Fatal("the manifest holds no job")
	}
	f := Folder(filepath.Join(t.TempDir(), "new"))
	if err := Prepare(f, job); err != nil {
		t.Fatal(err)
	}
	if there, err := f.Job(); err != nil || !reflect.DeepEqual(there, j) {
		t.Errorf("%+v, %v", there, err)
	}
}
