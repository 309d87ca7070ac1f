package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/process"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
)

// siteModel is a model whose sites a command reads: models.Causal, or what a process holds (-exec).
type siteModel interface {
	corpus.Scanner
	corpus.OffsetTokenizer
	DefaultHook() string
	Vocabulary() int
	Fingerprint() (string, error)
	Close() error
}

// execFlags are those of a command that takes a process for its model.
type execFlags struct {
	flags   *flag.FlagSet
	command *string
	timeout *time.Duration
}

// execFlag adds -exec, which openSites and indexModel heed.
func (a *app) execFlag(c *command) {
	a.execs = append(a.execs, execFlags{flags: c.flags,
		command: c.flags.String("exec", "", "`CMD` a command that holds the model, instead of -model: a program in Python, "+
			"say, that answers JSON Lines on standard input (docs/exec.md); the shell runs it, 'python3 model.py'. What needs "+
			"weights is left out"),
		timeout: c.flags.Duration("exec-timeout", 10*time.Minute, "`TIME` that the command may take for an answer, "+
			"loading its model included"),
	})
}

// execCommand is the command of -exec; empty where there is none. Of all commands one runs.
func (a *app) execCommand() (line string, o process.Options, err error) {
	for _, f := range a.execs {
		if !given(f.flags, "exec") {
			if given(f.flags, "exec-timeout") {
				return "", o, errors.New("-exec-timeout is that of a command: name it with -exec")
			}
			continue
		}
		line, o.Timeout = *f.command, *f.timeout
		switch {
		case strings.TrimSpace(line) == "":
			return "", o, errors.New("-exec is empty: give the command that holds the model, such as 'python3 model.py'")
		case o.Timeout <= 0:
			return "", o, fmt.Errorf("-exec-timeout is %s: it is above 0", o.Timeout)
		}
		for _, other := range []string{"model", "sae", "direction"} {
			if given(f.flags, other) {
				return "", o, fmt.Errorf("-exec names the model, which answers for its features and directions itself: "+
					"leave out -%s", other)
			}
		}
	}
	return line, o, nil
}

// openProcess opens the model of -exec; nil where that is not given. Whatever the command does, it ends with it.
func (a *app) openProcess(ctx context.Context) (*process.Model, error) {
	line, o, err := a.execCommand()
	if line == "" || err != nil {
		return nil, err
	}
	model, err := process.Start(ctx, process.Shell(line), o)
	if err != nil {
		return nil, fmt.Errorf("-exec: %w", err)
	}
	a.processes = append(a.processes, model)
	return model, nil
}

// closeProcesses ends what -exec has started, and adds to an error what kept tokens from being written.
func (a *app) closeProcesses(err error) error {
	for _, p := range a.processes {
		if failed := p.Close(); failed != nil && !errors.Is(err, failed) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// openSites opens the model of -exec, or else that of -model.
func (a *app) openSites(ctx context.Context, ref, backend string) (siteModel, error) {
	held, err := a.openProcess(ctx)
	switch {
	case err != nil:
		return nil, err
	case held != nil:
		return held, nil
	}
	return a.openModel(ref, backend)
}

// misplaced is an error where args give -exec to a command that asks more of a model than a process offers.
func misplaced(c *command, args []string) error {
	if c.flags.Lookup("model") == nil || c.flags.Lookup("exec") != nil || c.rest {
		return nil
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if arg == "--" {
			return nil
		}
		if name == "exec" && strings.HasPrefix(arg, "-") {
			return fmt.Errorf("n2g %s needs a model's weights, or to change what happens within it, and a command of -exec "+
				"gives activations only: name a model with -model", c.name)
		}
	}
	return nil
}

// isTiny tells the embedded model.
func isTiny(model siteModel) bool {
	_, here := model.(*models.Causal)
	return here && model.Name() == tiny.Name
}

// besideOf says through what a model reads a hook point: see models.Causal.Beside.
func besideOf(model siteModel, hook string) string {
	if m, ok := model.(*models.Causal); ok {
		return m.Beside(hook)
	}
	return ""
}

// layerCount is how many layers a model has.
func layerCount(model siteModel) int {
	if m, ok := model.(*models.Causal); ok {
		return m.Config().Layers
	}
	last := -1
	if m, ok := model.(*process.Model); ok {
		for _, s := range m.Sites() {
			last = max(last, s.Layer)
		}
	}
	return last + 1
}

// layersWith are the layers that have a hook point; nil: all.
func layersWith(model siteModel, hook string) []n2grun.Range {
	switch m := model.(type) {
	case *models.Causal:
		if s := m.SAE(); s != nil && strings.HasSuffix(hook, "[sae]") { // whose features are those of one layer
			return []n2grun.Range{{First: s.Layer, Last: s.Layer}}
		}
	case *process.Model:
		var found []n2grun.Range
		for layer := range layerCount(m) {
			if m.Has(layer, hook) {
				found = append(found, n2grun.Range{First: layer, Last: layer})
			}
		}
		return found
	}
	return nil
}

// everyActivation are the activations of all numbers of a hook point on the tokens of a prompt, [token][number].
func everyActivation(ctx context.Context, model siteModel, layer int, hook string, ids []int) ([][]float32, error) {
	if m, ok := model.(*models.Causal); ok { // which may be a server's, that does not scan
		all, err := m.LayerActivations(ctx, layer, hook, [][]int{ids})
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}
	width, err := model.Width(layer, hook)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(ids))
	err = model.Scan(ctx, []int{layer}, hook, [][]int{ids}, func(_, first int, values []float32) {
		for row := range slices.Chunk(values, width) {
			rows[first] = slices.Clone(row)
			first++
		}
	})
	return rows, err
}

// modelNamed is what the model's name was, for a person: the command's, or that of -model.
func (a *app) modelNamed(ref string) string {
	if line, _, _ := a.execCommand(); line != "" {
		return line
	}
	return ref
}

// modelArguments are the arguments that name the model, for a person.
func (a *app) modelArguments(ref string) string {
	if line, _, _ := a.execCommand(); line != "" {
		return "-exec '" + strings.ReplaceAll(line, "'", `'\''`) + "'"
	}
	return "-model " + ref
}

// tokenizes tells whether a model can read and write text.
func tokenizes(model siteModel) bool {
	m, ok := model.(*models.Causal)
	return !ok || m.Tokenizer() != nil
}

var (
	_ siteModel      = (*models.Causal)(nil)
	_ siteModel      = (*process.Model)(nil)
	_ n2g.RowCounter = (*models.Causal)(nil)
)
