package models

import (
	"bytes"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
)

// ggufFiles is the folder of a GGUF model with the files of a tokenizer, which are part of the model's own.
type ggufFiles struct {
	fs.FS
	// tokenizer makes both files, once.
	tokenizer func() (made [2][]byte, err error)
}

func newGGUFFiles(fsys fs.FS, model string) ggufFiles {
	return ggufFiles{fsys, sync.OnceValues(func() (made [2][]byte, err error) {
		file, err := gguf.OpenFS(fsys, model)
		if err != nil {
			return made, err
		}
		defer file.Close()
		made[0], made[1], err = file.TokenizerFiles()
		return made, err
	})}
}

// ReadFile implements fs.ReadFileFS.
func (f ggufFiles) ReadFile(name string) ([]byte, error) {
	at := slices.Index([]string{"tokenizer.json", "tokenizer_config.json"}, name)
	if at < 0 {
		return fs.ReadFile(f.FS, name)
	}
	made, err := f.tokenizer()
	return made[at], err
}

// Open implements fs.FS.
func (f ggufFiles) Open(name string) (fs.File, error) {
	if name != "tokenizer.json" && name != "tokenizer_config.json" {
		return f.FS.Open(name)
	}
	text, err := f.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &memoryFile{bytes.NewReader(text), name}, nil
}

// memoryFile is a file that exists in memory alone.
type memoryFile struct {
	*bytes.Reader
	name string
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }
