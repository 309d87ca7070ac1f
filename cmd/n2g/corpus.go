package main

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/models/train"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
)

// Corpora that have a name. A folder of such a name is ./sample or ./go.
const (
	sampleCorpus = "sample"
	goCorpus     = "go"
)

const corpusUsage = "`CORPUS` a folder of texts or one file (text, .jsonl, .parquet, also .gz and .zst), sample (Go source that is part of the program), or go (the Go toolchain's source tree)"

// openCorpus opens a corpus, and says what identifies it.
func openCorpus(name, field string) (source corpus.Source, identity string, err error) {
	switch name {
	case sampleCorpus:
		return corpus.FS(tiny.Sample()), "the embedded sample", nil
	case goCorpus:
		root, err := train.GoRoot()
		if err != nil {
			return nil, "", err
		}
		return corpus.FS(os.DirFS(filepath.Join(root, "src"))), "the source tree of " + runtime.Version(), nil
	}
	if source, err = files.Open(name, files.Options{Field: field}); err != nil {
		return nil, "", err
	}
	if absolute, err := filepath.Abs(name); err == nil {
		name = absolute
	}
	return source, name, nil
}
