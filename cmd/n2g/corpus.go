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

const corpusUsage = "`CORPUS` a folder or one file (text, JSON Lines, JSON, CSV, Parquet, Arrow, also compressed), " +
	"sample (Go source that is part of the program), or go (the Go toolchain's source tree)"

const fieldUsage = "`NAME` of the field of JSON objects, or the column of tables, that holds the text"

// openCorpus opens a corpus, and says what identifies it. Once it was read, report is what was read and left out; nil
// for those that are the program's own.
func openCorpus(name, field string) (source corpus.Source, identity string, report *corpus.Report, err error) {
	switch name {
	case sampleCorpus:
		return corpus.FS(tiny.Sample()), "the embedded sample", nil, nil
	case goCorpus:
		root, err := train.GoRoot()
		if err != nil {
			return nil, "", nil, err
		}
		return corpus.FS(os.DirFS(filepath.Join(root, "src"))), "the source tree of " + runtime.Version(), nil, nil
	}
	report = &corpus.Report{}
	if source, err = files.Open(name, files.Options{Field: field, Report: report}); err != nil {
		return nil, "", nil, err
	}
	if absolute, err := filepath.Abs(name); err == nil {
		name = absolute
	}
	return source, name, report, nil
}
