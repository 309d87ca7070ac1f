package train

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// A checkpoint is a safetensors file: weights and moments in full precision under "weights/", "first/" and "second/",
// and in its metadata the steps taken, what the run was made with, and at which step its learning rate begins to fall.
const (
	checkpointSteps = "steps"
	checkpointRun   = "run"
	checkpointDecay = "decay"
)

// save writes a checkpoint; a kill while it does so leaves the one before it. decay is the step at which the learning
// rate begins to fall, or -1.
func (t *trainer) save(path, run string, decay int) error {
	if err := t.machine.read(t); err != nil {
		return err
	}
	var list []safetensors.Tensor
	for i, p := range t.params {
		for _, group := range t.groups() {
			list = append(list, safetensors.Tensor{Name: group.prefix + p.Name, Shape: group.shape(p), Data: group.of[i]})
		}
	}
	return writeAtomically(path, func(w io.Writer) error {
		return safetensors.Write(w, list, map[string]string{checkpointSteps: strconv.Itoa(t.done), checkpointRun: run,
			checkpointDecay: strconv.Itoa(decay)})
	})
}

// group is weights, first or second moments.
type group struct {
	prefix string
	of     [][]float32
	shape  func(p parameter) []int
}

func (t *trainer) groups() []group {
	own := func(p parameter) []int { return p.Shape }
	return []group{{"weights/", t.weights, own}, {"first/", t.first, own}, {"second/", t.second, secondShape}}
}

// resume takes up the checkpoint at path, if there is one. decay is the step at which its learning rate began or was to
// begin to fall, or -1.
func (t *trainer) resume(path, run string) (found bool, decay int, err error) {
	file, err := safetensors.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, -1, nil
	}
	if err != nil {
		return false, -1, fmt.Errorf("resuming from %s: %w: remove the file to begin anew", path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if made := file.Metadata()[checkpointRun]; made != run {
		return false, -1,
			fmt.Errorf("the checkpoint %s belongs to another run (%s, this one is %s): remove it to begin anew, or name "+
				"another output folder", path, made, run)
	}
	steps, err := strconv.Atoi(file.Metadata()[checkpointSteps])
	if err != nil {
		return false, -1, fmt.Errorf("the checkpoint %s does not say how many steps it took: remove it to begin anew", path)
	}
	// A checkpoint that does not say when the rate falls was made before there was such a schedule.
	if decay, err = strconv.Atoi(file.Metadata()[checkpointDecay]); err != nil {
		decay = -1
	}
	for _, group := range t.groups() {
		for i, p := range t.params {
			if err := file.Float32s(group.prefix+p.Name, group.of[i]); err != nil {
				return false, -1, fmt.Errorf("resuming from %s: %w: remove the file to begin anew", path, err)
			}
		}
	}
	t.done = steps
	t.machine.written()
	return true, decay, nil
}

// writeAtomically writes a file beside path and then renames it.
func writeAtomically(path string, write func(io.Writer) error) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(temp.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(temp, 1<<20)
	if err := errors.Join(write(buffered), buffered.Flush(), temp.Sync(), temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
