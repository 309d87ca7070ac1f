package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// explained is how fast the whole method runs.
type explained struct {
	Model, Backend string // an empty backend is the one that is checked
	Neurons        int
	// seconds for so many neurons: the first, for which programs are compiled, and the next; 0 if left out
	First, Later float64
}

// neuronsAtOnce are explained side by side, as a run does; if the first took longer than patience, no more are.
const (
	neuronsAtOnce = 6
	patience      = 45 * time.Second
)

// measureExplain is the part that explains neurons of a model of random weights, spread over its layers. Its examples
// are pieces of the embedded texts; a small golden model varies them.
func measureExplain(sm speedModel, backend string) func(context.Context, settings, func(finding) error) error {
	return func(ctx context.Context, s settings, found func(finding) error) (err error) {
		folder, err := os.MkdirTemp("", "gpucheck")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		shape, count, prompts := sm.shape, neuronsAtOnce, 20
		if s.quick {
			shape, count, prompts = sm.quick(), 2, 4
			shape.DVocab = 5000 // more than the tokenizer has
		}
		config, shapes := sm.model(shape)
		if err := writeRandom(folder, config, shapes); err != nil {
			return err
		}
		for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
			text, err := os.ReadFile(filepath.Join(s.golden, "solu", name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
				return err
			}
		}
		options := models.Options{Backend: cmp.Or(backend, s.backend)}
		model, err := models.Open(folder, options)
		if err != nil {
			return err
		}
		defer model.Close()
		masked, err := models.OpenMasked(filepath.Join(s.golden, "distilbert"), options)
		if err != nil {
			return err
		}
		defer masked.Close()
		texts, err := pieces(tiny.Sample(), prompts)
		if err != nil {
			return err
		}
		result := explained{Model: sm.name, Backend: backend, Neurons: count}
		for pass, seconds := range []*float64{&result.First, &result.Later} {
			began := time.Now()
			if err := explainSome(ctx, model, masked, texts, pass*count, count); err != nil {
				return err
			}
			*seconds = time.Since(began).Seconds()
			if result.First > patience.Seconds() {
				break
			}
		}
		return found(finding{Explained: &result})
	}
}

// explainSome explains neurons side by side.
func explainSome(ctx context.Context, model *models.Causal, masked *models.Masked, texts []string,
	first, count int) error {
	failures := make([]error, count)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			examples := n2g.Examples{Site: n2g.Site{Layer: i % model.Config().Layers, Index: first + i}, Prompts: texts}
			_, failures[i] = n2g.Explain(ctx, model, masked, examples, n2g.Options{})
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// pieces cuts a piece out of the middle of each of some files.
func pieces(texts fs.FS, count int) ([]string, error) {
	const length = 420 // bytes, about 128 tokens
	var list []string
	err := fs.WalkDir(texts, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(texts, name)
		if middle := len(text) / 2; err == nil && len(text) > 4*length {
			list = append(list, strings.ToValidUTF8(string(text[middle:middle+length]), ""))
		}
		if err == nil && len(list) == count {
			return fs.SkipAll
		}
		return err
	})
	if err == nil && len(list) < count {
		err = fmt.Errorf("only %d of the embedded texts are long enough", len(list))
	}
	return list, err
}
