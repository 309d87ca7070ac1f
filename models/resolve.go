package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/local"
	"github.com/neuron2graph/neuron2graph/models/registry"
	"github.com/neuron2graph/neuron2graph/models/tiny"
)

// resolve finds the folder of files that a reference means, and what the model is called then: tiny, the embedded
// model; a local folder or GGUF file; a model that the user added (package local); else a name of package registry, or
// a repository of the hub, in the cache of package hub. Nothing is downloaded.
func resolve(ref string, embedded func() fs.FS) (fsys fs.FS, name string, err error) {
	if ref == tiny.Name {
		return embedded(), tiny.Name, nil
	}
	stat, err := os.Stat(ref)
	isFolder := err == nil && stat.IsDir()
	// A folder that only happens to be called like a model does not hide it.
	if isFolder && (isPath(ref) || holdsModel(ref)) {
		return os.DirFS(ref), filepath.Base(filepath.Clean(ref)), nil
	}
	if err == nil && !isFolder && isGGUF(ref) {
		return openOneFile(ref), strings.TrimSuffix(filepath.Base(ref), filepath.Ext(ref)), nil
	}
	if !isPath(ref) && !strings.Contains(ref, "/") {
		shelf, err := local.Open()
		if err != nil {
			return nil, "", err
		}
		if fsys, ok := shelf.Model(ref); ok {
			return fsys, ref, nil
		}
	}
	m, unknown := registry.Lookup(ref)
	switch {
	case unknown == nil && !isPath(ref):
		return cached(m)
	case isFolder:
		return os.DirFS(ref), filepath.Base(filepath.Clean(ref)), nil
	case err == nil:
		return nil, "", fmt.Errorf("model %q is a file, and none that ends in .gguf: name the folder that holds it", ref)
	case !isPath(ref):
		return nil, "", unknown
	case errors.Is(err, fs.ErrNotExist):
		return nil, "",
			fmt.Errorf("no model at %q: name a folder that holds config.json, model.safetensors and tokenizer.json, a GGUF "+
				"file, one of the models that `n2g models` lists, or tiny for the one inside the program", ref)
	}
	return nil, "", fmt.Errorf("open model: %w", err)
}

// isPath says whether a reference can only be a path.
func isPath(ref string) bool {
	return ref == "" || strings.HasPrefix(ref, ".") || strings.HasPrefix(ref, "~") || filepath.IsAbs(ref) ||
		strings.Contains(ref, "\\") || strings.HasSuffix(ref, "/") || strings.Count(ref, "/") > 1 &&
		!strings.Contains(ref, "@")
}

// holdsModel says whether a folder has what every model has.
func holdsModel(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "config.json"))
	return err == nil
}

// cached opens what was downloaded of a model.
func cached(m registry.Model) (fs.FS, string, error) {
	name := m.Name
	if m.Revision != "" {
		name += "@" + m.Revision
	}
	client, err := hub.New(hub.Options{})
	if err != nil {
		return nil, "", err
	}
	fsys, err := client.Open(m)
	switch {
	case errors.Is(err, hub.ErrNotCached) && m.Family == "":
		return nil, "",
			fmt.Errorf("there is no folder %q, and a repository of that name is not on this machine: `n2g models get %[1]s` "+
				"downloads it if there is one", name)
	case errors.Is(err, hub.ErrNotCached):
		return nil, "",
			fmt.Errorf("model %s is not on this machine, and is not downloaded unasked: `n2g models get %[1]s` downloads it",
				name)
	case err != nil:
		return nil, "", err
	}
	return fsys, name, nil
}
