package learn

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// addedToken is an entry of tokenizer.json's added_tokens.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// object is a JSON object; encoding/json writes its fields in alphabetical order, so the files are reproducible.
type object = map[string]any

// TokenizerJSON is the tokenizer.json of the vocabulary (https://huggingface.co/docs/tokenizers).
func (v *Vocabulary) TokenizerJSON() ([]byte, error) {
	specials := wordPieceSpecials
	if v.kind == byteLevel {
		specials = byteLevelSpecials
	}
	added := make([]addedToken, len(specials))
	for id, content := range specials {
		added[id] = addedToken{ID: id, Content: content, Special: true}
	}
	vocab := make(map[string]int, len(v.Tokens))
	for id, token := range v.Tokens {
		vocab[token] = id
	}
	file := object{"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added}
	switch v.kind {
	case byteLevel:
		level := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
		file["normalizer"] = nil
		file["pre_tokenizer"] = level
		file["post_processor"] = level
		file["decoder"] = level
		file["model"] = object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
			"vocab": vocab, "merges": v.Merges}
	case wordPiece:
		file["normalizer"] = object{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
			"strip_accents": nil, "lowercase": true}
		file["pre_tokenizer"] = object{"type": "BertPreTokenizer"}
		file["post_processor"] = bertTemplate()
		file["decoder"] = object{"type": "WordPiece", "prefix": continuing, "cleanup": true}
		file["model"] = object{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": continuing,
			"max_input_chars_per_word": 100, "vocab": vocab}
	}
	return marshal(file)
}

// bertTemplate puts [CLS] before a text and [SEP] after it.
func bertTemplate() object {
	special := func(token string, segment int) object {
		return object{"SpecialToken": object{"id": token, "type_id": segment}}
	}
	sequence := func(name string, segment int) object {
		return object{"Sequence": object{"id": name, "type_id": segment}}
	}
	entry := func(token string, id int) object {
		return object{"id": token, "ids": []int{id}, "tokens": []string{token}}
	}
	return object{
		"type":   "TemplateProcessing",
		"single": []object{special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)},
		"pair":   []object{special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1)},
		"special_tokens": object{
			"[CLS]": entry("[CLS]", 2),
			"[SEP]": entry("[SEP]", 3),
		},
	}
}

// ConfigJSON is the tokenizer_config.json of the vocabulary: which entry is BOS, mask and so on. contextLength is the
// longest sequence the model takes.
func (v *Vocabulary) ConfigJSON(contextLength int) ([]byte, error) {
	if v.kind == byteLevel {
		return marshal(object{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>",
			"eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|padding|>",
			"clean_up_tokenization_spaces": false, "model_max_length": contextLength})
	}
	return marshal(object{"tokenizer_class": "DistilBertTokenizer", "do_lower_case": true, "unk_token": "[UNK]",
		"sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
		"model_max_length": contextLength})
}

// marshal writes v on few lines, with < and > as they are.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("learn: writing a tokenizer file: %w", err)
	}
	return buf.Bytes(), nil
}
