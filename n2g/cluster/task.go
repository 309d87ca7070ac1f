package cluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TaskOptions say how a task runs. The zero value of every field but Execute has a default.
type TaskOptions struct {
	// Execute runs n2g with arguments.
	Execute func(ctx context.Context, args []string) error
	// Snapshot makes a copy of a store that is being written, from which another attempt can go on.
	Snapshot func(ctx context.Context, from, to string) error
	// Scratch is a folder of this machine; by default the system's for temporary files.
	Scratch string
	// Attempts at the task, 2 by default, within one call.
	Attempts int
	// Beat is how often the task says that it is alive, 30 seconds by default, and SaveEvery how often what it has done is
	// kept in the job's folder, 10 minutes by default.
	Beat, SaveEvery time.Duration
	// Wait, if set, waits for what the task needs of earlier stages. Without it the task fails where that is not there.
	Wait time.Duration
}

// state of a task, as its last attempt wrote it.
type state struct {
	State    string    `json:"state"` // running, failed or interrupted
	Host     string    `json:"host"`
	Job      string    `json:"job,omitempty"` // the scheduler's number of it
	Started  time.Time `json:"started"`
	Attempts int       `json:"attempts"` // in all
	Reason   string    `json:"reason,omitempty"`
}

// States of a task that has begun.
const (
	running     = "running"
	failed      = "failed"
	interrupted = "interrupted"
)

// Task runs one part of a job: number is from 1. A part that is done is not run again. An error leaves the reason in
// the folder, and the end of ctx what has been done.
func Task(ctx context.Context, f Folder, s Stage, number int, o TaskOptions) error {
	j, err := f.Job()
	if err != nil {
		return err
	}
	switch {
	case j.Parts(s) < number || number < 1:
		return fmt.Errorf("there is no task %d of stage %s, which has %d", number, s, j.Parts(s))
	case s != Store && f.Done(s, number):
		return nil
	}
	t := &task{Folder: f, job: j, stage: s, number: number, options: o}
	if err := t.await(ctx); err != nil {
		return err
	}
	err = t.attempt(ctx)
	switch {
	case err == nil:
		err = os.Remove(f.state(s, number))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	case ctx.Err() != nil:
		t.note(interrupted, "it was stopped, and goes on from there")
	default:
		t.note(failed, err.Error())
	}
	return err
}

// Ended records with which status a task's process ended, if the process did not say itself how it went: it was killed.
func Ended(f Folder, s Stage, number, status int) error {
	path := f.state(s, number)
	last, err := readState(path)
	if err == nil && last.State != running || f.Done(s, number) {
		return nil
	}
	last.State, last.Reason = failed, fmt.Sprintf("its process ended with status %d", status)
	const signals = 128 // a shell adds the signal to it
	if status > signals {
		last.Reason += fmt.Sprintf(": it was killed by signal %d", status-signals)
	}
	last.Host = cmp.Or(last.Host, host())
	last.Attempts = max(last.Attempts, 1)
	return writeJSON(path, last)
}

type task struct {
	Folder
	job     *Job
	stage   Stage
	number  int
	options TaskOptions
	state   state
}

// needs says what the task needs of earlier stages and is not there.
func (t *task) needs() error {
	lacks := func(s Stage) error {
		if left := t.Left(t.job, s); len(left) > 0 {
			return fmt.Errorf("tasks of stage %s are not done: %s", s, ranges(left))
		}
		return nil
	}
	switch {
	case t.stage == Index:
		return lacks(Mine)
	case t.stage == Run && t.job.Mine != nil:
		return lacks(Index)
	case t.stage == Store && t.options.Wait > 0: // without waiting, what is there is joined
		return lacks(Run)
	}
	return nil
}

func (t *task) await(ctx context.Context) error {
	const look = 5 * time.Second
	for end := time.Now().Add(t.options.Wait); ; {
		err := t.needs()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(look, t.options.Wait)):
		}
	}
}

// scratch is the task's folder on this machine, the same for every attempt.
func (t *task) scratch() string {
	sum := sha256.Sum256([]byte(t.Folder))
	return filepath.Join(cmp.Or(t.options.Scratch, os.TempDir()), fmt.Sprintf("n2g-%x-%d", sum[:6], os.Getuid()),
		part(t.stage, t.number))
}

// attempt runs the task until it is done, fails as often as it may, or is stopped.
func (t *task) attempt(ctx context.Context) error {
	scratch := t.scratch()
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return fmt.Errorf("there is no place to work in: %w", err)
	}
	work := filepath.Join(scratch, "result"+filepath.Ext(t.Result(t.stage, t.number)))
	if err := t.takeUp(work); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t.begin()
	go t.beat(ctx, work)
	var err error
	for range cmp.Or(t.options.Attempts, 2) {
		t.state.Attempts++
		t.note(running, "")
		if err = t.execute(ctx, work); err == nil || ctx.Err() != nil || errors.As(err, new(incompleteError)) {
			break
		}
	}
	if err != nil {
		return errors.Join(err, t.keep(context.WithoutCancel(ctx), work))
	}
	if err := move(work, t.Result(t.stage, t.number)); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(scratch), os.RemoveAll(t.partial(t.stage, t.number)),
		os.RemoveAll(unfinished(t.partial(t.stage, t.number))))
}

// execute calls n2g.
func (t *task) execute(ctx context.Context, work string) error {
	shard := fmt.Sprintf("%d/%d", t.number, t.job.Tasks)
	execute := func(args ...string) error { return t.options.Execute(ctx, args) }
	switch t.stage {
	case Mine:
		return execute(append(append([]string{"mine"}, t.job.Mine...), "-shard", shard, "-o", work)...)
	case Index:
		return execute(append([]string{"merge", "-index", work}, t.results(Mine)...)...)
	case Run:
		args := append([]string{"run"}, t.job.Run...)
		if t.job.Mine != nil {
			args = append(args, "-index", t.Result(Index, 1))
		}
		return execute(append(args, "-shard", shard, "-store", work)...)
	}
	parts := t.results(Run)
	if len(parts) == 0 {
		return errors.New("no task of stage run is done yet")
	}
	// From the beginning each time: a part may have been made anew.
	if err := os.Remove(work); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := execute(append([]string{"merge", "-store", work}, parts...)...); err != nil {
		return err
	}
	if err := execute("summary", "-store", work, "-o", t.Summary()); err != nil {
		return err
	}
	if left := t.Left(t.job, Run); len(left) > 0 {
		if err := move(work, t.Result(Store, 1)); err != nil {
			return err
		}
		return incompleteError{left}
	}
	return nil
}

// incompleteError says that what was there is joined, and what is missing.
type incompleteError struct{ left []int }

func (e incompleteError) Error() string {
	return "joined what there is; tasks of stage run are not done: " + ranges(e.left)
}

// results are the files of the tasks of a stage that are done.
func (t *task) results(s Stage) []string {
	var list []string
	for number := 1; number <= t.job.Parts(s); number++ {
		if t.Done(s, number) {
			list = append(list, t.Result(s, number))
		}
	}
	return list
}

// unfinished is where a pass of n2g mine is kept before its index is whole.
func unfinished(index string) string { return index + ".part" }

// takeUp begins with what an earlier attempt left: on this machine, or else in the job's folder.
func (t *task) takeUp(work string) error {
	partial := t.partial(t.stage, t.number)
	switch t.stage {
	case Run:
		if !exists(work) && exists(partial) {
			return copyFile(partial, work)
		}
	case Mine:
		if !exists(unfinished(work)) && exists(unfinished(partial)) {
			return os.CopyFS(unfinished(work), os.DirFS(unfinished(partial)))
		}
	}
	return nil
}

// keep copies what is done to the job's folder, for an attempt on another machine.
func (t *task) keep(ctx context.Context, work string) error {
	partial := t.partial(t.stage, t.number)
	switch {
	case t.stage == Run && exists(work) && t.options.Snapshot != nil:
		return t.options.Snapshot(ctx, work, partial)
	case t.stage == Mine && exists(unfinished(work)):
		kept := unfinished(partial)
		half := kept + ".new"
		err := errors.Join(os.RemoveAll(half), os.CopyFS(half, os.DirFS(unfinished(work))), os.RemoveAll(kept))
		if err != nil {
			return err
		}
		return os.Rename(half, kept)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// begin counts the attempts before.
func (t *task) begin() {
	if before, err := readState(t.Folder.state(t.stage, t.number)); err == nil {
		t.state.Attempts = before.Attempts
	}
	t.state.Host = host()
	t.state.Job = cmp.Or(os.Getenv("SLURM_JOB_ID"), os.Getenv("HOSTNAME"))
	t.state.Started = time.Now()
}

// host is the name of this machine, as the scheduler calls it.
func host() string {
	name, _ := os.Hostname()
	return cmp.Or(os.Getenv("SLURMD_NODENAME"), name)
}

// note writes the task's state. That it cannot be written does not end the task.
func (t *task) note(what, reason string) {
	now := t.state
	now.State, now.Reason = what, strings.Join(strings.Fields(reason), " ")
	writeJSON(t.Folder.state(t.stage, t.number), now) // as said
}

// beat tells that the task is alive, and keeps what a run has done.
func (t *task) beat(ctx context.Context, work string) {
	alive, save := time.NewTicker(cmp.Or(t.options.Beat, 30*time.Second)),
		time.NewTicker(cmp.Or(t.options.SaveEvery, 10*time.Minute))
	defer alive.Stop()
	defer save.Stop()
	path := t.Folder.state(t.stage, t.number)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-alive.C:
			os.Chtimes(path, now, now) // the next beat tries again
		case <-save.C:
			if t.stage == Run {
				t.keep(ctx, work) // the next one tries again
			}
		}
	}
}

// move publishes a file of another file system.
func move(from, to string) error {
	if err := copyFile(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	return publish(to, func(file *os.File) error { _, err := io.Copy(file, source); return err })
}

// ranges writes ascending numbers as SLURM reads them, 1-3,7.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		k := i
		for k+1 < len(numbers) && numbers[k+1] == numbers[k]+1 {
			k++
		}
		text := fmt.Sprint(numbers[i])
		if k > i {
			text += fmt.Sprintf("-%d", numbers[k])
		}
		parts, i = append(parts, text), k+1
	}
	return strings.Join(parts, ",")
}
