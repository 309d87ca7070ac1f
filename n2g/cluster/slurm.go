package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
)

// Slurm says what is asked of SLURM for each task.
type Slurm struct {
	Partition  string `flag:"partition" help:"NAME of the partition"`
	Time       string `flag:"time" help:"TIME limit of a task, such as 4:00:00; a task that it ends goes on where it stopped"`
	Memory     string `flag:"mem" help:"SIZE of memory of a task, such as 8G"`
	CPUs       int    `flag:"cpus" help:"processors of a task"`
	GPUs       string `flag:"gpus" help:"NUMBER or type:number of GPUs of a task"`
	ArrayLimit int    `flag:"array-limit" help:"tasks of an array that run at a time"`
	Extra      string `flag:"sbatch" help:"OPTIONS of sbatch besides, between blanks, such as '--account=x --qos=y'"`
	Grace      int    `flag:"grace" default:"120" help:"seconds before the time limit at which a task is told to keep what it has done"`
}

// Script is a batch script of a stage.
type Script struct {
	Stage Stage
	Path  string // in the job's folder
	Text  string
	// After is the stage that must have ended, and Well that it must have ended well, before this one begins.
	After Stage
	Well  bool
}

// Scripts returns the batch scripts of what is left of a job, in order. Tasks that are done are not among them.
func Scripts(f Folder, j *Job, o Slurm) []Script {
	tagged.Fill(&o)
	var scripts []Script
	var before Stage
	for _, s := range j.Stages() {
		left := f.Left(j, s)
		again := s == Store && len(f.Left(j, Run)) > 0 // joined before all was there
		if len(left) == 0 && !again {
			continue
		}
		script := Script{Stage: s, Path: filepath.Join(string(f), string(s)+".sbatch"), After: before, Well: s == Run}
		script.Text = o.script(f, j, s, left)
		scripts = append(scripts, script)
		before = s
	}
	return scripts
}

// script is the text of a stage's batch script.
func (o Slurm) script(f Folder, j *Job, s Stage, left []int) string {
	var b strings.Builder
	b.WriteString("#!/bin/bash\n")
	fmt.Fprintf(&b, "# %s, for the job in %s. Written by n2g submit slurm.\n", stageText(s, j.Tasks), oneLine(string(f)))
	option := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "#SBATCH --%s=%s\n", name, value)
		}
	}
	option("job-name", "n2g-"+string(s))
	if j.Parts(s) > 1 {
		numbers := ranges(left)
		if o.ArrayLimit > 0 {
			numbers += "%" + strconv.Itoa(o.ArrayLimit)
		}
		option("array", numbers)
		option("output", quoted(filepath.Join(f.Logs(), "%x-%A_%a.log")))
	} else {
		option("output", quoted(filepath.Join(f.Logs(), "%x-%j.log")))
	}
	b.WriteString("#SBATCH --open-mode=append\n#SBATCH --requeue\n")
	option("chdir", quoted(j.Directory))
	option("partition", o.Partition)
	option("time", o.Time)
	option("mem", o.Memory)
	if o.CPUs > 0 {
		option("cpus-per-task", strconv.Itoa(o.CPUs))
	}
	if s == Mine || s == Run {
		option("gpus", o.GPUs)
	}
	if o.Time != "" {
		option("signal", fmt.Sprintf("B:USR1@%d", o.Grace))
	}
	for _, extra := range strings.Fields(o.Extra) {
		fmt.Fprintf(&b, "#SBATCH %s\n", extra)
	}
	fmt.Fprintf(&b, `
# Told to stop, the task keeps what it has done. At the time limit it is queued again; SLURM itself does so when it makes
# way for another job or its node fails.
trap 'kill -TERM "$task"; wait "$task"; scontrol requeue "$SLURM_JOB_ID"; exit 0' USR1
trap 'kill -TERM "$task"; wait "$task"; exit 143' TERM

part=(%s task -dir %s -stage %s -number "${SLURM_ARRAY_TASK_ID:-1}")
"${part[@]}" &
task=$!
wait "$task" || { status=$?; "${part[@]}" -ended "$status"; exit "$status"; }
`, shellQuoted(j.Program), shellQuoted(string(f)), s)
	return b.String()
}

func stageText(s Stage, tasks int) string {
	switch s {
	case Mine:
		return fmt.Sprintf("One of %d parts of the corpus, mined", tasks)
	case Index:
		return "The parts of the index, joined"
	case Run:
		return fmt.Sprintf("One of %d parts of the neurons, explained", tasks)
	}
	return "The stores, joined"
}

// shellQuoted is one word of the shell.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quoted is a value of an #SBATCH line.
func quoted(text string) string {
	if strings.ContainsAny(text, " \t\"'") {
		return strconv.Quote(text)
	}
	return text
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Submitted is a script that SLURM has taken.
type Submitted struct {
	Stage Stage  `json:"stage"`
	ID    string `json:"id"` // of the job
}

// Submit writes the scripts and gives them to sbatch, each to begin after the one before. It returns those that were
// taken, also with an error.
func (o Slurm) Submit(ctx context.Context, scripts []Script) ([]Submitted, error) {
	if _, err := exec.LookPath("sbatch"); err != nil {
		return nil, errors.New("there is no sbatch here: log in where SLURM's commands are, or see the scripts with -dry-run")
	}
	var taken []Submitted
	ids := map[Stage]string{}
	for _, s := range scripts {
		if err := os.WriteFile(s.Path, []byte(s.Text), 0o755); err != nil {
			return taken, err
		}
		args := s.arguments(ids[s.After])
		command := exec.CommandContext(ctx, "sbatch", args...)
		var complaint strings.Builder
		command.Stderr = &complaint
		out, err := command.Output()
		if err != nil {
			return taken, fmt.Errorf("sbatch %s: %w: %s", strings.Join(args, " "), err, oneLine(complaint.String()))
		}
		id, _, _ := strings.Cut(strings.TrimSpace(string(out)), ";") // a cluster may follow
		ids[s.Stage] = id
		taken = append(taken, Submitted{s.Stage, id})
	}
	return taken, nil
}

// arguments of sbatch for a script; after is the number of the job before it, if there is one.
func (s Script) arguments(after string) []string {
	args := []string{"--parsable"}
	if s.After != "" {
		if after == "" {
			after = "JOB-OF-" + strings.ToUpper(string(s.After))
		}
		how := "afterany" // what is there is joined, and what is missing named
		if s.Well {
			how = "afterok"
		}
		args = append(args, "--dependency="+how+":"+after, "--kill-on-invalid-dep=yes")
	}
	return append(args, s.Path)
}

// Remember keeps which jobs are the folder's, and returns those of before with them.
func (f Folder) Remember(taken []Submitted) error {
	before, err := f.Submitted()
	if err != nil {
		return err
	}
	return writeJSON(f.submitted(), append(before, taken...))
}

func (f Folder) submitted() string { return filepath.Join(string(f), "submitted.json") }

// Submitted returns the jobs that were submitted for the folder, oldest first.
func (f Folder) Submitted() ([]Submitted, error) {
	content, err := os.ReadFile(f.submitted())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Submitted
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.submitted(), err)
	}
	return list, nil
}

// Queue tells what SLURM says of jobs: a line of number, state and reason for each that is queued or running. Where
// there is no SLURM it says nothing.
func Queue(ctx context.Context, jobs []Submitted) string {
	if _, err := exec.LookPath("squeue"); err != nil || len(jobs) == 0 {
		return ""
	}
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	out, err := exec.CommandContext(ctx, "squeue", "--noheader", "--format=%i %j %T %r",
		"--jobs="+strings.Join(ids, ",")).Output()
	if err != nil {
		return "" // none of them is known any more
	}
	return string(out)
}

// Command is the line that gives the script to SLURM.
func (s Script) Command() string { return "sbatch " + strings.Join(s.arguments(""), " ") }
