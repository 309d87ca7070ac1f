package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/n2g/cluster"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func (a *app) submit() *command {
	c := newCommand("submit", "run n2g mine and n2g run as many tasks of a cluster")
	c.commands = []*command{a.submitSlurm(), a.submitKubernetes()}
	return c
}

const submitLong = `After the flags stands what is to be done, as it would be without a cluster: mine with its flags, or run with its flags, or both
with then between them. -o, -store and -shard are the job's own: everything goes into the folder -dir, which all machines must see
under this name: index.n2g, run.db and summary.txt in the end, with the parts they were made of.

The same command again does what is left. Each task works on a disk of its own machine ($TMPDIR, or -scratch of n2g task) and moves
its result to the folder when it is whole; stopped, it keeps there what it has done. n2g status tells how far a job is.`

const submitOperands = "mine FLAGS… | run FLAGS… | mine FLAGS… then run FLAGS…"

// submitFlags are those of every engine.
type submitFlags struct {
	dir, program *string
	tasks        *int
}

func submitFlagsOf(c *command) submitFlags {
	c.operands, c.rest = submitOperands, true
	return submitFlags{
		dir:     c.path(writesInto, "dir", "", "`FOLDER` of the job, on a disk that all machines share"),
		tasks:   c.flags.Int("tasks", 1, "`NUMBER` of parts that each step is cut into"),
		program: c.flags.String("program", "", "`PATH` of n2g on the machines that run tasks (default: this one)"),
	}
}

// job is what the operands ask for.
func (f submitFlags) job(a *app, words []string) (cluster.Folder, *cluster.Job, error) {
	if *f.dir == "" {
		return "", nil, errors.New("name the job's folder with -dir FOLDER")
	}
	folder, err := filepath.Abs(*f.dir)
	if err != nil {
		return "", nil, err
	}
	j := &cluster.Job{Program: *f.program, Tasks: *f.tasks}
	if j.Directory, err = os.Getwd(); err != nil {
		return "", nil, err
	}
	if j.Program == "" {
		if j.Program, err = os.Executable(); err != nil {
			return "", nil, err
		}
	}
	steps := [][]string{words}
	if i := slices.Index(words, "then"); i >= 0 {
		steps = [][]string{words[:i], words[i+1:]}
	}
	for i, step := range steps {
		switch {
		case len(step) > 0 && step[0] == "mine" && i == 0:
			j.Mine, err = a.step(a.mine(), step[1:], "o", "shard")
		case len(step) > 0 && step[0] == "run" && i == len(steps)-1:
			own := []string{"store", "shard"}
			if j.Mine != nil {
				own = append(own, "index", "examples")
			}
			j.Run, err = a.step(a.runNeurons(), step[1:], own...)
		default:
			err = fmt.Errorf("say what to do as in %s", submitOperands)
		}
		if err != nil {
			return "", nil, err
		}
	}
	return cluster.Folder(folder), j, nil
}

// step checks the flags of a command; those that are the job's own may not be given.
func (a *app) step(c *command, args []string, own ...string) ([]string, error) {
	args = a.modern(c, args)
	if err := parse(c.flags, args); err != nil {
		return nil, fmt.Errorf("n2g %s: %w", c.name, err)
	}
	if c.flags.NArg() > 0 {
		return nil, fmt.Errorf("n2g %s takes flags only, not %q", c.name, c.flags.Arg(0))
	}
	for _, name := range own {
		if given(c.flags, name) {
			return nil, fmt.Errorf("-%s of n2g %s is the job's own: leave it out", name, c.name)
		}
	}
	for _, p := range c.given() {
		if p.path == standard {
			return nil, fmt.Errorf("%s of n2g %s is standard input, which tasks do not have: name a file", p.name, c.name)
		}
	}
	return append([]string{}, args...), nil
}

func (a *app) submitSlurm() *command {
	c := newCommand("submit slurm", "write batch scripts for SLURM, and submit them")
	c.long = submitLong
	c.examples = []string{
		`-dir /shared/tiny -tasks 40 run -masked none`,
		`-dir /shared/gpt2 -tasks 64 -partition gpu -gpus 1 -time 4:00:00 mine -model gpt2 -corpus /shared/pile.jsonl.zst then run -model gpt2 -masked distilbert-base-uncased`,
		`-dir /shared/tiny -tasks 40 -dry-run run`,
	}
	f := submitFlagsOf(c)
	set := optflag.Add[cluster.Slurm](c.flags)
	dry := c.flags.Bool("dry-run", false, "print the scripts and the commands, and do nothing")
	c.run = func(ctx context.Context) error {
		folder, job, err := f.job(a, c.flags.Args())
		if err != nil {
			return err
		}
		options := cluster.Slurm{}
		optflag.Apply(set, &options)
		scripts := cluster.Scripts(folder, job, options)
		if *dry {
			return a.print(func(w io.Writer) error {
				for _, s := range scripts {
					fmt.Fprintf(w, "# %s\n%s\n", s.Path, s.Text)
				}
				for _, s := range scripts {
					fmt.Fprintln(w, s.Command())
				}
				return nil
			})
		}
		if err := folder.Create(job); err != nil {
			return err
		}
		if len(scripts) == 0 {
			fmt.Fprintf(a.text, "%s: all is done\n", folder)
			return nil
		}
		taken, err := options.Submit(ctx, scripts)
		for _, s := range taken {
			fmt.Fprintf(a.text, "%s\t%s\n", s.ID, s.Stage)
		}
		if len(taken) > 0 {
			err = errors.Join(err, folder.Remember(taken))
			fmt.Fprintf(a.stderr, "n2g: n2g status %s tells how far it is\n", folder)
		}
		return err
	}
	return c
}

func (a *app) submitKubernetes() *command {
	c := newCommand("submit kubernetes", "write a manifest of Indexed Jobs for Kubernetes")
	c.long = submitLong + `

The manifest goes to standard output, for kubectl apply -f -. The claim -claim must be one that many machines mount for writing
(ReadWriteMany); it is mounted where -dir says. The program is n2g in the image, and models and corpora lie in the volume or the image.`
	c.examples = []string{`-dir /job -tasks 40 -image registry/n2g:v0.1.0 -claim n2g run -masked none > job.yaml`}
	f := submitFlagsOf(c)
	set := optflag.Add[cluster.Kubernetes](c.flags)
	c.run = func(ctx context.Context) error {
		if *f.program == "" {
			*f.program = "/n2g"
		}
		folder, job, err := f.job(a, c.flags.Args())
		if err != nil {
			return err
		}
		options := cluster.Kubernetes{}
		optflag.Apply(set, &options)
		job.Directory = "/"
		text, err := cluster.Manifest(folder, job, options)
		if err != nil {
			return err
		}
		return a.print(func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	}
	return c
}

// task runs one part of a job, as the scripts of n2g submit call it.
func (a *app) task() *command {
	c := newCommand("task", "run one part of a job that n2g submit made")
	c.long = `The schedulers' scripts call this. A part that is done is not run again. -number is by default what SLURM or Kubernetes says.`
	c.examples = []string{`-dir /shared/tiny -stage run -number 7`}
	dir := c.path(writesInto, "dir", "", "`FOLDER` of the job")
	stage := c.flags.String("stage", "", "`NAME` mine, index, run or store")
	number := c.flags.Int("number", 0, "`NUMBER` of the part, from 1 (default: $SLURM_ARRAY_TASK_ID, or "+
		"$JOB_COMPLETION_INDEX and 1)")
	scratch := c.path(writesInto, "scratch", "",
		"`FOLDER` of this machine to work in (default: the system's for temporary files)")
	wait := c.flags.Duration("wait", 0, "`TIME` to wait for the parts of earlier stages, such as 48h")
	ended := c.flags.Int("ended", 0, "`STATUS` with which the part's process ended: note it, and run nothing")
	job := c.flags.String("job", "", "`JSON` the job, where its folder may not be made yet")
	c.run = func(ctx context.Context) error {
		if *dir == "" || *stage == "" {
			return errors.New("name the job with -dir FOLDER and the part with -stage NAME")
		}
		if *number == 0 {
			*number = taskNumber()
		}
		folder := cluster.Folder(*dir)
		if *ended != 0 {
			return cluster.Ended(folder, cluster.Stage(*stage), *number, *ended)
		}
		if *job != "" {
			if err := cluster.Prepare(folder, *job); err != nil {
				return err
			}
		}
		return cluster.Task(ctx, folder, cluster.Stage(*stage), *number, cluster.TaskOptions{
			Execute: a.dispatch, Snapshot: store.Snapshot, Scratch: *scratch, Wait: *wait,
		})
	}
	return c
}

// taskNumber is the scheduler's number of this task, from 1.
func taskNumber() int {
	if n, err := strconv.Atoi(os.Getenv("SLURM_ARRAY_TASK_ID")); err == nil {
		return n
	}
	if n, err := strconv.Atoi(os.Getenv("JOB_COMPLETION_INDEX")); err == nil {
		return n + 1
	}
	return 1
}

func (a *app) status() *command {
	c := newCommand("status", "tell how far a job is that n2g submit made")
	c.long = `Reads the job's folder: how many tasks of each stage are done, running, failed, stopped and left, and why. Where SLURM's commands are, also
what the queue says.`
	c.examples = []string{`/shared/tiny`, `-json /shared/tiny`}
	c.operands = "FOLDER"
	asJSON := c.flags.Bool("json", false, "print JSON, one object a stage")
	c.run = func(ctx context.Context) error {
		if c.flags.NArg() != 1 {
			return errors.New("name one job's folder")
		}
		folder := cluster.Folder(c.flags.Arg(0))
		stages, err := cluster.ReadStatus(folder)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSONLines(a.stdout, stages)
		}
		jobs, err := folder.Submitted()
		if err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		queue := cluster.Queue(ctx, jobs)
		return a.print(func(w io.Writer) error { return writeStatus(w, stages, queue) })
	}
	return c
}

func writeStatus(w io.Writer, stages []cluster.StageStatus, queue string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STAGE\tTASKS\tDONE\tRUNNING\tFAILED\tSTOPPED\tLEFT")
	for _, s := range stages {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", s.Stage, s.Tasks, s.Done, s.Running, s.Failed, s.Interrupted,
			s.Left)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	const most = 20
	for _, s := range stages {
		for i, t := range s.Troubles {
			if i == most {
				fmt.Fprintf(w, "%s: and %d more (-json lists all)\n", s.Stage, len(s.Troubles)-most)
				break
			}
			fmt.Fprintf(w, "%s %d: %s on %s after %d attempts: %s\n", s.Stage, t.Number, t.State, printable(t.Host), t.Attempts,
				printable(t.Reason))
		}
	}
	if queue != "" {
		fmt.Fprintf(w, "queue:\n")
		for line := range strings.Lines(queue) {
			fmt.Fprintf(w, "  %s\n", strings.TrimSpace(line))
		}
	}
	return nil
}
