package train

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/tokenizers/learn"
)

// causalConfig is config.json of a TransformerLens model, with what the training gave.
type causalConfig struct {
	Layers        int     `json:"n_layers"`
	DModel        int     `json:"d_model"`
	Context       int     `json:"n_ctx"`
	DHead         int     `json:"d_head"`
	Heads         int     `json:"n_heads"`
	DMLP          int     `json:"d_mlp"`
	DVocab        int     `json:"d_vocab"`
	Activation    string  `json:"act_fn"`
	Normalization string  `json:"normalization_type"`
	Positions     string  `json:"positional_embedding_type"`
	Direction     string  `json:"attention_dir"`
	Epsilon       float64 `json:"eps"`
	Seed          uint64  `json:"seed"`
	Format        string  `json:"format"`
	Name          string  `json:"model_name"`
	Report
}

// Causal trains a SoLU model (https://transformer-circuits.pub/2022/solu) to predict the next token, on windows of the
// corpus with BOS in front, and writes it to opts.Out as TransformerLens lays such models out: config.json,
// model.safetensors in half precision, tokenizer.json and tokenizer_config.json. A run that was stopped goes on from
// its checkpoint, and ends with the same model.
func Causal(ctx context.Context, opts CausalOptions) (*Report, error) {
	tagged.Fill(&opts)
	s := opts.schedule()
	if err := s.check(opts.DModel, opts.Heads); err != nil {
		return nil, err
	}
	backend, info, err := backends.Open(s.backend)
	if err != nil {
		return nil, err
	}
	m, err := prepare(ctx, s, learn.NewByteLevelWords(), opts.Vocabulary, opts.Context, learn.ByteLevel)
	if err != nil {
		return nil, err
	}
	shape := causalShape(opts)
	parameters := causalParameters(shape)
	var machine machine
	if info.Name == backends.Go {
		model, err := gradient.NewSoLU(shape, params(parameters), balance)
		if err != nil {
			return nil, err
		}
		machine = newOnKernels(model, parameters)
	} else if machine, err = newGraphs(backend, parameters, causalObjective(shape), shards); err != nil {
		return nil, err
	}
	t := newTrainer(machine, parameters, opts.Seed)
	bos := int32(m.tokenizer.Special().BOS)
	if opts.Random {
		s.steps = 0
	}
	loss, err := t.run(ctx, s, m.fingerprint, s.batch*m.train.length, func(step int) []gradient.Part {
		picked := m.train.batch(s.seed, step, s.batch)
		var parts []gradient.Part
		for shard := range shards {
			n := len(picked) / shards
			parts = append(parts, causalBatch(m.train, picked[shard*n:(shard+1)*n], bos))
		}
		return parts
	})
	if err != nil {
		return nil, err
	}
	weights, err := t.weightsFile()
	if err != nil {
		return nil, err
	}
	report := &Report{Steps: t.done, Tokens: t.done * s.batch * m.train.length, Loss: loss}
	s.say("measuring on held-out windows")
	if err := t.judgeCausal(ctx, backend, shape, m.heldOut, s.heldOut, bos, report); err != nil {
		return nil, err
	}
	config := causalConfig{Layers: shape.Layers, DModel: shape.DModel, Context: shape.Positions, DHead: shape.DHead,
		Heads: shape.Heads,
		DMLP:  shape.DMLP, DVocab: shape.DVocab, Activation: shape.Activation, Normalization: "LN", Positions: "standard",
		Direction: "causal", Epsilon: shape.Epsilon, Seed: opts.Seed, Format: "transformer_lens", Name: opts.Name,
		Report: *report}
	return report, writeModel(s.out, weights, config, m.vocabulary, opts.Context)
}

// causalShape is the model that the options describe.
func causalShape(opts CausalOptions) transformer.Decoder {
	return transformer.Decoder{Layers: opts.Layers, DModel: opts.DModel, Heads: opts.Heads,
		DHead: opts.DModel / opts.Heads,
		DMLP:  opts.DMLP, DVocab: opts.Vocabulary, Positions: opts.Context, Activation: "solu_ln", Epsilon: 1e-5}
}

// causalObjective is the mean loss of predicting targets [batch·seq] after ids [batch, seq], with the balance as
// penalty.
func causalObjective(shape transformer.Decoder) objective {
	return func(w transformer.Weights, inputs []*Node) (loss, penalty *Node) {
		logits := causalLogits(shape, w, inputs[0], func(name string, x *Node) *Node {
			if strings.HasSuffix(name, "."+transformer.HookPre) {
				shares := ReduceMean(Softmax(x), 1) // [batch, d_mlp]
				uneven := MulScalar(ReduceAllMean(ReduceSum(Square(shares), -1)), balance*float64(shape.DMLP))
				if penalty != nil {
					uneven = Add(penalty, uneven)
				}
				penalty = uneven
			}
			return x
		})
		return transformer.CrossEntropy(logits, inputs[1]), penalty
	}
}

// causalLogits predicts after each of ids [batch, seq]: [batch·seq, d_vocab].
func causalLogits(shape transformer.Decoder, w transformer.Weights, ids *Node, hook transformer.Hook) *Node {
	x := shape.Embed(w, ids, nil, nil)
	for layer := range shape.Layers {
		x = shape.Block(w, layer, x, shape.Causal(layer), hook)
	}
	return shape.Unembed(w, Reshape(x, -1, shape.DModel), nil)
}

// balance is the weight of a loss that keeps a layer's neurons in use: d_mlp·Σp̄², where p̄ is the mean over a window
// of a neuron's share of SoLU's softmax (the load balancing of mixtures of experts, Shazeer et al. 2017,
// https://arxiv.org/abs/1701.06538, with the softmax as the router). Without it a neuron can come to win on every
// token, and its layer then adds a constant.
const balance = 2e-4

// neuronNorm is the norm of each neuron's input weights. SoLU's softmax lets a layer's neurons compete, and a neuron
// that never wins gets no gradient: left alone, its weights decay, until a few dozen winners hold each layer. Weights
// of equal norm (Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868) and no biases keep all of them in the
// game.
const neuronNorm = 2

// causalParameters says how each parameter starts: matrices so that they keep the scale of what they multiply, those
// that write to the residual stream smaller the more layers there are (Radford et al. 2019), norms as identities.
func causalParameters(shape transformer.Decoder) []parameter {
	var list []parameter
	for _, param := range shape.Parameters() {
		p := parameter{Param: param}
		name := param.Name[strings.LastIndexByte(param.Name, '.')+1:]
		switch {
		case name == "w":
			p.start = 1
		case name == "W_E" || name == "W_pos" || name == "W_U":
			p.spread = 0.02
		case name == "b_in":
			p.fixed = true
		case strings.HasPrefix(name, "W_"):
			p.muon = true
			p.spread = 0.5 / math.Sqrt(float64(fanIn(name, shape)))
			if name == "W_O" || name == "W_out" {
				p.spread /= math.Sqrt(2 * float64(shape.Layers))
			}
			if name == "W_in" {
				p.columnNorm = neuronNorm
			}
		}
		list = append(list, p)
	}
	return list
}

// fanIn is how many values a matrix sums for each of its results.
func fanIn(name string, shape transformer.Decoder) int {
	switch name {
	case "W_O":
		return shape.Heads * shape.DHead
	case "W_out":
		return shape.DMLP
	}
	return shape.DModel
}

// causalBatch is ids and targets of windows: the ids are BOS and the window but its last token, the targets the window.
func causalBatch(w *windows, picked []int, bos int32) gradient.Part {
	part := gradient.Part{Length: w.length}
	for _, i := range picked {
		window := w.at(i)
		part.IDs = append(append(part.IDs, bos), window[:w.length-1]...)
		part.Targets = append(part.Targets, window...)
	}
	return part
}

// judgeCausal measures loss and accuracy on held-out windows.
func (t *trainer) judgeCausal(ctx context.Context, backend compute.Backend, shape transformer.Decoder, w *windows,
	n int, bos int32, report *Report) error {
	picked := w.spread(n)
	var parts []gradient.Part
	for len(picked) > 0 {
		size := min(judged, len(picked))
		parts = append(parts, causalBatch(w, picked[:size], bos))
		picked = picked[size:]
	}
	return t.judge(ctx, backend, report, parts,
		func(w transformer.Weights, in []*Node) *Node { return causalLogits(shape, w, in[0], nil) })
}

// judged is how many windows are judged at a time.
const judged = 8

// judge measures the mean loss and how often the most probable entry is the target, over all parts. The weights are the
// trainer's own.
func (t *trainer) judge(ctx context.Context, backend compute.Backend, report *Report, parts []gradient.Part,
	predict func(w transformer.Weights, in []*Node) *Node) error {
	n := len(t.params)
	program, err := NewExec(backend, func(in []*Node) []*Node {
		logits, targets := predict(lookup(t.params, in), in[n:]), in[n+1]
		right := Equal(ArgMax(logits, -1, dtypes.Int32), targets)
		return []*Node{transformer.CrossEntropy(logits, targets), ReduceAllMean(ConvertDType(right, dtypes.Float32))}
	})
	if err != nil {
		return fmt.Errorf("building the measurement: %w", err)
	}
	var weights []*tensors.Tensor
	for i, p := range t.params {
		weights = append(weights, tensor(t.weights[i], p.Shape))
	}
	var loss, top float64
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("measuring on held-out text: %w", err)
		}
		out, err := program.Call(arguments(weights, inputs(part))...)
		if err != nil {
			return fmt.Errorf("measuring on held-out text: %w", err)
		}
		count := len(part.Targets)
		report.HeldOutTokens += count
		loss += float64(count) * float64(tensors.ToScalar[float32](out[0]))
		top += float64(count) * float64(tensors.ToScalar[float32](out[1]))
		release(out)
	}
	report.HeldOutLoss = loss / float64(report.HeldOutTokens)
	report.HeldOutTop1 = top / float64(report.HeldOutTokens)
	return nil
}
