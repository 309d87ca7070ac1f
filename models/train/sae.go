package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// SAEOptions says how a sparse auto-encoder is trained. The zero value of every field but Out is a small one for a
// small model; the tags name the command line's flags.
type SAEOptions struct {
	Out          string  `json:"-" flag:"out" help:"FOLDER that gets the auto-encoder; its checkpoint lies beside it"`
	Features     int     `json:"features" flag:"features" default:"1024" help:"features to learn"`
	K            int     `json:"k" flag:"k" default:"16" help:"features that stay of each token, the highest"`
	Steps        int     `json:"-" flag:"steps" default:"5000" help:"optimizer steps"`
	Batch        int     `json:"batch" flag:"batch" default:"1024" help:"tokens a step"`
	LearningRate float64 `json:"learning_rate" flag:"learning-rate" default:"0.001" help:"peak learning rate"`
	WarmUp       int     `json:"warm_up" flag:"warm-up" default:"100" help:"steps until the peak learning rate"`
	Decay        int     `json:"-" flag:"decay" help:"last steps in which the learning rate falls from its peak to zero; 0: half a cosine over all steps"`
	Dead         int     `json:"dead" flag:"dead" default:"100" help:"steps without firing after which a feature counts as dead, and learns from what the others leave"`
	Buffer       int     `json:"buffer" flag:"buffer" default:"256" help:"MiB of activations that are held and mixed at a time"`
	Seed         uint64  `json:"seed" flag:"seed" default:"1" help:"seed of the first weights and of the order of the tokens"`
	Checkpoint   int     `json:"-" flag:"checkpoint" default:"500" help:"steps between checkpoints"`
	Half         bool    `json:"-" flag:"half" help:"write the weights in half precision, in half the bytes"`

	// Progress gets a progress bar if it is a terminal, and a line every now and then if it is not; nil is silence.
	Progress io.Writer `json:"-"`
}

// Activations are what an auto-encoder learns from: the rows of a hook point on windows of text.
type Activations struct {
	Layer int
	Hook  string // without its layer: hook_resid_post
	Width int    // numbers of a row
	Model string // its name, for the auto-encoder's configuration
	// Fingerprint tells model and texts from others: a checkpoint is taken up only where it is the same.
	Fingerprint string
	Windows     int
	Tokens      int // of a window at most
	// Read gives the rows of some windows, [row, Width], one window after the other: always the same for the same ones.
	Read func(ctx context.Context, windows []int) ([]float32, error)
}

// SAEReport says how the training of an auto-encoder ended.
type SAEReport struct {
	Steps  int
	Tokens int // seen, repetitions included
	// Unexplained is the share of the variance that the reconstruction leaves, in the last steps.
	Unexplained float64
	Dead        int // features that did not fire in the last SAEOptions.Dead steps
}

// SAE trains a top-k auto-encoder (Gao et al. 2024, https://arxiv.org/abs/2406.04093): of each row the k highest
// features stay, and what they miss is the loss, Σ|x - x̂|² / Σ|x - mean|². Features that have not fired for a while
// learn, with a 32nd of the weight, to give what the others leave of a row, so that few stay dead. It writes opts.Out
// as SAELens lays auto-encoders out. Rows are scaled to a mean length of √Width while it trains, and rows of W_dec have
// length 1: a feature's activation is the length of what it stands for.
//
// A run that was stopped goes on from its checkpoint, and ends with the same weights, bit for bit.
func SAE(ctx context.Context, opts SAEOptions, from Activations) (*SAEReport, error) {
	tagged.Fill(&opts)
	s := schedule{out: opts.Out, steps: opts.Steps, batch: opts.Batch, rate: opts.LearningRate, warmUp: opts.WarmUp,
		decay: opts.Decay, seed: opts.Seed, checkpoint: opts.Checkpoint, progress: opts.Progress, options: opts}
	switch err := s.checkSteps(); {
	case err != nil:
		return nil, err
	case opts.K > opts.Features:
		return nil, fmt.Errorf("%d features cannot stay of %d: choose a smaller k", opts.K, opts.Features)
	case from.Windows == 0:
		return nil, errors.New("there is no text to learn from: the index has no build documents")
	}
	m := newSAEMachine(ctx, opts, from)
	t := newTrainer(m, saeParameters(opts.Features, from.Width), opts.Seed)
	if err := m.checkOut(s.out); err != nil {
		return nil, err
	}
	loss, err := t.run(ctx, s, fmt.Sprintf("blocks.%d.%s of %s", from.Layer, from.Hook, from.Fingerprint), opts.Batch,
		func(int) []gradient.Part { return nil })
	if err != nil {
		return nil, err
	}
	w := m.of(t)
	weights := sae.Weights{
		Layer: from.Layer, Hook: from.Hook, Model: from.Model, Width: from.Width, Features: opts.Features, K: opts.K,
		Half: opts.Half, Encoder: w.encoder, EncoderBias: w.encoderBias, Decoder: w.decoder, DecoderBias: w.decoderBias,
	}
	scale(w.encoderBias, 1/w.scales[0])
	scale(w.decoderBias, 1/w.scales[0])
	if err := weights.Write(s.out); err != nil {
		return nil, err
	}
	report := &SAEReport{Steps: t.done, Tokens: t.done * opts.Batch, Unexplained: loss}
	for _, quiet := range w.quiet {
		if int(quiet) >= opts.Dead {
			report.Dead++
		}
	}
	return report, nil
}

// The parameters of an auto-encoder, by place. W_enc is transposed, so that both matrices have a row a feature.
const (
	saeEncoder = iota
	saeEncoderBias
	saeDecoder
	saeDecoderBias
	saeQuiet  // of each feature, the steps since it fired
	saeScales // what a row is multiplied by, and the mean squared distance of such a row from their mean
)

func saeParameters(features, width int) []parameter {
	named := func(name string, shape ...int) parameter {
		return parameter{Param: transformer.Param{Name: name, Shape: shape}}
	}
	return []parameter{
		named("W_enc", features, width), named("b_enc", features), named("W_dec", features, width), named("b_dec", width),
		named("quiet", features), named("scales", 2),
	}
}

// saeWeights are a trainer's parameters by name.
type saeWeights struct {
	encoder, encoderBias, decoder, decoderBias, quiet, scales []float32
}

func (m *saeMachine) of(t *trainer) saeWeights {
	w := t.weights
	return saeWeights{w[saeEncoder], w[saeEncoderBias], w[saeDecoder], w[saeDecoderBias], w[saeQuiet], w[saeScales]}
}

// checkOut refuses an output folder that cannot be one, before the work and not after it.
func (m *saeMachine) checkOut(out string) error {
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file: name a folder for the auto-encoder (-out)", out)
	}
	return nil
}

// begin draws the first weights: directions by chance, the encoder's those of the decoder, around the mean row.
func (m *saeMachine) begin(t *trainer) error {
	if err := m.fill(0); err != nil {
		return err
	}
	w, d := m.of(t), m.from.Width
	mean, length := make([]float64, d), 0.0
	n := len(m.rows) / d
	for i := range n {
		squares := 0.0
		for k, v := range m.rows[i*d : (i+1)*d] {
			mean[k] += float64(v) / float64(n)
			squares += float64(v) * float64(v)
		}
		length += math.Sqrt(squares) / float64(n)
	}
	variance := 0.0
	for i, v := range m.rows {
		variance += (float64(v) - mean[i%d]) * (float64(v) - mean[i%d]) / float64(n)
	}
	if !(variance > 0) || math.IsInf(variance, 0) {
		return fmt.Errorf("%s of layer %d has the variance %g: there is nothing to learn", m.from.Hook, m.from.Layer,
			variance)
	}
	by := math.Sqrt(float64(d)) / length
	w.scales[0], w.scales[1] = float32(by), float32(variance*by*by)
	for k, v := range mean {
		w.decoderBias[k] = float32(v * by)
	}
	r := rand.New(rand.NewPCG(m.opts.Seed, 1<<33))
	for i := range w.decoder {
		w.decoder[i] = float32(r.NormFloat64())
	}
	for f := range m.opts.Features {
		unit(w.decoder[f*d : (f+1)*d])
	}
	copy(w.encoder, w.decoder)
	clear(w.encoderBias)
	clear(w.quiet)
	return nil
}

// unit scales x to length 1.
func unit(x []float32) {
	squares := 0.0
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	if squares > 0 {
		scale(x, float32(1/math.Sqrt(squares)))
	}
}
