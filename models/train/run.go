package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/tokenizers"
	"github.com/neuron2graph/neuron2graph/tokenizers/learn"
)

// Report says how a training ended.
type Report struct {
	Steps       int     `json:"train_steps"`
	Tokens      int     `json:"train_tokens"`        // seen, repetitions included
	Loss        float64 `json:"train_loss,omitzero"` // of the last steps, nats a predicted token; 0: there were none
	HeldOutLoss float64 `json:"heldout_loss"`        // nats a predicted token, of the half-precision weights as written
	// HeldOutTop1 is how often the most probable entry is the right one; causal: the next token, masked: the masked one.
	HeldOutTop1   float64 `json:"heldout_top1"`
	HeldOutTokens int     `json:"heldout_tokens"` // predicted for the two figures
}

// shards is in how many parts a batch is computed side by side, each on one core where the processor computes. It is
// part of what a result depends on, hence no option.
const shards = 2

// material is a corpus in a form to train on.
type material struct {
	vocabulary     *learn.Vocabulary
	tokenizer      tokenizers.Tokenizer
	train, heldOut *windows
	fingerprint    string
}

// prepare learns a vocabulary from the train part of the corpus and encodes both parts.
func prepare(ctx context.Context, s schedule, words *learn.Words, size, length int,
	grow func(context.Context, *learn.Words, learn.Options) (*learn.Vocabulary, error)) (*material, error) {
	corpus, err := OpenCorpus(s.corpus)
	if err != nil {
		return nil, err
	}
	m := &material{}
	if m.fingerprint, err = corpus.Fingerprint(); err != nil {
		return nil, err
	}
	s.say("learning a vocabulary of %d entries", size)
	for name, text := range corpus.Texts(false) {
		if err := errors.Join(text.Err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("counting words, at %s: %w", name, err)
		}
		words.Add(text.Body)
	}
	if m.vocabulary, err = grow(ctx, words, learn.Options{Size: size}); err != nil {
		return nil, err
	}
	if got := len(m.vocabulary.Tokens); got != size {
		return nil, fmt.Errorf("the corpus is too small for a vocabulary of %d entries: it gives %d; ask for fewer", size,
			got)
	}
	file, err := m.vocabulary.TokenizerJSON()
	if err != nil {
		return nil, err
	}
	config, err := m.vocabulary.ConfigJSON(length)
	if err != nil {
		return nil, err
	}
	if m.tokenizer, err = tokenizers.Parse(file, config); err != nil {
		return nil, fmt.Errorf("reading the vocabulary just learned: %w", err)
	}
	s.say("encoding the corpus")
	// A causal window begins with BOS in place of its last token; a masked one gets [CLS] and [SEP] around it.
	end, cut := -1, length-2
	if bos := m.tokenizer.Special().BOS; bos >= 0 {
		end, cut = bos, length
	}
	if m.train, err = tokenize(ctx, corpus, false, m.tokenizer, end, cut); err != nil {
		return nil, err
	}
	m.heldOut, err = tokenize(ctx, corpus, true, m.tokenizer, end, cut)
	return m, err
}

// run trains until the last step, taking up the checkpoint beside the output folder if there is one. What it learns
// from has a fingerprint, a step so many tokens. It returns the mean loss of the last steps.
func (t *trainer) run(ctx context.Context, s schedule, fingerprint string, tokens int,
	parts func(step int) []gradient.Part) (float64, error) {
	made, err := json.Marshal(s.options)
	if err != nil {
		return 0, fmt.Errorf("describing the run: %w", err)
	}
	run := string(made) + " on " + fingerprint
	path := CheckpointPath(s.out)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, fmt.Errorf("making the folder of the checkpoint: %w", err)
	}
	if s.steps == 0 { // the first weights, whatever was trained there
		return 0, nil
	}
	if err := t.takeUp(s, path, run); err != nil {
		return 0, err
	}
	progress := newProgress(s.progress, t.done, s.steps, tokens)
	defer progress.close()
	for t.done < s.steps {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("stopped after step %d of %d; %s: %w", t.done, s.steps, s.goOn(t.done),
				errors.Join(err, t.save(path, run, s.decayStart())))
		}
		if t.done == s.decayStart() {
			if err := t.save(stablePath(s.out), run, -1); err != nil {
				return 0, err
			}
		}
		rate := s.learningRate(t.done)
		loss, err := t.step(parts(t.done), rate)
		if err != nil {
			return 0, err
		}
		progress.step(loss)
		if t.done%s.checkpoint == 0 || t.done == s.steps {
			if err := t.save(path, run, s.decayStart()); err != nil {
				return 0, err
			}
		}
	}
	return progress.loss(), nil
}

// takeUp goes on from the checkpoint at path, where there is one. Weights whose learning rate has fallen towards
// another end than this run's are of no use for a longer one: then it goes on from those before the fall.
func (t *trainer) takeUp(s schedule, path, run string) error {
	found, decay, err := t.resume(path, run)
	if err != nil || !found {
		return err
	}
	if decay >= 0 && t.done > decay && decay != s.decayStart() {
		stable := stablePath(s.out)
		if found, _, err := t.resume(stable, run); err != nil {
			return err
		} else if !found {
			return fmt.Errorf("in the checkpoint %s the learning rate has been falling since step %d, and the weights before "+
				"that, %s, are gone: "+
				"give the -steps and -decay that it was made with, or remove it to begin anew", path, decay, stable)
		}
		s.say("the learning rate of the checkpoint has fallen already: going on from where it began to")
	}
	s.say("resuming after step %d", t.done)
	return nil
}

// decayStart is the step at which the learning rate begins to fall from its peak; -1 where it follows a cosine.
func (s schedule) decayStart() int {
	if s.decay == 0 {
		return -1
	}
	return s.steps - s.decay
}

// goOn says what to do after a stop at a step.
func (s schedule) goOn(done int) string {
	if start := s.decayStart(); done < start {
		return fmt.Sprintf("run the same command to go on, or with -steps %d to end with the %d steps in which the "+
			"learning rate falls", done+s.decay, s.decay)
	}
	return "run the same command to go on"
}

// stablePath is where the weights lie from which a longer training goes on: those before the learning rate fell.
func stablePath(out string) string { return filepath.Clean(out) + ".stable.safetensors" }

// CheckpointPath is where the checkpoint of a training with that output folder lies.
func CheckpointPath(out string) string { return filepath.Clean(out) + ".checkpoint.safetensors" }

// say writes a line where progress goes.
func (s schedule) say(format string, args ...any) {
	if s.progress != nil {
		fmt.Fprintf(s.progress, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
	}
}

// weightsFile is model.safetensors in half precision. The trainer's weights become what the file holds, so that figures
// measured afterwards are those of the file.
func (t *trainer) weightsFile() ([]byte, error) {
	if err := t.machine.read(t); err != nil {
		return nil, err
	}
	list := make([]safetensors.Tensor, len(t.params))
	for i, p := range t.params {
		list[i] = safetensors.Tensor{Name: p.Name, DType: safetensors.F16, Shape: p.Shape, Data: t.weights[i]}
	}
	var text strings.Builder
	if err := safetensors.Write(&text, list, map[string]string{"format": "pt"}); err != nil {
		return nil, fmt.Errorf("encoding the weights: %w", err)
	}
	data := []byte(text.String())
	file, err := safetensors.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the weights back: %w", err)
	}
	for i, p := range t.params {
		if err := file.Float32s(p.Name, t.weights[i]); err != nil {
			return nil, fmt.Errorf("reading the weights back: %w", err)
		}
	}
	t.machine.written()
	return data, nil
}

// writeModel writes the model folder: weights, configuration, tokenizer.
func writeModel(out string, weights []byte, config any, vocabulary *learn.Vocabulary, context int) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("making the model's folder: %w", err)
	}
	configuration, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		return fmt.Errorf("encoding config.json: %w", err)
	}
	tokenizer, err := vocabulary.TokenizerJSON()
	if err != nil {
		return err
	}
	tokenizerConfig, err := vocabulary.ConfigJSON(context)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"tokenizer.json", tokenizer},
		{"tokenizer_config.json", tokenizerConfig},
		{"config.json", append(configuration, '\n')},
		{"model.safetensors", weights},
	} {
		err := writeAtomically(filepath.Join(out, file.name), func(w io.Writer) error {
			_, err := w.Write(file.data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
