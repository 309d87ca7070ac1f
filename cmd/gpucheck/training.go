package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/models/train"
)

// checkTraining is the part that trains a small model for some steps, and compares its losses with those on the pure Go
// backend. The text is the embedded sample.
func checkTraining(ctx context.Context, s settings, found func(finding) error) (err error) {
	folder, err := os.MkdirTemp("", "gpucheck")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	// Which files are held out depends on their paths. Under their own, all of the sample are; not so under another.
	texts := filepath.Join(folder, "texts")
	if err := copyTexts(tiny.Sample(), filepath.Join(texts, "sample")); err != nil {
		return err
	}
	t := newTally("training, 6 steps: losses", "backend go", trainingTolerance)
	var losses [2][]float32
	for i, backend := range []string{backends.Go, s.backend} {
		report, err := train.Causal(ctx, train.CausalOptions{
			Out: filepath.Join(folder, string(rune('a'+i))), Corpus: texts, Backend: backend, Steps: 6, Batch: 4, Context: 64,
			Layers: 2, DModel: 64, DMLP: 256, Heads: 2, Vocabulary: 512, WarmUp: 3, HeldOut: 8,
		})
		if err != nil {
			return err
		}
		losses[i] = []float32{float32(report.Loss), float32(report.HeldOutLoss)}
	}
	t.compare("loss and held-out loss", losses[1], losses[0])
	return found(t.finding())
}

// copyTexts copies a file system's files into a folder.
func copyTexts(from fs.FS, to string) error {
	return fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		path := filepath.Join(to, filepath.FromSlash(name))
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o600))
	})
}
