package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/checkpoint"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// parts are what the files of a causal model hold.
type parts struct {
	config    family.Config
	tokenizer tokenizers.Tokenizer // nil: none
	weights   safetensors.Weights
	layout    weights.Layout
}

// readParts reads the files at the root of a file system: config.json, weights and tokenizer.json, or one GGUF file
// that holds all three.
func readParts(fsys fs.FS) (parts, error) {
	single, err := ggufName(fsys)
	if err != nil {
		return parts{}, err
	}
	if single != "" {
		return readGGUF(fsys, single)
	}
	text, err := fs.ReadFile(fsys, "config.json")
	if err != nil {
		return parts{}, fmt.Errorf("read configuration: %w", err)
	}
	var p parts
	if p.config, err = family.Parse(text); err != nil {
		return parts{}, fmt.Errorf("config.json: %w", err)
	}
	if p.tokenizer, err = openTokenizer(fsys); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return parts{}, err
	}
	if p.weights, err = checkpoint.OpenFolder(fsys); err != nil {
		return parts{}, err
	}
	if p.layout, err = p.config.Layout(p.weights); err != nil {
		p.weights.Close()
		return parts{}, err
	}
	return p, nil
}

// readGGUF reads all parts from one file.
func readGGUF(fsys fs.FS, name string) (parts, error) {
	file, err := gguf.OpenFS(fsys, name)
	if err != nil {
		return parts{}, err
	}
	p := parts{weights: file}
	if p.config, err = family.ParseGGUF(file); err != nil {
		err = fmt.Errorf("model file %s: %w", name, err)
	} else if p.tokenizer, err = file.Tokenizer(); err == nil || errors.Is(err, fs.ErrNotExist) {
		p.layout, err = p.config.LayoutGGUF(file)
	}
	if err != nil {
		file.Close()
		return parts{}, err
	}
	return p, nil
}

// ggufName is the GGUF file of a folder, empty where its weights are of another kind, or there are none.
func ggufName(fsys fs.FS) (string, error) {
	files, err := weightFiles(fsys)
	if err != nil || len(files) == 0 || !isGGUF(files[0]) {
		return "", nil // whatever is wrong, the kinds of old find it
	}
	if len(files) > 1 {
		return "", fmt.Errorf("several files could be the model (%s): name one, not the folder", strings.Join(files, ", "))
	}
	return files[0], nil
}

func isGGUF(name string) bool { return strings.EqualFold(filepath.Ext(name), ".gguf") }

// OpenTokenizer opens the tokenizer of a model that [Open] would open by the same reference, or a tokenizer.json
// itself. The model's weights need not be there.
func OpenTokenizer(ref string) (tokenizers.Tokenizer, error) {
	if strings.EqualFold(filepath.Ext(ref), ".json") {
		return tokenizers.Open(ref)
	}
	m := named(ref)
	if isServer(ref) {
		var err error
		if m, err = openRemote(ref); err != nil {
			return nil, err
		}
	}
	if m != nil {
		defer m.Close()
		if m.tokenizer == nil {
			return nil, fmt.Errorf("model %s has no tokenizer, so it cannot read a text", m.name)
		}
		return m.tokenizer, nil
	}
	fsys, name, err := resolve(ref, tiny.Causal)
	if err != nil {
		return nil, err
	}
	t, err := tokenizerOf(lfs.FS(fsys))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("model %s has no tokenizer.json, so it cannot read a text: put the file into its folder", name)
	case err != nil:
		return nil, fmt.Errorf("open tokenizer of %s: %w", name, err)
	}
	return t, nil
}

// tokenizerOf reads the tokenizer at the root of a file system.
func tokenizerOf(fsys fs.FS) (tokenizers.Tokenizer, error) {
	single, err := ggufName(fsys)
	if err != nil {
		return nil, err
	}
	if single == "" {
		return openTokenizer(fsys)
	}
	file, err := gguf.OpenFS(fsys, single)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Tokenizer()
}

// openTokenizer reads tokenizer.json and, if there, tokenizer_config.json.
func openTokenizer(fsys fs.FS) (tokenizers.Tokenizer, error) {
	text, err := fs.ReadFile(fsys, "tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	config, err := fs.ReadFile(fsys, "tokenizer_config.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	return tokenizers.Parse(text, config)
}

// oneFile is a file system of a single file.
type oneFile struct {
	fs.FS
	name string
}

// openOneFile shows a file as if it were alone in its folder.
func openOneFile(path string) fs.FS {
	return oneFile{os.DirFS(filepath.Dir(path)), filepath.Base(path)}
}

func (f oneFile) Open(name string) (fs.File, error) {
	if name != f.name && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	file, err := f.FS.Open(name)
	if dir, ok := file.(fs.ReadDirFile); ok && name == "." {
		return oneEntry{dir, f.name}, err
	}
	return file, err
}

// oneEntry is a folder that shows one of its files, also to those who do not ask the file system but the folder itself.
type oneEntry struct {
	fs.ReadDirFile
	name string
}

func (d oneEntry) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := d.ReadDirFile.ReadDir(n)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() != d.name }), err
}
