package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

func (a *app) models() *command {
	c := newCommand("models", "tell which models can be opened")
	c.run = func(context.Context) error {
		fmt.Fprintf(a.stdout, `A model is
  tiny       small models that are part of the program, to try everything with
  a folder   config.json, model.safetensors (or its shards) and tokenizer.json

Causal families (-model): %s
Masked families (-masked): bert, distilbert
`, strings.Join(models.Families(), ", "))
		return nil
	}
	return c
}

func (a *app) backend() *command {
	c := newCommand("backend", "tell what models can run on here")
	c.long = `Tries every backend and says which one a model runs on when none is chosen. Nothing is downloaded.`
	c.run = func(context.Context) error {
		for _, name := range backends.Names() {
			_, info, err := backends.Open(name)
			answer := ""
			if err != nil {
				answer = "not here: " + oneLine(err)
			} else {
				answer = info.Line()
			}
			fmt.Fprintf(a.stdout, "%-9s %s\n", name, answer)
		}
		return nil
	}
	return c
}
