package main

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

func (a *app) backend() *command {
	c := newCommand("backend", "tell what models can run on here")
	c.long = `Tries every backend and says which one a model runs on when none is chosen. Nothing is downloaded.`
	c.commands = []*command{a.backendInstall()}
	c.run = func(context.Context) error {
		for _, name := range backends.Names() {
			_, info, err := backends.Open(name)
			answer := info.Line()
			switch {
			case err != nil:
				answer = "not here: " + oneLine(err)
			case info.Name != backends.Go:
				answer += ": " + info.Description // the plugin, its file and version, and its devices
			}
			fmt.Fprintf(a.stdout, "%-9s %s\n", name, answer)
		}
		return nil
	}
	return c
}

func (a *app) backendInstall() *command {
	c := newCommand("backend install", "download the XLA plugins that fit this machine")
	c.long = `Downloads the PJRT plugin for this machine's processor and, if it has an NVIDIA GPU, the one for CUDA with the libraries it
needs, by the installer of github.com/gomlx/go-xla. From then on models run on XLA unless another backend is chosen.`
	c.run = func(context.Context) error {
		folder, err := backends.Install()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "The plugins lie in %s: n2g backend tells what runs.\n", folder)
		return nil
	}
	return c
}
