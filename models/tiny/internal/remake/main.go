// Remake trains the embedded models anew, on the Go toolchain of this machine, and writes everything that package tiny
// embeds. Run it as `go generate ./models/tiny`; it takes about an hour on two cores. What is stopped goes on from its
// checkpoint, under models/tiny.
//
// With -index it only indexes the sample.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/models/train"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

func main() {
	folder := flag.String("folder", ".", "folder of package tiny")
	backend := flag.String("backend", "go", "what computes")
	onlyIndex := flag.Bool("index", false, "keep the models, index the sample")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := remake(ctx, *folder, *backend, *onlyIndex); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func remake(ctx context.Context, folder, backend string, onlyIndex bool) error {
	causal, masked := filepath.Join(folder, "causal"), filepath.Join(folder, "masked")
	if !onlyIndex {
		if _, err := train.Causal(ctx, train.CausalOptions{Out: causal, Backend: backend, Progress: os.Stderr}); err != nil {
			return err
		}
		if _, err := train.Masked(ctx, train.MaskedOptions{Out: masked, Backend: backend, Progress: os.Stderr}); err != nil {
			return err
		}
		var sample bytes.Buffer
		if err := train.Sample(ctx, "", &sample); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "sample.zip"), sample.Bytes(), 0o644); err != nil {
			return err
		}
		// The trainings are over: what they could be taken up from is of no more use.
		if err := errors.Join(os.Remove(train.CheckpointPath(causal)), os.Remove(train.CheckpointPath(masked))); err != nil {
			return err
		}
	}
	return writeIndex(ctx, folder, causal, backend)
}

// dense is the share of tokens up to which a quarter of a neuron's maximum is kept: what context graphs are learned
// from. Neurons that reach it on more keep the postings of their top examples.
const dense = 0.002

// writeIndex mines the sample, and keeps what is known of all tokens and the postings of neurons that are not dense.
func writeIndex(ctx context.Context, folder, causal, backend string) error {
	model, err := models.OpenFS(os.DirFS(causal), tiny.Name, models.Options{Backend: backend})
	if err != nil {
		return err
	}
	defer model.Close()
	sample, err := os.ReadFile(filepath.Join(folder, "sample.zip"))
	if err != nil {
		return err
	}
	texts, err := tiny.ReadSample(sample)
	if err != nil {
		return err
	}
	layers := make([]int, model.Config().Layers)
	for i := range layers {
		layers[i] = i
	}
	whole := filepath.Join(folder, "whole.n2g")
	err = corpus.Mine(ctx, model, layers, nil, corpus.FS(texts), whole, corpus.Options{
		Corpus:   "the embedded sample",
		Progress: func(done, windows int) { fmt.Fprintf(os.Stderr, "\r%d of %d windows", done, windows) },
	})
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return err
	}
	x, err := index.Open(whole)
	if err != nil {
		return err
	}
	small, err := index.Thin(x, index.Options{Keep: 1e-9, Dense: dense, SampleEvery: -1, NoSuffixes: true})
	if err := errors.Join(err, x.Close(), os.Remove(whole)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "index.n2g"), small, 0o644)
}
