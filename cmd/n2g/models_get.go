package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
	"github.com/neuron2graph/neuron2graph/models/tiny"
)

func (a *app) modelsGet() *command {
	c := newCommand("models get", "download models")
	c.long = `Downloads what is needed of a model (configuration, weights, tokenizer) from the Hugging Face hub into the cache that Python's
huggingface_hub shares, and verifies sizes and hashes. What was broken off goes on where it stopped. HF_HOME and HF_HUB_CACHE say
where the cache is, HF_TOKEN opens private and gated repositories, HF_ENDPOINT names another hub, HF_HUB_OFFLINE forbids it all.`
	c.examples = []string{"gpt2-small distilbert-base-uncased", "solu-8l-old", "EleutherAI/pythia-70m@step3000",
		"-update gpt2-small"}
	c.operands = "NAME…"
	update := c.flags.Bool("update", false, "ask the hub again about models that are here, and download what has "+
		"changed there")
	c.run = func(ctx context.Context) error {
		client, err := hub.New(hub.Options{})
		if err != nil {
			return err
		}
		for _, ref := range c.flags.Args() {
			if err := a.getModel(ctx, client, ref, *update); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// getModel downloads one model unless it is there; with update, also what has changed since.
func (a *app) getModel(ctx context.Context, client *hub.Client, ref string, update bool) error {
	if ref == tiny.Name {
		fmt.Fprintf(a.text, "%s is part of the program\n", ref)
		return nil
	}
	m, err := registry.Lookup(ref)
	if err != nil {
		return err
	}
	_, err = client.Open(m)
	here := err == nil
	switch {
	case here && !update:
		fmt.Fprintf(a.text, "%s is here already, %s in %s\n", ref, byteCount(client.Size(m)), client.Cache())
		return nil
	case !here && !errors.Is(err, hub.ErrNotCached):
		return err
	}
	before := commits(client, m)
	if err := a.download(ctx, client, m); err != nil {
		return err
	}
	if _, err := client.Open(m); err != nil {
		return err
	}
	what := ref
	switch {
	case here && commits(client, m) == before:
		what += " has not changed"
	case here:
		what += " has changed and is new here"
	}
	fmt.Fprintf(a.text, "%s: %s in %s\n", what, byteCount(client.Size(m)), client.Cache())
	return nil
}

// commits names the state of the model's repositories that the cache holds: its own, and its tokenizer's if that is
// another's, of which the main branch is taken.
func commits(client *hub.Client, m registry.Model) [2]string {
	var list [2]string
	if snapshot, err := client.Cached(m.Repo, m.Revision); err == nil {
		list[0] = snapshot.Commit
	}
	if m.Tokenizer != "" {
		if snapshot, err := client.Cached(m.Tokenizer, ""); err == nil {
			list[1] = snapshot.Commit
		}
	}
	return list
}

// download shows how far each of the model's repositories has come.
func (a *app) download(ctx context.Context, client *hub.Client, m registry.Model) error {
	var shown *progress
	repo := ""
	end := func() {
		if shown != nil {
			shown.end()
		}
	}
	defer func() { end() }()
	return client.Get(ctx, m, func(p hub.Progress) {
		if p.Repo != repo {
			end()
			repo, shown = p.Repo, a.progress(int(p.Total))
			shown.bytes = true
		}
		shown.update(int(p.Done), p.Repo+" "+p.File)
	})
}
