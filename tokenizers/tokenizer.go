package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
)

// Tokenizer is one tokenizer.json. Its methods may be called concurrently.
type Tokenizer interface {
	// Encode is the text's tokens, without those that the post-processor adds.
	Encode(text string) Encoding
	// EncodeSpecial is Encode with what the post-processor adds, such as [CLS] and [SEP].
	EncodeSpecial(text string) Encoding
	// Decode is the text of ids, without special tokens if skipSpecial is true. Ids without an entry are left out;
	// bytes that are no UTF-8 become U+FFFD.
	Decode(ids []int, skipSpecial bool) string
	// TokenString is the text of one id by itself: its leading space is kept, and WordPiece's ##; a part of a
	// character is U+FFFD; an id without an entry is empty.
	TokenString(id int) string
	// ID is the id of a vocabulary entry or an added token, as the file spells it.
	ID(token string) (id int, ok bool)
	// VocabSize is the number of entries, added tokens included.
	VocabSize() int
	// Special is the ids of special tokens.
	Special() Special
}

// Encoding is the tokens of a text.
type Encoding struct {
	IDs []int
	// Offsets is where each token lies: bytes [start, end) of the text, or, if the text is not valid UTF-8, of
	// [ValidText] of it. A token that covers part of a character has the whole character's; an added special token has
	// [0, 0).
	Offsets [][2]int
}

// Special is the ids of special tokens, -1 where there is none.
type Special struct {
	// BOS stands in front of every prompt. It is -1 where nothing does: bos_token is null, or add_bos_token is false.
	BOS                               int
	EOS, Pad, Mask, Unknown, CLS, Sep int
}

// Open reads a tokenizer.json, or a folder that holds one; then tokenizer_config.json, where present, names the special
// tokens.
func Open(path string) (Tokenizer, error) {
	file, data, config, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(data, config)
	if err != nil {
		return nil, fmt.Errorf("open tokenizer %s: %w", file, err)
	}
	return t, nil
}

// readFiles reads a tokenizer.json, whose path it returns, and, in a folder, its tokenizer_config.json.
func readFiles(path string) (file string, data, config []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, nil, fmt.Errorf("open tokenizer: %w; give a tokenizer.json or a folder that holds one", err)
	}
	file = path
	if info.IsDir() {
		file = filepath.Join(path, "tokenizer.json")
		config, err = os.ReadFile(filepath.Join(path, "tokenizer_config.json"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", nil, nil, fmt.Errorf("open tokenizer: %w", err)
		}
	}
	if data, err = os.ReadFile(file); err != nil {
		return "", nil, nil, fmt.Errorf("open tokenizer: %w; give a tokenizer.json or a folder that holds one", err)
	}
	return file, data, config, nil
}

// Parse reads the bytes of a tokenizer.json, and of a tokenizer_config.json, which names the special tokens, or nil.
func Parse(tokenizerJSON, config []byte) (Tokenizer, error) {
	return parseWith(tokenizerJSON, config, nil)
}

func parseWith(tokenizerJSON, config []byte, tables *Tables) (Tokenizer, error) {
	if err := lfs.Check(tokenizerJSON); err != nil {
		return nil, fmt.Errorf("tokenizer.json is %w", err)
	}
	p, err := parse(tokenizerJSON, tables)
	if err != nil {
		return nil, err
	}
	p.special, err = findSpecial(p, p.model.unknown(), config)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func parse(data []byte, tables *Tables) (*pipeline, error) {
	var file fileConfig
	if err := json.Unmarshal(data, &file); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not valid JSON at byte %d of %d (%w): the file is damaged or no tokenizer.json",
				syntax.Offset, len(data), err)
		}
		return nil, fmt.Errorf("no tokenizer.json: %w", err)
	}
	m, vocab, err := parseModel(file.Model, tables)
	if err != nil {
		return nil, err
	}
	p := &pipeline{model: m, vocab: vocab}
	if p.norm, err = parseNormalizer(file.Normalizer, 0); err != nil {
		return nil, err
	}
	if p.steps, err = parsePreTokenizer(file.PreTokenizer, 0); err != nil {
		return nil, err
	}
	if p.post, err = parsePostProcessor(file.PostProcessor, 0); err != nil {
		return nil, err
	}
	if p.decoder, err = parseDecoder(file.Decoder, 0); err != nil {
		return nil, err
	}
	if p.added, err = newAddedVocabulary(file.AddedTokens, vocab, p.norm); err != nil {
		return nil, err
	}
	p.index()
	return p, nil
}

// findSpecial takes special tokens from a tokenizer_config.json and, where that is silent, by their usual names. Where
// it says null there is none, and where add_bos_token is false nothing stands in front of a prompt.
func findSpecial(t Tokenizer, unknown string, config []byte) (Special, error) {
	var names struct {
		BOS     specialName `json:"bos_token"`
		AddBOS  *bool       `json:"add_bos_token"`
		EOS     specialName `json:"eos_token"`
		Pad     specialName `json:"pad_token"`
		Mask    specialName `json:"mask_token"`
		Unknown specialName `json:"unk_token"`
		CLS     specialName `json:"cls_token"`
		Sep     specialName `json:"sep_token"`
	}
	if len(bytes.TrimSpace(config)) > 0 {
		if err := json.Unmarshal(config, &names); err != nil {
			return Special{}, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	if !or(names.AddBOS, true) {
		names.BOS = specialName{none: true}
	}
	find := func(named specialName, usual ...string) int {
		if named.none {
			return -1
		}
		for _, name := range append([]string{named.content}, usual...) {
			if id, ok := t.ID(name); ok && name != "" {
				return id
			}
		}
		return -1
	}
	return Special{
		BOS:     find(names.BOS, "<|endoftext|>", "<|begin_of_text|>", "<s>"),
		EOS:     find(names.EOS, "<|endoftext|>", "<|end_of_text|>", "</s>"),
		Pad:     find(names.Pad, "<|padding|>", "[PAD]", "<pad>"),
		Mask:    find(names.Mask, "[MASK]", "<mask>"),
		Unknown: find(names.Unknown, unknown, "[UNK]"),
		CLS:     find(names.CLS, "[CLS]"),
		Sep:     find(names.Sep, "[SEP]"),
	}, nil
}

// specialName is a token's spelling, given as a string or as an object with it as content, or null; other things count
// as not given.
type specialName struct {
	content string
	none    bool // null
}

func (n *specialName) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		n.none = true
		return nil
	}
	if json.Unmarshal(data, &n.content) == nil {
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(data, &object) == nil {
		n.content = object.Content
	}
	return nil
}
