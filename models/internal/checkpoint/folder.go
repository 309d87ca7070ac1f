package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// The names that Hugging Face's libraries give to weights.
const (
	safetensorsName  = "model.safetensors"
	safetensorsIndex = "model.safetensors.index.json"
	pytorchName      = "pytorch_model.bin"
	pytorchIndex     = "pytorch_model.bin.index.json"
)

// OpenFolder opens the weights at the root of a file system: safetensors where there are any, else pytorch_model.bin or
// its shards, else the one file that ends in .pth or .pt.
func OpenFolder(fsys fs.FS) (safetensors.Weights, error) {
	switch {
	case exists(fsys, safetensorsName), exists(fsys, safetensorsIndex):
		return opened(safetensors.OpenFolder(fsys))
	case exists(fsys, pytorchName):
		return opened(Open(fsys, pytorchName))
	case exists(fsys, pytorchIndex):
		return opened(safetensors.OpenIndexed(fsys, pytorchIndex, func(name string) (safetensors.Weights, error) {
			return opened(Open(fsys, name))
		}))
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".pth") || strings.HasSuffix(name, ".pt") {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return nil, fmt.Errorf("no weights are there: %s, %s or one .pth file is needed: %w",
			safetensorsName, pytorchName, fs.ErrNotExist)
	case 1:
		return opened(Open(fsys, names[0]))
	}
	slices.Sort(names)
	return nil, fmt.Errorf("several files could be the weights (%s): keep one", strings.Join(names, ", "))
}

// opened turns a typed nil into a nil interface.
func opened[W safetensors.Weights](w W, err error) (safetensors.Weights, error) {
	if err != nil {
		return nil, err
	}
	return w, nil
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return !errors.Is(err, fs.ErrNotExist)
}
