package hub

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// byteLevelTokenizer writes tokenizer.json from the two files of GPT-2's first tokenizers, vocab.json and merges.txt,
// which some repositories (OPT's) have nothing beside: the same byte-level BPE, in the form of later ones.
func byteLevelTokenizer(fsys fs.FS) ([]byte, error) {
	text, err := fs.ReadFile(fsys, vocabularyName)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	var vocabulary map[string]int
	if err := json.Unmarshal(text, &vocabulary); err != nil {
		return nil, fmt.Errorf("%s is no JSON object of tokens and ids: %w", vocabularyName, err)
	}
	if text, err = fs.ReadFile(fsys, mergesName); err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	merges := []string{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		if left, right, ok := strings.Cut(line, " "); !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("line %d of %s is %q, not two tokens", i+1, mergesName, line)
		}
		merges = append(merges, line)
	}
	type added struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	}
	special := []added{}
	for _, content := range []string{"<s>", "<pad>", "</s>", "<unk>", "<|endoftext|>"} {
		if id, ok := vocabulary[content]; ok {
			special = append(special, added{id, content, true})
		}
	}
	type object = map[string]any
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return json.Marshal(object{
		"version": "1.0", "added_tokens": special, "pre_tokenizer": byteLevel, "decoder": byteLevel,
		"model": object{"type": "BPE", "vocab": vocabulary, "merges": merges},
	})
}
