package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/sae"
	"github.com/neuron2graph/neuron2graph/models/train"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

func (a *app) trainSAE() *command {
	c := newCommand("train sae", "train a sparse auto-encoder on a hook point, whose features can be explained")
	c.long = `Trains a top-k sparse auto-encoder on the activations of a hook point over the build documents of an index, and writes it
as SAELens does, cfg.json and sae_weights.safetensors, for -sae of the other commands and for sae-lens. Features that stop firing learn
from what the others leave. In the end it is measured on test documents, as n2g sae does. Progress is kept in a checkpoint beside the
folder: a run that was stopped goes on from it when the same command is given again, and ends with the same weights.`
	c.examples = []string{
		`-site 'blocks.1.hook_resid_post' -out tiny-sae`,
		`-site 'blocks.1.mlp.hook_post' -features 2048 -k 24 -steps 20000 -out mlp-sae`,
		`-model smollm2 -index smollm2.n2g -site 'blocks.7.hook_resid_post' -features 4096 -k 32 -out smol-sae`,
	}
	ref, backend := modelFlag(c), backendFlag(c)
	path := saeIndexFlag(c)
	site := c.flags.String("site", "", "`SITE` the hook point to learn, such as blocks.1.hook_resid_post")
	skip := skipFlag(c)
	set := optflag.Add[train.SAEOptions](c.flags)
	c.run = func(ctx context.Context) error {
		options := train.SAEOptions{Progress: a.stderr}
		optflag.Apply(set, &options)
		if *skip < 0 {
			return fmt.Errorf("-skip is %d: it is at least 0", *skip)
		}
		if *site == "" {
			return errors.New("say what to learn with -site, such as blocks.1.hook_resid_post")
		}
		if !strings.HasSuffix(*site, "]") {
			*site += "[all]"
		}
		s, err := n2g.ParseSite(*site)
		if err != nil {
			return fmt.Errorf("-site: %w", err)
		}
		if s.Index != n2g.All || strings.ContainsAny(s.Hook, "-[") {
			return fmt.Errorf("-site names %s: an auto-encoder learns all numbers of a hook point, such as "+
				"blocks.1.hook_resid_post", s)
		}
		model, x, err := a.openWithIndex(*ref, *backend, *path)
		if err != nil {
			return err
		}
		defer model.Close()
		defer x.Close() // it is only read
		from, err := activationsOf(model, x, s, *skip)
		if err != nil {
			return err
		}
		report, err := train.SAE(ctx, options, from)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.text, "%s: %d steps, %d tokens; %.1f %% of the variance is left in the last steps, "+
			"%d features are dead\n",
			options.Out, report.Steps, report.Tokens, 100*report.Unexplained, report.Dead)
		trained, err := sae.Open(options.Out)
		if err != nil {
			return err
		}
		with, err := model.WithSAE(trained)
		if err != nil {
			return err
		}
		prompts, err := promptsOf(x, index.Test, measuredWindows)
		if err != nil || len(prompts) == 0 {
			return err
		}
		return a.measureSAE(ctx, with, prompts, *skip, false)
	}
	return c
}

// measuredWindows is how many windows an auto-encoder is measured on.
const measuredWindows = 64

func (a *app) saeCommand() *command {
	c := newCommand("sae", "measure how well a sparse auto-encoder keeps what it reads, and what the model loses by it")
	c.long = `Runs texts through the auto-encoder and prints the explained variance, L0 (features that fire at a token), the share of features
that never fire, and the loss of the next token: of the model, with the auto-encoder's output in place of what it reads, and with zeros there. The
texts are test documents of an index, which n2g train sae does not learn from, or a text.`
	c.examples = []string{
		`-sae tiny-sae`,
		`-model smollm2 -sae smol-sae -index smollm2.n2g -windows 200`,
		`-model gpt2 -sae gpt2-res-jb/blocks.8.hook_resid_pre -file book.txt -json`,
	}
	ref, backend := modelFlag(c), backendFlag(c)
	a.saeFlag(c)
	path := saeIndexFlag(c)
	source := textFlagsOf(c, "the text, cut where the model's context ends")
	windows := c.flags.Int("windows", measuredWindows, "`NUMBER` of windows of the index at most")
	skip := skipFlag(c)
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(ctx context.Context) error {
		switch {
		case *windows < 1:
			return fmt.Errorf("-windows is %d: it is at least 1", *windows)
		case *skip < 0:
			return fmt.Errorf("-skip is %d: it is at least 0", *skip)
		case source.given() && *path != "":
			return errors.New("give an index or a text, not both")
		case !source.given():
			model, x, err := a.openWithIndex(*ref, *backend, *path)
			if err != nil {
				return err
			}
			defer model.Close()
			defer x.Close() // it is only read
			prompts, err := promptsOf(x, index.Test, *windows)
			if err != nil {
				return err
			}
			if len(prompts) == 0 {
				return fmt.Errorf("%s has no test documents: give a text with -file", indexName(*path))
			}
			return a.measureSAE(ctx, model, prompts, *skip, *asJSON)
		}
		text, err := source.readUTF8(a)
		if err != nil {
			return err
		}
		model, err := a.openModel(*ref, *backend)
		if err != nil {
			return err
		}
		defer model.Close()
		prompts, err := windowsOfText(model, text)
		if err != nil {
			return err
		}
		return a.measureSAE(ctx, model, prompts, *skip, *asJSON)
	}
	return c
}

func saeIndexFlag(c *command) *string {
	return c.path(reads, "index", "", "`FILE` the index, made by n2g mine, whose texts are read (default: that of tiny, "+
		"which is part of the program)")
}

func skipFlag(c *command) *int {
	return c.flags.Int("skip", 1, "`NUMBER` leave out so many tokens at the beginning of each window: BOS, or without "+
		"BOS the first token, on which many models gather attention, in a row hundreds of times as long as others")
}

// openWithIndex opens a model and an index of texts in its tokens.
func (a *app) openWithIndex(ref, backend, path string) (*models.Causal, *index.Index, error) {
	model, err := a.openModel(ref, backend)
	if err != nil {
		return nil, nil, err
	}
	x, err := func() (*index.Index, error) {
		if path == "" && model.Name() != "tiny" {
			return nil, fmt.Errorf("say where texts of %s are: -index FILE, which n2g mine -model %[1]s makes", ref)
		}
		x, err := openIndex(path)
		if err != nil {
			return nil, err
		}
		return x, errors.Join(sameModel(x, model, path))
	}()
	if err != nil {
		model.Close()
		return nil, nil, err
	}
	return model, x, nil
}

// promptsOf are at most so many windows of a split as prompts.
func promptsOf(x *index.Index, split index.Split, most int) ([][]int, error) {
	windows, err := corpus.SplitWindows(x, split, most)
	if err != nil {
		return nil, err
	}
	prompts := make([][]int, len(windows))
	for i, w := range windows {
		if prompts[i], err = corpus.WindowPrompt(x, w); err != nil {
			return nil, err
		}
	}
	return prompts, nil
}

// windowsOfText cuts a text into prompts of the model's context.
func windowsOfText(model *models.Causal, text string) (prompts [][]int, err error) {
	ids, err := model.Tokenize(text)
	if err != nil {
		return nil, err
	}
	size, front := model.ContextLength(), []int(nil)
	if bos := model.BOS(); bos >= 0 {
		front = []int{bos}
		size--
	}
	for part := range slices.Chunk(ids, size) {
		prompts = append(prompts, slices.Concat(front, part))
	}
	return prompts, nil
}

// activationsOf are the rows of a hook point on the build documents of an index.
func activationsOf(model *models.Causal, x *index.Index, site n2g.Site, skip int) (train.Activations, error) {
	hook := site.Hook
	if hook == "" {
		hook = model.DefaultHook()
	}
	width, err := model.Width(site.Layer, hook)
	if err != nil {
		return train.Activations{}, err
	}
	identity, err := model.Fingerprint()
	if err != nil {
		return train.Activations{}, err
	}
	windows, err := corpus.SplitWindows(x, index.Build, 0)
	if err != nil {
		return train.Activations{}, err
	}
	// What is too short to have a token left is no window to learn from.
	bos := min(1, x.Meta().BOS+1)
	windows = slices.DeleteFunc(windows, func(w index.Window) bool { return w.End-w.First+bos <= skip })
	return train.Activations{
		Layer: site.Layer, Hook: fullHook(hook), Width: width, Model: model.Name(), Windows: len(windows),
		Tokens:      x.Meta().Window,
		Fingerprint: fmt.Sprintf("%s, corpus %s, behind %d tokens", identity, x.Meta().CorpusDigest, skip),
		Read: func(ctx context.Context, picked []int) ([]float32, error) {
			var rows []float32
			for part := range slices.Chunk(picked, measuredWindows) {
				prompts := make([][]int, len(part))
				for i, w := range part {
					if prompts[i], err = corpus.WindowPrompt(x, windows[w]); err != nil {
						return nil, err
					}
				}
				values, err := model.LayerActivations(ctx, site.Layer, hook, prompts)
				if err != nil {
					return nil, err
				}
				for _, prompt := range values {
					for _, row := range prompt[min(skip, len(prompt)):] {
						rows = append(rows, row...)
					}
				}
			}
			return rows, nil
		},
	}, nil
}

// fullHook is a hook point by TransformerLens's name.
func fullHook(hook string) string {
	name := n2g.Site{Hook: hook}.String()
	return strings.TrimSuffix(strings.TrimPrefix(name, "blocks.0."), "[0]")
}

// saeOutput is what n2g sae -json prints.
type saeOutput struct {
	Site         string `json:"site"`
	Architecture string `json:"architecture"`
	Features     int    `json:"features"`
	Skipped      int    `json:"skipped"` // positions at the beginning of each window
	sae.Quality
	models.Splice
	Recovered float64 `json:"loss_recovered"`
}

func (a *app) measureSAE(ctx context.Context, model *models.Causal, prompts [][]int, skip int, asJSON bool) error {
	progress := a.progress(len(prompts))
	quality, splice, err := model.MeasureSAE(ctx, prompts, skip,
		func(done int) { progress.update(done, "measuring, windows") })
	progress.end()
	if err != nil {
		return err
	}
	s := model.SAE()
	out := saeOutput{Site: fmt.Sprintf("blocks.%d.%s", s.Layer, s.Hook), Architecture: s.Architecture,
		Features: s.Features, Skipped: skip, Quality: quality, Splice: splice, Recovered: splice.Recovered()}
	if asJSON {
		return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
	}
	return a.print(func(w io.Writer) error {
		_, err := fmt.Fprintf(w, `%s, %d features of %s, over %d tokens of %d windows
explained variance  %.4f
L0                  %.1f
never fire          %.1f %% of features
loss                %.4f nats a token; %.4f with its output spliced in, %.4f with zeros: %.1f %% recovered
`, out.Architecture, out.Features, out.Site, out.Rows, len(prompts), out.Explained, out.L0, 100*out.Dead, out.Loss,
			out.Spliced, out.Zero, 100*out.Recovered)
		return err
	})
}
