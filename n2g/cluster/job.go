package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Job is what is to be done in parts. It is kept as job.json in the job's folder.
type Job struct {
	Program   string   `json:"program"`   // n2g, as it is called on the machines that run tasks
	Directory string   `json:"directory"` // in which tasks run, so that relative paths mean the same
	Mine      []string `json:"mine"`      // flags of n2g mine; nil: nothing is mined
	Run       []string `json:"run"`       // flags of n2g run; nil: nothing is explained
	Tasks     int      `json:"tasks"`     // parts of each of the two
}

// Stage is a step of a job.
type Stage string

// The stages in their order.
const (
	Mine  Stage = "mine"  // a part of the corpus to a part of the index
	Index Stage = "index" // the parts of the index to one
	Run   Stage = "run"   // a part of the neurons to a store
	Store Stage = "store" // the stores to one, and its summary
)

// Stages returns those of the job, in order.
func (j *Job) Stages() []Stage {
	var stages []Stage
	if j.Mine != nil {
		stages = append(stages, Mine, Index)
	}
	if j.Run != nil {
		stages = append(stages, Run, Store)
	}
	return stages
}

// Parts is how many tasks a stage has.
func (j *Job) Parts(s Stage) int {
	if s == Mine || s == Run {
		return j.Tasks
	}
	return 1
}

// check says what keeps a job from being one.
func (j *Job) check() error {
	switch {
	case j.Tasks < 1:
		return fmt.Errorf("a job of %d tasks: it has at least 1", j.Tasks)
	case len(j.Stages()) == 0:
		return errors.New("the job neither mines nor explains")
	}
	return nil
}

// Folder is where a job lies. All machines that run its tasks see it under one name.
type Folder string

func (f Folder) job() string { return filepath.Join(string(f), "job.json") }

// part is the name of a task.
func part(s Stage, number int) string { return fmt.Sprintf("%s-%04d", s, number) }

// Result is the file that a task makes.
func (f Folder) Result(s Stage, number int) string {
	switch s {
	case Mine:
		return filepath.Join(string(f), string(Mine), fmt.Sprintf("%04d.n2g", number))
	case Index:
		return filepath.Join(string(f), "index.n2g")
	case Run:
		return filepath.Join(string(f), string(Run), fmt.Sprintf("%04d.db", number))
	}
	return filepath.Join(string(f), "run.db")
}

// Summary is where the summary of the joined store is written.
func (f Folder) Summary() string { return filepath.Join(string(f), "summary.txt") }

// Logs is where the schedulers' logs of tasks go.
func (f Folder) Logs() string { return filepath.Join(string(f), "log") }

// partial is what an attempt at a task left that was stopped.
func (f Folder) partial(s Stage, number int) string {
	return filepath.Join(string(f), "partial", part(s, number)+filepath.Ext(f.Result(s, number)))
}

func (f Folder) state(s Stage, number int) string {
	return filepath.Join(string(f), "state", part(s, number)+".json")
}

// Done tells whether a task's result is there.
func (f Folder) Done(s Stage, number int) bool {
	_, err := os.Stat(f.Result(s, number))
	return err == nil
}

// Left returns the numbers of a stage's tasks that are not done.
func (f Folder) Left(j *Job, s Stage) []int {
	var left []int
	for number := 1; number <= j.Parts(s); number++ {
		if !f.Done(s, number) {
			left = append(left, number)
		}
	}
	return left
}

// Create makes the folder of a job, or checks that it is the job's: one is submitted again to do what is left of it.
func (f Folder) Create(j *Job) error {
	if err := j.check(); err != nil {
		return err
	}
	for _, name := range []string{"", string(Mine), string(Run), "partial", "state", "log"} {
		if err := os.MkdirAll(filepath.Join(string(f), name), 0o755); err != nil {
			return fmt.Errorf("the job's folder cannot be made: %w", err)
		}
	}
	there, err := f.Job()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeJSON(f.job(), j)
	case err != nil:
		return err
	case there.Tasks != j.Tasks || !slices.Equal(there.Mine, j.Mine) || !slices.Equal(there.Run, j.Run) ||
		(there.Mine == nil) != (j.Mine == nil) || (there.Run == nil) != (j.Run == nil):
		return fmt.Errorf("%s holds another job (%s): give the same flags to do what is left of it, or another folder", f,
			f.job())
	case !reflect.DeepEqual(there, j): // the program or the directory has moved
		return writeJSON(f.job(), j)
	}
	return nil
}

// Prepare makes the folder of the job that text is the JSON of. Tasks that begin at once may all do so.
func Prepare(f Folder, text string) error {
	j := new(Job)
	if err := json.Unmarshal([]byte(text), j); err != nil {
		return fmt.Errorf("the job is no JSON of one: %w", err)
	}
	return f.Create(j)
}

// Job reads what is to be done in the folder.
func (f Folder) Job() (*Job, error) {
	content, err := os.ReadFile(f.job())
	if err != nil {
		return nil, fmt.Errorf("%s is no job's folder: n2g submit makes one: %w", f, err)
	}
	j := new(Job)
	if err := json.Unmarshal(content, j); err != nil {
		return nil, fmt.Errorf("%s: %w", f.job(), err)
	}
	if err := j.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.job(), err)
	}
	return j, nil
}

// writeJSON makes a file appear whole.
func writeJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return publish(path, func(to *os.File) error { _, err := to.Write(append(content, '\n')); return err })
}

// publish makes a file of what write writes, on the disk and whole, in one move.
func publish(path string, write func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Chmod(0o644), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
