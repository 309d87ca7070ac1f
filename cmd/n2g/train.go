package main

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/train"
)

func (a *app) train() *command {
	c := newCommand("train", "train a small model on the Go toolchain's source tree, or a sparse auto-encoder on a model")
	c.commands = []*command{a.trainCausal(), a.trainMasked(), a.trainSAE()}
	return c
}

const trainLong = `Trains on the text below a folder, by default the Go toolchain's own source tree, with a vocabulary that it learns there
too. The defaults are those of the model that is part of this program. Progress is kept in a checkpoint beside the folder:
a run that was stopped goes on from it when the same command is given again, and ends with the same model.`

func (a *app) trainCausal() *command {
	c := newCommand("train causal", "train a causal SoLU model, whose neurons can be explained")
	c.long = trainLong
	c.examples = []string{
		`-out models/mine`,
		`-out models/large -layers 6 -d-model 512 -d-mlp 2048 -heads 8 -steps 20000 -backend xla:cuda`,
	}
	set := optflag.Add[train.CausalOptions](c.flags)
	c.run = func(ctx context.Context) error {
		options := train.CausalOptions{Progress: a.stderr}
		optflag.Apply(set, &options)
		return a.runTraining(options.Backend, options.Out,
			func() (*train.Report, error) { return train.Causal(ctx, options) })
	}
	return c
}

func (a *app) trainMasked() *command {
	c := newCommand("train masked", "train a masked DistilBERT model, which varies texts")
	c.long = trainLong
	c.examples = []string{`-out models/mine-masked`}
	set := optflag.Add[train.MaskedOptions](c.flags)
	c.run = func(ctx context.Context) error {
		options := train.MaskedOptions{Progress: a.stderr}
		optflag.Apply(set, &options)
		return a.runTraining(options.Backend, options.Out,
			func() (*train.Report, error) { return train.Masked(ctx, options) })
	}
	return c
}

// runTraining says what runs, and in the end how good the model is.
func (a *app) runTraining(backend, out string, run func() (*train.Report, error)) error {
	_, info, err := backends.Open(backend)
	if err != nil {
		return err
	}
	a.start(info)
	report, err := run()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.text, "%s: %d steps, %d tokens; held-out loss %.3f nats a token, top-1 %.1f %% over %d tokens\n",
		out, report.Steps, report.Tokens, report.HeldOutLoss, 100*report.HeldOutTop1, report.HeldOutTokens)
	return nil
}
