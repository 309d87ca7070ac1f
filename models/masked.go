package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/checkpoint"
	"github.com/neuron2graph/neuron2graph/models/internal/engine"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// Masked is a masked language model, BERT or DistilBERT: it says which words could stand at a masked place of a text.
// It is safe for concurrent use, and answers equally whatever else it is asked at the same time.
type Masked struct {
	name      string
	fsys      fs.FS // of its files
	config    MaskedConfig
	backend   backends.Info
	tokenizer tokenizers.Tokenizer // nil where there is no tokenizer.json
	special   tokenizers.Special
	engine    *engine.Masked
}

// OpenMasked opens a masked model; ref is as in [Open]. A folder is of Hugging Face layout: config.json, weights
// (package checkpoint), tokenizer.json. Without the last the model answers token ids only. Weights are read when the
// model first runs.
func OpenMasked(ref string, opts Options) (*Masked, error) {
	fsys, name, err := resolve(ref, tiny.Masked)
	if err != nil {
		return nil, err
	}
	return OpenMaskedFS(fsys, name, opts)
}

// OpenMaskedFS is [OpenMasked] for the root of a file system, an embedded one for instance. name is what [Masked.Name]
// answers.
func OpenMaskedFS(fsys fs.FS, name string, opts Options) (*Masked, error) {
	m, err := openMasked(lfs.FS(fsys), name, opts)
	if err != nil {
		return nil, fmt.Errorf("open masked model %s: %w", name, err)
	}
	return m, nil
}

func openMasked(fsys fs.FS, name string, opts Options) (*Masked, error) {
	text, err := fs.ReadFile(fsys, "config.json")
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	config, err := family.ParseMasked(text)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	tokenizer, err := openTokenizer(fsys)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	special := tokenizers.Special{Mask: -1}
	if tokenizer != nil {
		special = tokenizer.Special()
		if special.Mask < 0 {
			return nil,
				errors.New("its tokenizer has no mask token, so nothing can be masked: use a model trained with one, such as " +
					"BERT or DistilBERT")
		}
	}
	backend, info, err := backends.Open(opts.Backend)
	if err != nil {
		return nil, err
	}
	files, err := checkpoint.OpenFolder(fsys)
	if err != nil {
		return nil, err
	}
	m := &Masked{
		name: name, fsys: fsys, config: newMaskedConfig(config), backend: info, tokenizer: tokenizer, special: special,
	}
	layout, err := config.Layout(files)
	if err == nil {
		m.engine, err = engine.NewMasked(config.BERT, backend, info, files, layout)
	}
	if err != nil {
		files.Close()
		return nil, err
	}
	return m, nil
}

// Name identifies the model.
func (m *Masked) Name() string { return m.name }

// Config returns the model's shape.
func (m *Masked) Config() MaskedConfig { return m.config }

// Tokenizer returns the model's tokenizer, nil if its folder has none.
func (m *Masked) Tokenizer() tokenizers.Tokenizer { return m.tokenizer }

// Backend says what the model runs on.
func (m *Masked) Backend() backends.Info { return m.backend }

// MaskToken is the text that stands for a masked word, such as [MASK]; empty without a tokenizer.
func (m *Masked) MaskToken() string {
	if m.tokenizer == nil {
		return ""
	}
	return m.tokenizer.TokenString(m.special.Mask)
}

// Close releases the weights. The model must not be used afterwards.
func (m *Masked) Close() error { return m.engine.Close() }

// Fill answers, for each text, what could stand in place of the mask token at byte offsets[i] of texts[i]: vocabulary
// entries as spelled (a word piece begins with ##) with their probabilities, most probable first, equals by id. The
// sequences find each next entry when it is asked for, hold special tokens too, and can be walked more than once.
// Other masks of a text stay masked. Of a text longer than the model's positions, the tokens around the mask are read.
func (m *Masked) Fill(ctx context.Context, texts []string, offsets []int) ([]iter.Seq2[string, float64], error) {
	if len(texts) != len(offsets) {
		return nil, fmt.Errorf("fill masks: %d texts but %d offsets, give one offset a text", len(texts), len(offsets))
	}
	if m.tokenizer == nil {
		return nil,
			fmt.Errorf("fill masks: model %s has no tokenizer.json, so it cannot read a text: put the file into its folder",
				m.name)
	}
	sequences := make([]engine.Sequence, len(texts))
	for i, text := range texts {
		sequence, err := m.locate(text, offsets[i])
		if err != nil {
			return nil, fmt.Errorf("fill masks: text %d: %w", i+1, err)
		}
		sequences[i] = sequence
	}
	logits, err := m.engine.Logits(ctx, sequences)
	if err != nil {
		return nil, fmt.Errorf("fill masks: %w", err)
	}
	filled := make([]iter.Seq2[string, float64], len(texts))
	for i := range filled {
		filled[i] = m.spelled(logits[i][0])
	}
	return filled, nil
}

// MaskFill is the model's answer for one mask.
type MaskFill struct {
	Position int       // in the ids given
	Logits   []float32 // [d_vocab]
	// Substitutes are the vocabulary entries and their probabilities, as [Masked.Fill] gives them; none without a
	// tokenizer.
	Substitutes iter.Seq2[string, float64]
}

// IDs is Substitutes with token ids in place of their spelling.
func (f MaskFill) IDs() iter.Seq2[int, float64] { return ranked(f.Logits) }

// FillIDs answers for every mask among ids, which must be complete, [CLS] and [SEP] included.
func (m *Masked) FillIDs(ctx context.Context, ids []int) ([]MaskFill, error) {
	if m.tokenizer == nil {
		return nil,
			fmt.Errorf("fill masks: model %s has no tokenizer.json, so its mask token is not known: say at which positions to "+
				"fill", m.name)
	}
	var positions []int
	for i, id := range ids {
		if id == m.special.Mask {
			positions = append(positions, i)
		}
	}
	if len(positions) == 0 {
		return nil,
			fmt.Errorf("fill masks: none of the %d ids is the mask token %d (%[3]s): put %[3]s where a word is to be found",
				len(ids), m.special.Mask, m.MaskToken())
	}
	return m.FillAt(ctx, ids, positions)
}

// FillAt answers for the tokens at the given positions of ids, whatever tokens these are.
func (m *Masked) FillAt(ctx context.Context, ids, positions []int) ([]MaskFill, error) {
	for _, position := range positions {
		if position < 0 || position >= len(ids) {
			return nil, fmt.Errorf("fill masks: position %d is outside the %d ids", position, len(ids))
		}
	}
	logits, err := m.engine.Logits(ctx, []engine.Sequence{{IDs: ids, Rows: positions}})
	if err != nil {
		return nil, fmt.Errorf("fill masks: %w", err)
	}
	fills := make([]MaskFill, len(positions))
	for i, position := range positions {
		fills[i] = MaskFill{Position: position, Logits: logits[0][i], Substitutes: m.spelled(logits[0][i])}
	}
	return fills, nil
}

// locate tokenizes text and finds the mask at byte offset in it.
func (m *Masked) locate(text string, offset int) (engine.Sequence, error) {
	mask := m.MaskToken()
	if offset < 0 || offset > len(text) || !strings.HasPrefix(text[offset:], mask) {
		return engine.Sequence{},
			fmt.Errorf("no %s at byte %d of a text of %d bytes: write %s where a word is to be filled in", mask, offset,
				len(text), mask)
	}
	encoding := m.tokenizer.Encode(text)
	for i, id := range encoding.IDs {
		if span := encoding.Offsets[i]; id == m.special.Mask && span[0] <= offset && offset < span[1] {
			ids, at := m.window(encoding.IDs, i)
			return engine.Sequence{IDs: ids, Rows: []int{at}}, nil
		}
	}
	return engine.Sequence{},
		fmt.Errorf("the tokenizer does not read the %s at byte %d as its mask token: set it off from what surrounds it", mask,
			offset)
}

// window puts the tokens between [CLS] and [SEP]; where they are more than the model has positions for, it keeps those
// around the mask, as many on either side as there are. at is the mask's place in the result.
func (m *Masked) window(body []int, mask int) (ids []int, at int) {
	room := m.config.Positions
	if m.special.CLS >= 0 {
		room--
	}
	if m.special.Sep >= 0 {
		room--
	}
	if len(body) > room {
		start := min(max(0, mask-room/2), len(body)-room)
		body, mask = body[start:start+room], mask-start
	}
	if m.special.CLS >= 0 {
		ids = append(ids, m.special.CLS)
	}
	at = len(ids) + mask
	ids = append(ids, body...)
	if m.special.Sep >= 0 {
		ids = append(ids, m.special.Sep)
	}
	return ids, at
}

// spelled ranks a row of logits by the vocabulary's spelling. Rows may be longer than the vocabulary: some models pad
// it; such entries count for the probabilities but have no spelling.
func (m *Masked) spelled(logits []float32) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for id, p := range ranked(logits) {
			if m.tokenizer != nil && id < m.tokenizer.VocabSize() && !yield(m.tokenizer.TokenString(id), p) {
				return
			}
		}
	}
}

// RunWithCache runs one text and keeps everything: hook_full_embed and, for every layer L,
// blocks.L.hook_normalized_resid_mid, blocks.L.mlp.hook_pre, blocks.L.mlp.hook_post and
// blocks.L.hook_normalized_resid_post, and the logits of the word at each position. ids must be complete, [CLS] and
// [SEP] included.
func (m *Masked) RunWithCache(ctx context.Context, ids []int) (*Cache, error) {
	cache, err := m.engine.RunWithCache(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("run with cache: %w", err)
	}
	return &Cache{Values: cache.Values, Logits: cache.Logits}, nil
}

// Programs is how many programs were compiled since the model was opened.
func (m *Masked) Programs() int { return m.engine.Programs() }
