package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/tokenizers"
	"github.com/neuron2graph/neuron2graph/tokenizers/learn"
)

// maskedConfig is config.json of a DistilBERT model, with what the training gave.
type maskedConfig struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	Activation    string   `json:"activation"`
	Layers        int      `json:"n_layers"`
	Heads         int      `json:"n_heads"`
	DModel        int      `json:"dim"`
	DMLP          int      `json:"hidden_dim"`
	DVocab        int      `json:"vocab_size"`
	Positions     int      `json:"max_position_embeddings"`
	Padding       int      `json:"pad_token_id"`
	Sinusoidal    bool     `json:"sinusoidal_pos_embds"`
	Tied          bool     `json:"tie_word_embeddings"`
	DType         string   `json:"torch_dtype"`
	Seed          uint64   `json:"seed"`
	Name          string   `json:"_name_or_path"`
	Report
}

// Of the tokens of a window 30 % are predicted; of these 80 % are replaced by [MASK], 10 % by any entry, and 10 % stay
// (Devlin et al. 2019, section 3.1). BERT predicts 15 %; Wettig et al. 2023 (https://arxiv.org/abs/2202.08005) find up
// to 40 % better, and a short training gains from twice as many predictions for the same work.
const (
	predictedShare = 0.3
	maskedShare    = 0.8
	replacedShare  = 0.1
)

// bertEpsilon is the constant of BERT's LayerNorms.
const bertEpsilon = 1e-12

// Masked trains a DistilBERT model to predict masked tokens on windows of the corpus between [CLS] and [SEP], and
// writes it to opts.Out as Hugging Face lays such models out: config.json, model.safetensors in half precision,
// tokenizer.json and tokenizer_config.json. A run that was stopped goes on from its checkpoint, and ends with the same
// model.
func Masked(ctx context.Context, opts MaskedOptions) (*Report, error) {
	tagged.Fill(&opts)
	s := opts.schedule()
	if err := s.check(opts.DModel, opts.Heads); err != nil {
		return nil, err
	}
	backend, info, err := backends.Open(s.backend)
	if err != nil {
		return nil, err
	}
	m, err := prepare(ctx, s, learn.NewBERTWords(), opts.Vocabulary, opts.Context, learn.WordPiece)
	if err != nil {
		return nil, err
	}
	shape := maskedShape(opts)
	parameters := maskedParameters(shape)
	var machine machine
	if info.Name == backends.Go {
		model, err := gradient.NewBERT(shape, params(parameters))
		if err != nil {
			return nil, err
		}
		machine = newOnKernels(model, parameters)
	} else if machine, err = newGraphs(backend, parameters, maskedObjective(shape), shards); err != nil {
		return nil, err
	}
	t := newTrainer(machine, parameters, opts.Seed)
	masker := newMasker(m.tokenizer, opts.Vocabulary, m.train.length)
	loss, err := t.run(ctx, s, m.fingerprint, s.batch*m.train.length, func(step int) []gradient.Part {
		picked := m.train.batch(s.seed, step, s.batch)
		random := rand.New(rand.NewPCG(opts.Seed, uint64(step)))
		var parts []gradient.Part
		for shard := range shards {
			n := len(picked) / shards
			parts = append(parts, masker.batch(m.train, picked[shard*n:(shard+1)*n], random, maskedShare, replacedShare))
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
	// What is measured is what the model is for: every token asked for is masked.
	random := rand.New(rand.NewPCG(0, 0))
	var parts []gradient.Part
	for picked := range slices.Chunk(m.heldOut.spread(s.heldOut), judged) {
		parts = append(parts, masker.batch(m.heldOut, picked, random, 1, 0))
	}
	err = t.judge(ctx, backend, report, parts,
		func(w transformer.Weights, in []*Node) *Node { return maskedLogits(shape, w, in[0], in[2]) })
	if err != nil {
		return nil, err
	}
	config := maskedConfig{ModelType: "distilbert", Architectures: []string{"DistilBertForMaskedLM"},
		Activation: shape.Activation,
		Layers:     shape.Layers, Heads: shape.Heads, DModel: shape.DModel, DMLP: shape.DMLP, DVocab: shape.DVocab,
		Positions: shape.Positions, Tied: true, DType: "float16", Seed: opts.Seed, Name: opts.Name, Report: *report}
	return report, writeModel(s.out, weights, config, m.vocabulary, opts.Context)
}

// maskedShape is the model that the options describe.
func maskedShape(opts MaskedOptions) transformer.BERT {
	return transformer.BERT{Layers: opts.Layers, Heads: opts.Heads, DModel: opts.DModel, DMLP: opts.DMLP,
		DVocab: opts.Vocabulary, Positions: opts.Context, Epsilon: bertEpsilon, Activation: "gelu"}
}

// maskedObjective is the mean loss of predicting targets [n] at places [n, 2] of ids [batch, seq].
func maskedObjective(shape transformer.BERT) objective {
	return func(w transformer.Weights, in []*Node) (loss, penalty *Node) {
		return transformer.CrossEntropy(maskedLogits(shape, w, in[0], in[2]), in[1]), nil
	}
}

// maskedLogits predicts the entries at places [n, 2] (text and position) of ids [batch, seq]: [n, d_vocab]. Only those
// rows are projected to the vocabulary.
func maskedLogits(shape transformer.BERT, w transformer.Weights, ids, places *Node) *Node {
	dims := ids.Shape().Dimensions
	lengths := BroadcastToDims(Scalar(ids.Graph(), dtypes.Int32, dims[1]), dims[0])
	x := shape.Embed(w, ids, nil)
	for layer := range shape.Layers {
		x = shape.Block(w, layer, x, transformer.Bidirectional(lengths), nil)
	}
	return shape.Unembed(w, Gather(x, places))
}

// maskedParameters says how each parameter starts. The decoder is the word embedding, so it has none of its own.
//
// From random weights a masked model spends its first thousands of steps on word frequencies alone, before it finds out
// that neighbours matter. So attention starts local: see [waves]. Every row of the word embedding is moved at every
// step, being the decoder too: it and the positions take smaller steps.
func maskedParameters(shape transformer.BERT) []parameter {
	var list []parameter
	local := waves{width: shape.DModel, head: shape.DModel / shape.Heads}
	for _, param := range append(shape.BodyParameters(), shape.HeadParameters()...) {
		p := parameter{Param: param}
		has := func(part string) bool { return strings.Contains(param.Name, part) }
		switch matrix := len(param.Shape) == 2; {
		case param.Name == "vocab_projector.weight":
			continue
		case has("norm.weight") || has("LayerNorm.weight"):
			p.start = 1
		case has("position_embeddings"):
			p.pattern, p.pace = local.positions, 0.03
		case matrix && has("embeddings"):
			p.spread, p.pattern, p.pace = wordSpread, local.words, 0.3
		case has("q_lin.weight"):
			p.muon, p.pattern = true, local.queries
		case has("k_lin.weight"):
			p.muon, p.pattern = true, local.keys
		case matrix:
			p.muon = true
			p.spread = 1 / math.Sqrt(float64(param.Shape[1]))
		}
		list = append(list, p)
	}
	return list
}

// masker makes windows into questions.
type masker struct {
	special    tokenizers.Special
	vocabulary int
	asked      int // of each window: a fixed number, so that a program of one shape serves all
}

func newMasker(tok tokenizers.Tokenizer, vocabulary, length int) masker {
	return masker{special: tok.Special(), vocabulary: vocabulary,
		asked: max(1, int(math.Round(predictedShare*float64(length))))}
}

// batch is ids [n, seq] of windows between [CLS] and [SEP], places [n·asked, 2] of the tokens to predict, and the
// tokens [n·asked]. masked and replaced are the shares of those that [MASK] and any entry stand in for.
func (m masker) batch(w *windows, picked []int, random *rand.Rand, masked, replaced float64) gradient.Part {
	seq := w.length + 2
	ids := make([]int32, 0, len(picked)*seq)
	var places, targets []int32
	for row, i := range picked {
		start := len(ids)
		ids = append(append(append(ids, int32(m.special.CLS)), w.at(i)...), int32(m.special.Sep))
		for _, k := range random.Perm(w.length)[:m.asked] {
			places = append(places, int32(row), int32(k+1))
			at := &ids[start+k+1]
			targets = append(targets, *at)
			switch draw := random.Float64(); {
			case draw < masked:
				*at = int32(m.special.Mask)
			case draw < masked+replaced:
				*at = int32(random.IntN(m.vocabulary))
			}
		}
	}
	return gradient.Part{IDs: ids, Length: seq, Places: places, Targets: targets}
}
