package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/engine"
	"github.com/neuron2graph/neuron2graph/models/sae"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// Causal is a causal language model whose neurons can be read. It satisfies n2g.LanguageModel, is safe for concurrent
// use, and answers equally whatever else it is asked at the same time.
type Causal struct {
	name      string
	fsys      fs.FS // of its files
	config    Config
	backend   backends.Info
	tokenizer tokenizers.Tokenizer
	engine    *engine.Causal // nil: server answers
	server    *remote
	sae       *sae.SAE // nil: none
	// directions that hook points ending in [dir] are multiplied by; nil: none
	directions *Directions
}

// Open opens a causal model: "tiny" is the one inside the program (package tiny); a local folder or GGUF file; a name
// that the user gave a model with [AddLocal]; else one of TransformerLens's names (gpt2-small, solu-8l-old; package
// registry) or a repository of the Hugging Face hub, which must have been downloaded (package hub). A folder of such a
// name is opened as ./tiny.
//
// A folder holds config.json, weights (model.safetensors, pytorch_model.bin, the shards of either, or one .pth file)
// and tokenizer.json, in the layout of TransformerLens's own models or of Hugging Face's; or one GGUF file, llama.cpp's
// format, which can also be named itself. [Families] lists what can be opened. Weights are read when they are first
// needed, and only those.
//
// Without a tokenizer.json a model can be asked about token ids, but not about texts.
//
// An address such as http://127.0.0.1:7711 is the model that n2g serve keeps warm there, and so is the name of that
// model where the environment variable [ServerVar] has the address. It answers Activations and LayerActivations to the
// same digits; what needs the weights does not go over HTTP and is an error.
func Open(ref string, opts Options) (*Causal, error) {
	m, err := openAny(ref, opts)
	if err != nil {
		return nil, err
	}
	with, err := m.with(opts)
	if err != nil {
		m.Close()
		return nil, err
	}
	return with, nil
}

// with is the model with what options put beside it.
func (m *Causal) with(opts Options) (*Causal, error) {
	if opts.Directions != "" {
		d, err := ReadDirections(opts.Directions)
		if err != nil {
			return nil, err
		}
		m = m.WithDirections(d)
	}
	if opts.SAE == "" {
		return m, nil
	}
	s, err := OpenSAE(opts.SAE)
	if err != nil {
		return nil, err
	}
	with, err := m.WithSAE(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opts.SAE, err)
	}
	return with, nil
}

// OpenSAE opens a sparse auto-encoder or transcoder for [Causal.WithSAE]: "tiny" is the one inside the program, of tiny
// (package tiny); else a folder (package sae). A folder of that name is opened as ./tiny.
func OpenSAE(ref string) (*sae.SAE, error) {
	if ref == tiny.Name {
		return sae.OpenFS(tiny.SAE(), ref)
	}
	return sae.Open(ref)
}

func openAny(ref string, opts Options) (*Causal, error) {
	if isServer(ref) {
		return openRemote(ref)
	}
	if m := named(ref); m != nil {
		return m, nil
	}
	fsys, name, err := resolve(ref, tiny.Causal)
	if err != nil {
		return nil, err
	}
	return OpenFS(fsys, name, opts)
}

// OpenFS is [Open] for the root of a file system, an embedded one for instance. name is what [Causal.Name] answers.
func OpenFS(fsys fs.FS, name string, opts Options) (*Causal, error) {
	m, err := openCausal(lfs.FS(fsys), name, opts)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	return m, nil
}

func openCausal(fsys fs.FS, name string, opts Options) (*Causal, error) {
	backend, info, err := backends.Open(opts.Backend)
	if err != nil {
		return nil, err
	}
	p, err := readParts(fsys)
	if err != nil {
		return nil, err
	}
	m := &Causal{name: name, fsys: fsys, config: newConfig(p.config), backend: info, tokenizer: p.tokenizer}
	if bos := m.BOS(); bos >= m.config.DVocab {
		p.weights.Close()
		return nil,
			fmt.Errorf("its tokenizer puts the token %q (%d) in front of every prompt, but the model has embeddings for %d "+
				"tokens only", m.TokenString(bos), bos, m.config.DVocab)
	}
	if m.engine, err = engine.New(p.config.Decoder, backend, info, p.weights, p.layout); err != nil {
		p.weights.Close()
		return nil, err
	}
	return m, nil
}

// Close releases the weights. Calls that wait end with an error; a batch that runs is waited for.
func (m *Causal) Close() error {
	if m.server != nil {
		m.server.client.CloseIdleConnections()
		return nil
	}
	return m.engine.Close()
}

// Name identifies the model.
func (m *Causal) Name() string { return m.name }

// Config returns the model's shape.
func (m *Causal) Config() Config { return m.config }

// Backend says what the model runs on.
func (m *Causal) Backend() backends.Info { return m.backend }

// Files is the root of the model's files; nil if it is a server's. Where they are one GGUF file, the tokenizer's files
// are there too.
func (m *Causal) Files() fs.FS {
	if m.fsys == nil {
		return nil
	}
	if name, err := ggufName(m.fsys); err == nil && name != "" {
		return newGGUFFiles(m.fsys, name)
	}
	return m.fsys
}

// Tokenizer returns the model's tokenizer, nil if its folder has none.
func (m *Causal) Tokenizer() tokenizers.Tokenizer { return m.tokenizer }

// Tokenize returns the token ids of text, without BOS.
func (m *Causal) Tokenize(text string) ([]int, error) {
	if m.tokenizer == nil {
		return nil,
			fmt.Errorf("model %s has no tokenizer.json, so it cannot read a text: give token ids, or put the file into its "+
				"folder", m.name)
	}
	ids := m.tokenizer.Encode(text).IDs
	return ids, m.checkTokens(ids)
}

// checkTokens refuses tokens that the model has no embedding for, as tokenizers have that were given tokens after the
// model was trained.
func (m *Causal) checkTokens(ids []int) error {
	for _, id := range ids {
		if id >= m.config.DVocab {
			return fmt.Errorf("the text holds the token %q (%d), but the model has embeddings for %d tokens only, 0 to %d: it "+
				"never learned that token, take it out of the text", m.TokenString(id), id, m.config.DVocab, m.config.DVocab-1)
		}
	}
	return nil
}

// TokenizeOffsets is [Causal.Tokenize] with, for each token, its bytes [start, end) of the text; a token that is part
// of a character has the whole character's.
func (m *Causal) TokenizeOffsets(text string) (ids []int, offsets [][2]int, err error) {
	if m.tokenizer == nil {
		_, err := m.Tokenize(text) // says what is missing
		return nil, nil, err
	}
	encoding := m.tokenizer.Encode(text)
	return encoding.IDs, encoding.Offsets, m.checkTokens(encoding.IDs)
}

// TokenString is the text of one id alone, its leading space kept; part of a character is U+FFFD. Without a tokenizer
// it is the number.
func (m *Causal) TokenString(id int) string {
	if m.tokenizer == nil {
		return fmt.Sprintf("#%d", id)
	}
	return m.tokenizer.TokenString(id)
}

// Decode is the text of a span of ids, special tokens included.
func (m *Causal) Decode(ids []int) string {
	if m.tokenizer == nil {
		var text strings.Builder
		for _, id := range ids {
			text.WriteString(m.TokenString(id))
		}
		return text.String()
	}
	return m.tokenizer.Decode(ids, false)
}

// BOS is the id that stands in front of every prompt, -1 where nothing does: without a tokenizer, or where the model's
// own says so (bos_token null, add_bos_token false).
func (m *Causal) BOS() int {
	if m.tokenizer == nil {
		return -1
	}
	return m.tokenizer.Special().BOS
}

// MaskID is the id that replaces a token whose importance is measured: that of <|padding|>, else of the tokenizer's pad
// token, else 1.
func (m *Causal) MaskID() int {
	const otherwise = 1 // <|padding|> in GPT-NeoX's vocabulary
	if m.tokenizer == nil {
		return otherwise
	}
	if id, ok := m.tokenizer.ID("<|padding|>"); ok && id < m.config.DVocab {
		return id
	}
	if pad := m.tokenizer.Special().Pad; pad >= 0 && pad < m.config.DVocab {
		return pad
	}
	return otherwise
}

// ContextLength is the longest prompt in tokens, BOS included.
func (m *Causal) ContextLength() int { return m.config.Positions }

// DefaultHook is where the method reads a neuron: hook_mid of SoLU models, hook_post of all others.
func (m *Causal) DefaultHook() string { return m.config.DefaultHook() }

// Activations runs prompts (ids, BOS included) and returns the activation of one neuron: result[i][k] is that on token
// positions[i][k] of prompts[i]. A nil positions, or a nil entry, asks every position. hook is one of
// [Causal.HookPoints] (hook_mid is short for mlp.hook_mid), and index a neuron or whatever is numbered there; an empty
// hook is [Causal.DefaultHook]. A hook that ends in [sae] has the features of the model's auto-encoder, and one that
// begins with - the negative side, all values times -1.
//
// Layers and positions beyond what is asked are not run, and prompts that share a prefix share its cost. A result does
// not depend on what else is asked with it or beside it, to the last bit on the pure Go backend.
func (m *Causal) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	r, requests, place, err := m.asked(layer, hook, index, prompts, positions)
	if err != nil {
		return nil, err
	}
	var values [][]float32
	switch {
	case r.encoder != nil:
		values, err = m.feature(ctx, r, layer, index, requests)
	case m.server != nil:
		asked := make([][]int, len(requests))
		ids := make([][]int, len(requests))
		for k, request := range requests {
			ids[k], asked[k] = request.IDs, request.Positions
		}
		values, err = m.server.activations(ctx, layer, r.point, index, ids, asked)
	default:
		values, err = m.engine.Activations(ctx, layer, r.point, requests)
	}
	if err != nil {
		return nil, fmt.Errorf("activations of layer %d neuron %d: %w", layer, index, err)
	}
	result := make([][]float32, len(prompts))
	for i := range result {
		result[i] = []float32{}
	}
	for k, i := range place {
		result[i] = values[k]
		r.sign(values[k])
	}
	return result, nil
}

// asked checks what one number of a hook point is asked for, and says how it is read and in which requests; place is as
// in Config.requests.
func (m *Causal) asked(layer int, hook string, index int, prompts, positions [][]int) (r reading,
	requests []engine.Request, place []int, err error) {
	if r, err = m.reading(layer, hook); err != nil {
		return reading{}, nil, nil, err
	}
	if err = r.checkIndex(layer, index); err != nil {
		return reading{}, nil, nil, err
	}
	requests, place, err = m.config.requests(index, prompts, positions)
	return r, requests, place, err
}

// Rows is how many tokens [Causal.Activations] runs through the model for such a call: the positions that matter to an
// asked one, those of equal prefixes once as far as they come into one group. Padding, and what other calls ask at the
// same time, do not count. Prompts that Activations refuses have none.
func (m *Causal) Rows(prompts, positions [][]int) int {
	requests, _, err := m.config.requests(0, prompts, positions)
	if err != nil {
		return 0
	}
	if m.server != nil {
		rows := 0 // the server may run fewer, where prompts share prefixes
		for _, r := range requests {
			rows += len(r.IDs)
		}
		return rows
	}
	return m.engine.Rows(requests)
}

// requests are the prompts of which anything is asked, checked, and place[k] the prompt that requests[k] is for.
func (c Config) requests(index int, prompts, positions [][]int) (requests []engine.Request, place []int, err error) {
	if positions != nil && len(positions) != len(prompts) {
		return nil, nil, fmt.Errorf("%d prompts but %d lists of positions: give one list a prompt, or none at all",
			len(prompts), len(positions))
	}
	for i, ids := range prompts {
		if err := c.checkPrompt(ids); err != nil {
			return nil, nil, fmt.Errorf("prompt %d: %w", i+1, err)
		}
		r := engine.Request{IDs: ids, Index: index}
		if positions != nil && positions[i] != nil {
			r.Positions = positions[i]
			if len(r.Positions) == 0 {
				continue
			}
			for _, p := range r.Positions {
				if p < 0 || p >= len(ids) {
					return nil, nil, fmt.Errorf("prompt %d: position %d is asked, but its tokens stand at 0 to %d", i+1, p, len(ids)-1)
				}
			}
			r.IDs = ids[:slices.Max(r.Positions)+1]
		}
		requests, place = append(requests, r), append(place, i)
	}
	return requests, place, nil
}

// LayerActivations is [Causal.Activations] for all numbers of a hook point and all positions:
// [prompt][position][width].
func (m *Causal) LayerActivations(ctx context.Context, layer int, hook string, prompts [][]int) ([][][]float32, error) {
	r, err := m.reading(layer, hook)
	if err != nil {
		return nil, err
	}
	requests := make([]engine.Request, len(prompts))
	for i, ids := range prompts {
		if err := m.config.checkPrompt(ids); err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i+1, err)
		}
		requests[i] = engine.Request{IDs: ids}
	}
	values, err := m.wide(ctx, r, layer, requests)
	if err != nil {
		return nil, fmt.Errorf("activations of layer %d: %w", layer, err)
	}
	switch {
	case r.encoder != nil:
		r.encodeAll(values)
	case r.negative:
		for _, rows := range values {
			for k, row := range rows {
				rows[k] = slices.Clone(row) // prompts that share a prefix share its rows
				r.sign(rows[k])
			}
		}
	}
	return values, nil
}

// wide computes every number of a reading's hook point at the positions asked.
func (m *Causal) wide(ctx context.Context, r reading, layer int, requests []engine.Request) ([][][]float32, error) {
	if m.server == nil {
		return m.engine.LayerActivations(ctx, layer, r.point, requests)
	}
	prompts := make([][]int, len(requests))
	for i, request := range requests {
		prompts[i] = request.IDs
	}
	values, err := m.server.layerActivations(ctx, layer, r.point, m.config.shape().Width(r.point), prompts)
	if err != nil {
		return nil, err
	}
	for i, request := range requests {
		if request.Positions != nil {
			rows := make([][]float32, len(request.Positions))
			for k, p := range request.Positions {
				rows[k] = values[i][p]
			}
			values[i] = rows
		}
	}
	return values, nil
}

// feature computes one feature of an auto-encoder, or along one direction.
func (m *Causal) feature(ctx context.Context, r reading, layer, index int, requests []engine.Request) ([][]float32,
	error) {
	read, err := m.wide(ctx, r, layer, requests)
	if err != nil {
		return nil, err
	}
	return r.encodeOne(read, index), nil
}

// checkPrompt refuses what the model cannot run.
func (c Config) checkPrompt(ids []int) error {
	if len(ids) == 0 {
		return errors.New("the prompt is empty: give at least the BOS token")
	}
	if len(ids) > c.Positions {
		return fmt.Errorf("the prompt has %d tokens with BOS, but the model's context is %d: shorten it", len(ids),
			c.Positions)
	}
	for i, id := range ids {
		if id < 0 || id >= c.DVocab {
			return fmt.Errorf("token id %d at position %d lies outside the model's vocabulary of %d", id, i, c.DVocab)
		}
	}
	return nil
}

// Scan computes every neuron of some layers on every token of some windows, for mining a corpus: windows are ids with
// BOS in front where the model has one. One pass serves all layers and stops at the last.
//
// visit is told of some rows at a time: values[k*width+n] is neuron n of layers[layer] on row first+k, rows being the
// tokens of all windows, BOS among them, one window after the other; width is [Causal.Width]. Each layer's rows come
// once, in any order, and several at the same time. values belong to the engine and are overwritten after visit
// returns.
func (m *Causal) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	if len(layers) == 0 {
		return errors.New("no layer to scan: name at least one")
	}
	readings := make([]reading, len(layers))
	for i, layer := range layers {
		var err error
		if readings[i], err = m.reading(layer, hook); err != nil {
			return err
		}
	}
	for i, ids := range windows {
		if err := m.config.checkPrompt(ids); err != nil {
			return fmt.Errorf("window %d: %w", i+1, err)
		}
	}
	if err := m.local("mining"); err != nil {
		return err
	}
	r := readings[0]
	if r.encoder != nil || r.negative {
		plain, width := visit, m.config.shape().Width(r.point)
		buffers := sync.Pool{New: func() any { return new([]float32) }}
		visit = func(layer, first int, values []float32) {
			r := readings[layer]
			if r.encoder == nil {
				values = slices.Clone(values)
				r.sign(values)
				plain(layer, first, values)
				return
			}
			// Some rows at a time: features are many times as many.
			buffer := buffers.Get().(*[]float32)
			for ; len(values) > 0; first += encodedRows {
				n := min(encodedRows, len(values)/width)
				*buffer = slices.Grow((*buffer)[:0], n*r.width)[:n*r.width]
				r.encoder.Encode(*buffer, values[:n*width], n)
				r.sign(*buffer)
				plain(layer, first, *buffer)
				values = values[n*width:]
			}
			buffers.Put(buffer)
		}
	}
	if err := m.engine.Scan(ctx, layers, r.point, windows, visit); err != nil {
		return fmt.Errorf("scan %d windows: %w", len(windows), err)
	}
	return nil
}

// Vocabulary is the number of token ids the model can read: those below it.
func (m *Causal) Vocabulary() int { return m.config.DVocab }

// Programs is how many programs were compiled since the model was opened: 0 on the pure Go backend, which needs none.
func (m *Causal) Programs() int {
	if m.server != nil {
		return 0
	}
	return m.engine.Programs()
}
