// Remake trains the embedded models anew, on the Go toolchain of this machine, and writes everything that package tiny
// embeds. Run it as `go generate ./models/tiny`; it takes about an hour on two cores. What is stopped goes on from its
// checkpoint, under models/tiny.
//
// With -examples it only looks for the texts that excite each neuron most.
package main

import (
	"bytes"
	"compress/gzip"
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
)

func main() {
	folder := flag.String("folder", ".", "folder of package tiny")
	backend := flag.String("backend", "go", "what computes")
	examples := flag.Bool("examples", false, "keep the models, find the examples")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := remake(ctx, *folder, *backend, *examples); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func remake(ctx context.Context, folder, backend string, onlyExamples bool) error {
	causal, masked := filepath.Join(folder, "causal"), filepath.Join(folder, "masked")
	if !onlyExamples {
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
	return writeExamples(ctx, folder, causal, backend)
}

// writeExamples mines the sample for the examples of every neuron.
func writeExamples(ctx context.Context, folder, causal, backend string) error {
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
	index, err := corpus.Mine(ctx, model, layers, model.DefaultHook(), corpus.FS(texts), corpus.Options{
		Progress: func(windows int) { fmt.Fprintf(os.Stderr, "\r%d windows", windows) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr)
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := errors.Join(index.Write(writer), writer.Close()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "examples.json.gz"), packed.Bytes(), 0o644)
}
