package train

import (
	"errors"
	"fmt"
	"io"
	"reflect"
)

// CausalOptions says how a causal SoLU model is trained. The zero value of every field but Out is what made the
// embedded model; the tags name the command line's flags.
type CausalOptions struct {
	Out          string  `json:"-" flag:"out" help:"FOLDER that gets the model; its checkpoint lies beside it"`
	Corpus       string  `json:"-" flag:"corpus" help:"FOLDER of .go, .md and .txt files to train on (default: the Go toolchain's source tree)"`
	Backend      string  `json:"-" flag:"backend" help:"BACKEND what computes: auto, go, xla:cpu or xla:cuda"`
	Name         string  `json:"-" flag:"name" default:"tiny" help:"NAME of the model in its config.json"`
	Steps        int     `json:"-" flag:"steps" default:"12500" help:"optimizer steps"`
	Batch        int     `json:"batch" flag:"batch" default:"8" help:"windows a step; even"`
	Context      int     `json:"context" flag:"context" default:"256" help:"tokens of a window, and the model's context length"`
	Layers       int     `json:"layers" flag:"layers" default:"3" help:"blocks"`
	DModel       int     `json:"d_model" flag:"d-model" default:"128" help:"width of the residual stream"`
	DMLP         int     `json:"d_mlp" flag:"d-mlp" default:"512" help:"neurons a layer"`
	Heads        int     `json:"heads" flag:"heads" default:"2" help:"attention heads a layer"`
	Vocabulary   int     `json:"vocabulary" flag:"vocabulary" default:"4096" help:"entries of the vocabulary to learn"`
	LearningRate float64 `json:"learning_rate" flag:"learning-rate" default:"0.01" help:"peak learning rate"`
	WarmUp       int     `json:"warm_up" flag:"warm-up" default:"40" help:"steps until the peak learning rate"`
	Decay        int     `json:"-" flag:"decay" help:"last steps in which the learning rate falls from its peak to zero; 0: half a cosine over all steps"`
	Seed         uint64  `json:"seed" flag:"seed" default:"1" help:"seed of the first weights and of the order of the windows"`
	HeldOut      int     `json:"held_out" flag:"held-out" default:"256" help:"held-out windows that the reported loss is measured on"`
	Checkpoint   int     `json:"-" flag:"checkpoint" default:"50" help:"steps between checkpoints"`
	Random       bool    `json:"-" flag:"random" help:"train nothing: the model keeps its first, random weights, a control for what is measured on trained ones"`

	// Progress gets a progress bar if it is a terminal, and a line every now and then if it is not; nil is silence.
	Progress io.Writer `json:"-"`
}

// MaskedOptions says how a masked DistilBERT model is trained. The zero value of every field but Out is what made the
// embedded model; the tags name the command line's flags.
type MaskedOptions struct {
	Out          string  `json:"-" flag:"out" help:"FOLDER that gets the model; its checkpoint lies beside it"`
	Corpus       string  `json:"-" flag:"corpus" help:"FOLDER of .go, .md and .txt files to train on (default: the Go toolchain's source tree)"`
	Backend      string  `json:"-" flag:"backend" help:"BACKEND what computes: auto, go, xla:cpu or xla:cuda"`
	Name         string  `json:"-" flag:"name" default:"tiny-masked" help:"NAME of the model in its config.json"`
	Steps        int     `json:"-" flag:"steps" default:"7500" help:"optimizer steps"`
	Batch        int     `json:"batch" flag:"batch" default:"8" help:"windows a step; even"`
	Context      int     `json:"context" flag:"context" default:"256" help:"tokens of a window, [CLS] and [SEP] included, and the model's longest text"`
	Layers       int     `json:"layers" flag:"layers" default:"3" help:"blocks"`
	DModel       int     `json:"d_model" flag:"d-model" default:"128" help:"width of the residual stream"`
	DMLP         int     `json:"d_mlp" flag:"d-mlp" default:"512" help:"neurons a layer"`
	Heads        int     `json:"heads" flag:"heads" default:"2" help:"attention heads a layer"`
	Vocabulary   int     `json:"vocabulary" flag:"vocabulary" default:"4096" help:"entries of the vocabulary to learn"`
	LearningRate float64 `json:"learning_rate" flag:"learning-rate" default:"0.01" help:"peak learning rate"`
	WarmUp       int     `json:"warm_up" flag:"warm-up" default:"40" help:"steps until the peak learning rate"`
	Decay        int     `json:"-" flag:"decay" help:"last steps in which the learning rate falls from its peak to zero; 0: half a cosine over all steps"`
	Seed         uint64  `json:"seed" flag:"seed" default:"1" help:"seed of the first weights, of the order of the windows and of the masks"`
	HeldOut      int     `json:"held_out" flag:"held-out" default:"256" help:"held-out windows that the reported figures are measured on"`
	Checkpoint   int     `json:"-" flag:"checkpoint" default:"50" help:"steps between checkpoints"`

	// Progress gets a progress bar if it is a terminal, and a line every now and then if it is not; nil is silence.
	Progress io.Writer `json:"-"`
}

// schedule is what both kinds of training share.
type schedule struct {
	out, corpus, backend string
	steps, batch         int
	rate                 float64
	warmUp, decay        int
	seed                 uint64
	heldOut, checkpoint  int
	progress             io.Writer
	options              any // what a checkpoint must have been made with
}

func (o CausalOptions) schedule() schedule {
	return schedule{o.Out, o.Corpus, o.Backend, o.Steps, o.Batch, o.LearningRate, o.WarmUp, o.Decay, o.Seed, o.HeldOut,
		o.Checkpoint, o.Progress, o}
}

func (o MaskedOptions) schedule() schedule {
	return schedule{o.Out, o.Corpus, o.Backend, o.Steps, o.Batch, o.LearningRate, o.WarmUp, o.Decay, o.Seed, o.HeldOut,
		o.Checkpoint, o.Progress, o}
}

// check refuses what cannot be trained.
func (s schedule) check(dModel, heads int) error {
	switch {
	case s.batch%2 != 0:
		return fmt.Errorf("a batch of %d windows cannot be halved between two workers: choose an even number", s.batch)
	case dModel%max(heads, 1) != 0:
		return fmt.Errorf("%d heads do not divide a width of %d: choose a divisor", heads, dModel)
	}
	return s.checkSteps()
}

// checkSteps refuses what cannot be trained, whatever it is.
func (s schedule) checkSteps() error {
	if s.out == "" {
		return errors.New("no output folder: say where the result goes (-out)")
	}
	v := reflect.ValueOf(s.options)
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.Int && field.Int() < 1 && v.Type().Field(i).Name != "Decay" {
			return fmt.Errorf("%s is %d: choose 1 or more", v.Type().Field(i).Tag.Get("flag"), field.Int())
		}
	}
	switch {
	case s.decay < 0 || s.decay > s.steps:
		return fmt.Errorf("the learning rate cannot fall over %d of %d steps: choose 0 to %d (-decay)", s.decay, s.steps,
			s.steps)
	case !(s.rate > 0):
		return fmt.Errorf("a learning rate of %g moves nothing: choose a positive one", s.rate)
	}
	return nil
}
