package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
)

func (a *app) models() *command {
	c := newCommand("models", "list the models that have names, and what of them is on this machine")
	c.long = `A model (-model, -masked) is one of
  tiny         small models that are part of the program, to try everything with
  a folder     config.json, model.safetensors (or its shards, or pytorch_model.bin, or one .pth) and tokenizer.json; or one .gguf
  FILE.gguf    configuration, tokenizer and weights in one file, llama.cpp's format
  an own name  that n2g models add gave to one of these
  a name       of the list, those of TransformerLens; -all tells its other names too
  owner/name   any repository of the Hugging Face hub whose family is among those below
A name or repository may end in @REVISION (pythia-70m@step3000). Both must have been downloaded, with n2g models get or
by Python's huggingface_hub, whose cache this is.

Causal families: ` + strings.Join(models.Families(), ", ") + `
Masked families: bert, distilbert`
	c.examples = []string{"-here", "-json", "get gpt2-small"}
	here := c.flags.Bool("here", false, "list only what is on this machine")
	all := c.flags.Bool("all", false, "list other names and repositories too")
	asJSON := c.flags.Bool("json", false, "print JSON, one object a line")
	c.commands = []*command{a.modelsGet(), a.modelsAdd(), a.modelsRemove()}
	c.run = func(context.Context) error {
		client, err := hub.New(hub.Options{})
		if err != nil {
			return err
		}
		list, err := addedModels()
		if err != nil {
			return err
		}
		list = append(list, listModels(client, *here)...)
		if *asJSON {
			return writeJSONLines(a.stdout, list)
		}
		return a.print(func(w io.Writer) error { return printModels(w, list, *all, client.Cache()) })
	}
	return c
}

// modelEntry is one model of the list.
type modelEntry struct {
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases,omitempty"`
	Repo      string   `json:"repository,omitempty"`
	Tokenizer string   `json:"tokenizer,omitempty"` // its repository, where it is another
	Family    string   `json:"family"`
	Masked    bool     `json:"masked,omitempty"`
	Layers    int      `json:"layers"`
	DMLP      int      `json:"d_mlp"`
	Context   int      `json:"context"`
	Hook      string   `json:"hook,omitempty"`
	BOS       string   `json:"bos,omitempty"`
	Bytes     int64    `json:"bytes"` // on this machine, 0 if it must be downloaded first
	Added     bool     `json:"added,omitempty"`
	Problem   string   `json:"problem,omitempty"` // why an added model cannot be opened
}

// listModels is the registry with what the cache holds of it.
func listModels(client *hub.Client, here bool) []modelEntry {
	var list []modelEntry
	for _, m := range registry.All() {
		size := client.Size(m)
		if here && size == 0 {
			continue
		}
		list = append(list, modelEntry{
			Name: m.Name, Aliases: m.Aliases, Repo: m.Repo, Tokenizer: m.Tokenizer, Family: m.Family, Masked: m.Masked,
			Layers: m.Layers, DMLP: m.DMLP, Context: m.Context, Hook: m.Hook, BOS: m.BOS, Bytes: size,
		})
	}
	return list
}

// printModels prints the list for people.
func printModels(w io.Writer, list []modelEntry, all bool, cache string) error {
	fmt.Fprintf(w, "tiny, a causal and a masked model, is part of the program. Downloaded models lie in %s.\n\n", cache)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "NAME\tFAMILY\tLAYERS\tNEURONS A LAYER\tCONTEXT\tHOOK\tHERE")
	if all {
		fmt.Fprint(table, "\tREPOSITORY\tOTHER NAMES")
	}
	fmt.Fprintln(table)
	for _, m := range list {
		hook, size := m.Hook, "-"
		if m.Masked {
			hook = "masked"
		}
		if m.Bytes > 0 {
			size = byteCount(m.Bytes)
		}
		if m.Problem != "" {
			fmt.Fprintf(table, "%s\tcannot be opened: %s\n", m.Name, m.Problem)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s", m.Name, m.Family, m.Layers, m.DMLP, m.Context, hook, size)
		if all {
			fmt.Fprintf(table, "\t%s\t%s", m.Repo, strings.Join(m.Aliases, ", "))
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, "\nn2g models get NAME downloads one, n2g models add FILE takes one in; n2g models -h tells what else "+
		"a model can be.\n")
	return nil
}

// byteCount is a size for people, in powers of ten as download sizes are given.
func byteCount(n int64) string {
	const step = 1000
	size, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for size >= step && len(units) > 1 {
		size, units = size/step, units[1:]
	}
	if size >= 100 || units[0] == "B" {
		return fmt.Sprintf("%.0f %s", size, units[0])
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
