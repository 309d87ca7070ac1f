package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// fileConfig is the part of a tokenizer.json that is read: truncation and padding are left to callers.
type fileConfig struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// modelConfig is the model section: the fields of BPE and of WordPiece.
type modelConfig struct {
	Type                    string          `json:"type"`
	Vocab                   json.RawMessage `json:"vocab"`
	Merges                  json.RawMessage `json:"merges"`
	UnkToken                *string         `json:"unk_token"`
	UnkID                   *int            `json:"unk_id"` // of Unigram
	ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string          `json:"end_of_word_suffix"`
	MaxInputCharsPerWord    *int            `json:"max_input_chars_per_word"`
	Dropout                 float64         `json:"dropout"`
	FuseUnk                 bool            `json:"fuse_unk"`
	ByteFallback            bool            `json:"byte_fallback"`
	IgnoreMerges            bool            `json:"ignore_merges"`
}

// or is *p, or otherwise where the file has no such field.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// maxSpare bounds token ids: n entries may have ids below 16n + maxSpare, since tables are as long as the highest.
const maxSpare = 1 << 16

// parseModel reads the model section, whose type may be missing in files of old, and the tables, where they lie
// elsewhere. It also returns the vocabulary.
func parseModel(data json.RawMessage, tables *Tables) (model, map[string]int, error) {
	if isNull(data) {
		return nil, nil, errors.New("there is no model section, so this is no tokenizer.json")
	}
	var cfg modelConfig
	if err := json.Unmarshal(data, &cfg); err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	if tables != nil {
		cfg.Vocab, cfg.Merges = json.RawMessage("{}"), json.RawMessage("[]")
	}
	kind, err := cfg.kind()
	if err != nil {
		return nil, nil, err
	}
	if kind == "Unigram" {
		tokens, scores, err := pieceList(cfg, tables)
		if err != nil {
			return nil, nil, fmt.Errorf("model %s: %w", kind, err)
		}
		return asModel(newUnigram(cfg, tokens, scores))
	}
	vocab, err := vocabulary(cfg, tables)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", kind, err)
	}
	limit := 16*len(vocab) + maxSpare
	for entry, id := range vocab {
		if id < 0 || id >= limit {
			return nil, nil, fmt.Errorf("model %s: token %q has id %d, outside [0, %d) where the ids of %d entries may lie",
				kind, entry, id, limit, len(vocab))
		}
	}
	if kind == "WordPiece" {
		m, err := newWordPiece(cfg, vocab)
		return m, vocab, err
	}
	pairs, err := mergeList(cfg, tables)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", kind, err)
	}
	m, err := newBPE(cfg, vocab, pairs)
	return m, vocab, err
}

// kind is the model's type, or what its fields show it to be.
func (cfg modelConfig) kind() (string, error) {
	kind := cfg.Type
	if kind == "" {
		switch {
		case len(cfg.Vocab) > 0 && cfg.Vocab[0] == '[':
			kind = "Unigram"
		case cfg.Merges != nil:
			kind = "BPE"
		case cfg.MaxInputCharsPerWord != nil || cfg.ContinuingSubwordPrefix != nil:
			kind = "WordPiece"
		default:
			return "",
				errors.New("the model has no type and its fields do not tell one (merges would be BPE's, " +
					"max_input_chars_per_word WordPiece's)")
		}
	}
	switch kind {
	case "BPE", "WordPiece", "Unigram":
		if cfg.Vocab == nil {
			return "", fmt.Errorf("model %s has no vocab", kind)
		}
		return kind, nil
	}
	return "", fmt.Errorf("the model's type is %q, which is not supported: BPE, WordPiece and Unigram are", kind)
}

// asModel turns a typed nil into a nil interface.
func asModel(m *unigram, vocab map[string]int, err error) (model, map[string]int, error) {
	if err != nil {
		return nil, nil, err
	}
	return m, vocab, nil
}

func isNull(data json.RawMessage) bool {
	return len(data) == 0 || bytes.Equal(bytes.TrimSpace(data), []byte("null"))
}

// maxDepth bounds how deep sections of type Sequence may nest.
const maxDepth = 8

// component reads one section into cfg, which holds its fields, and returns its type.
func component(section string, data json.RawMessage, depth int, cfg any) (string, error) {
	if depth > maxDepth {
		return "", fmt.Errorf("%s: sequences nest deeper than %d", section, maxDepth)
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return "", fmt.Errorf("%s: %w", section, err)
	}
	if kind.Type == "" {
		return "", fmt.Errorf("%s has no type", section)
	}
	if err := json.Unmarshal(data, cfg); err != nil {
		return "", fmt.Errorf("%s %s: %w", section, kind.Type, err)
	}
	return kind.Type, nil
}

func unsupported(section, kind, supported string) error {
	return fmt.Errorf("%s type %q is not supported (supported: %s)", section, kind, supported)
}
