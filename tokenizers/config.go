package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// modelConfig holds the fields of BPE and of WordPiece.
type modelConfig struct {
	Type                    string         `json:"type"`
	Vocab                   map[string]int `json:"-"`
	Merges                  mergeList      `json:"merges"`
	UnkToken                string         `json:"unk_token"`
	ContinuingSubwordPrefix string         `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string         `json:"end_of_word_suffix"`
	MaxInputCharsPerWord    int            `json:"max_input_chars_per_word"`
	Dropout                 float64        `json:"dropout"`
	FuseUnk                 bool           `json:"fuse_unk"`
	ByteFallback            bool           `json:"byte_fallback"`
	IgnoreMerges            bool           `json:"ignore_merges"`
}

// mergeList reads both spellings of merges: "a b", and ["a", "b"].
type mergeList [][2]string

func (l *mergeList) UnmarshalJSON(data []byte) error {
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err == nil {
		*l = make(mergeList, len(pairs))
		for i, p := range pairs {
			if len(p) != 2 {
				return fmt.Errorf("merge %d has %d parts, not 2", i, len(p))
			}
			(*l)[i] = [2]string{p[0], p[1]}
		}
		return nil
	}
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		return errors.New("merges are neither strings nor pairs of strings")
	}
	*l = (*l)[:0]
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		a, b, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(b, " ") {
			return fmt.Errorf("merge %d is %q, not two parts with a blank between", i, line)
		}
		*l = append(*l, [2]string{a, b})
	}
	return nil
}

// maxID bounds token ids, since tables are as long as the highest: twenty times the largest vocabulary there is.
const maxID = 1 << 22

// parseModel reads the model section, whose type may be missing in files of old.
func parseModel(data json.RawMessage) (model, map[string]int, error) {
	if isNull(data) {
		return nil, nil, errors.New("there is no model section, so this is no tokenizer.json")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	kind, err := modelType(fields)
	if err != nil {
		return nil, nil, err
	}
	cfg := modelConfig{MaxInputCharsPerWord: 100}
	if kind == "WordPiece" {
		cfg.UnkToken, cfg.ContinuingSubwordPrefix = "[UNK]", "##"
	}
	if err := json.Unmarshal(data, &cfg); err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", kind, err)
	}
	if err := json.Unmarshal(fields["vocab"], &cfg.Vocab); err != nil || cfg.Vocab == nil {
		return nil, nil, fmt.Errorf("model %s: its vocab is no table of tokens and ids", kind)
	}
	for entry, id := range cfg.Vocab {
		if id < 0 || id >= maxID {
			return nil, nil, fmt.Errorf("model %s: token %q has id %d, outside [0, %d)", kind, entry, id, maxID)
		}
	}
	if kind == "WordPiece" {
		m, err := newWordPiece(cfg)
		return m, cfg.Vocab, err
	}
	m, err := newBPE(cfg)
	return m, cfg.Vocab, err
}

// modelType is the model's type, or what its fields show it to be.
func modelType(fields map[string]json.RawMessage) (string, error) {
	var kind string
	if raw, ok := fields["type"]; ok {
		if err := json.Unmarshal(raw, &kind); err != nil {
			return "", errors.New("the model's type is no string")
		}
	}
	vocab := bytes.TrimLeft(fields["vocab"], " \t\r\n")
	has := func(name string) bool { _, ok := fields[name]; return ok }
	if kind == "" {
		switch {
		case len(vocab) > 0 && vocab[0] == '[':
			kind = "Unigram"
		case has("merges"):
			kind = "BPE"
		case has("max_input_chars_per_word") || has("continuing_subword_prefix"):
			kind = "WordPiece"
		default:
			return "", errors.New("the model has no type and its fields do not tell one (merges would be BPE's, max_input_chars_per_word WordPiece's)")
		}
	}
	switch kind {
	case "BPE", "WordPiece":
	case "Unigram":
		return "", errors.New("the model is Unigram (SentencePiece), which is not supported: use a model with byte-level BPE or WordPiece")
	default:
		return "", fmt.Errorf("the model's type is %q, which is not supported: only BPE and WordPiece are", kind)
	}
	if len(vocab) == 0 {
		return "", fmt.Errorf("model %s has no vocab", kind)
	}
	return kind, nil
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
