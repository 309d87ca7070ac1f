package gguf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// The keys of the tokenizer.
const (
	tokenizerModelKey = "tokenizer.ggml.model"
	preTokenizerKey   = "tokenizer.ggml.pre"
	tokensKey         = "tokenizer.ggml.tokens"
	tokenTypesKey     = "tokenizer.ggml.token_type"
	mergesKey         = "tokenizer.ggml.merges"
	scoresKey         = "tokenizer.ggml.scores"
	spacePrefixKey    = "tokenizer.ggml.add_space_prefix"
	addBOSKey         = "tokenizer.ggml.add_bos_token"
)

// Types of tokens, llama.cpp's llama_token_type.
const (
	unknownToken = 2
	controlToken = 3
	userToken    = 4
)

// section is a section of a tokenizer.json.
type section map[string]any

// scheme is how a tokenizer cuts texts into words: what llama.cpp calls a pre-tokenizer, as sections of the
// tokenizer.json of the models that it is named for.
type scheme struct {
	normalizer   section
	words        []section // before the bytes are written in GPT-2's alphabet
	ignoreMerges bool
	addBOS       bool // where the file does not say
}

// splitAt cuts at the matches of a regular expression.
func splitAt(expr string) section {
	return section{"type": "Split", "pattern": section{"Regex": expr}, "behavior": "Isolated", "invert": false}
}

// byteLevel writes words in GPT-2's alphabet, or cuts with its pattern first.
func byteLevel(regex bool) section {
	return section{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": regex}
}

// digits cuts every digit off by itself.
var digits = section{"type": "Digits", "individual_digits": true}

const (
	contraction   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	tekkenPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	o200kPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` + contraction +
		`?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` + contraction +
		`?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen35Pattern = contraction +
		`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	deepseekWords = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
		`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// schemes are those of byte-level BPE, by llama.cpp's names (llama-vocab.cpp).
var schemes = func() map[string]scheme {
	nfc := section{"type": "NFC"}
	gpt2 := scheme{words: []section{byteLevel(true)}}
	smollm := scheme{words: []section{digits, byteLevel(true)}}
	neox := scheme{normalizer: nfc, words: []section{byteLevel(true)}}
	qwen2 := scheme{normalizer: nfc, words: []section{splitAt(qwen2Pattern), byteLevel(false)}}
	llama3 := scheme{words: []section{splitAt(llama3Pattern), byteLevel(false)}, ignoreMerges: true, addBOS: true}
	return map[string]scheme{
		"": gpt2, "default": gpt2, "gpt-2": gpt2, "phi-2": gpt2,
		"olmo":   neox, // GPT-NeoX's and Pythia's too
		"smollm": smollm, "starcoder": smollm, "refact": smollm, "command-r": smollm,
		"llama3": llama3, "llama-v3": llama3, "llama-bpe": llama3,
		"qwen2": qwen2, "deepseek-r1-qwen": qwen2,
		"qwen35": {normalizer: nfc, words: []section{splitAt(qwen35Pattern), byteLevel(false)}},
		"tekken": {words: []section{splitAt(tekkenPattern), byteLevel(false)}, ignoreMerges: true, addBOS: true},
		"gpt-4o": {words: []section{splitAt(o200kPattern), byteLevel(false)}},
		"deepseek-v3": {words: []section{splitAt(`\p{N}{1,3}`), splitAt("[一-龥぀-ゟ゠-ヿ]+"), splitAt(deepseekWords),
			byteLevel(false)}},
	}
}()

// Tokenizer makes the tokenizer that the file holds; without one the error is [fs.ErrNotExist].
func (f *File) Tokenizer() (tokenizers.Tokenizer, error) {
	t, err := f.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer of %s: %w", f.name, err)
	}
	return t, nil
}

// TokenizerFiles writes the tokenizer that the file holds as tokenizer.json and tokenizer_config.json.
func (f *File) TokenizerFiles() (tokenizerJSON, config []byte, err error) {
	file, special, tables, err := f.parts()
	if err == nil {
		vocabulary := make(map[string]int, len(tables.Tokens))
		for id, token := range tables.Tokens {
			vocabulary[token] = id
		}
		model := file["model"].(section)
		model["vocab"], model["merges"] = vocabulary, tables.Merges
		if tokenizerJSON, err = json.Marshal(file); err == nil {
			config, err = json.Marshal(special)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tokenizer of %s: %w", f.name, err)
	}
	return tokenizerJSON, config, nil
}

func (f *File) tokenizer() (tokenizers.Tokenizer, error) {
	file, special, tables, err := f.parts()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(special)
	if err != nil {
		return nil, err
	}
	return tokenizers.ParseTables(text, config, tables)
}

// parts are tokenizer.json but for its tables, tokenizer_config.json, and the tables.
func (f *File) parts() (file, special section, tables tokenizers.Tables, err error) {
	s := f.Settings()
	model, _ := s.Text(tokenizerModelKey)
	tokens, _ := s.texts(tokensKey)
	types, _ := s.ints(tokenTypesKey)
	switch {
	case s.err != nil:
		return nil, nil, tables, s.err
	case model == "" && tokens == nil:
		return nil, nil, tables, fmt.Errorf("the file holds none: %w", fs.ErrNotExist)
	case types != nil && len(types) != len(tokens):
		return nil, nil, tables, fmt.Errorf("%d tokens but %d types of tokens", len(tokens), len(types))
	}
	var addBOS bool
	switch model {
	case "gpt2":
		file, tables, addBOS = byteLevelBPE(s, tokens)
	case "llama":
		file, tables, addBOS = sentencePiece(s, tokens)
	default:
		return nil, nil, tables, fmt.Errorf("tokenizers of type %q are not supported: gpt2 (byte-level BPE) and llama "+
			"(SentencePiece's BPE) are", model)
	}
	special = f.specialTokens(s, tokens)
	if says, ok := s.Bool(addBOSKey); ok {
		special["add_bos_token"], addBOS = says, says
	}
	file["added_tokens"] = addedTokens(tokens, types)
	if bos, ok := special["bos_token"].(string); ok && addBOS {
		id := slices.Index(tokens, bos)
		file["post_processor"] = section{"type": "TemplateProcessing",
			"single": []section{{"SpecialToken": section{"id": bos, "type_id": 0}},
				{"Sequence": section{"id": "A", "type_id": 0}}},
			"special_tokens": section{bos: section{"id": bos, "ids": []int{id}, "tokens": []string{bos}}},
		}
	}
	return file, special, tables, s.err
}

// byteLevelBPE is GPT-2's kind. addBOS is what holds where the file does not say.
func byteLevelBPE(s *Settings, tokens []string) (file section, tables tokenizers.Tables, addBOS bool) {
	pre, _ := s.Text(preTokenizerKey)
	merges, ok := s.texts(mergesKey)
	if !ok {
		s.Refuse("setting %s is missing", mergesKey)
	}
	words, ok := schemes[pre]
	if !ok {
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(schemes)), func(name string) bool { return name == "" })
		s.Refuse("its pre-tokenizer %q is not among those known: %s", pre, strings.Join(known, ", "))
	}
	return section{
		"normalizer":    words.normalizer,
		"pre_tokenizer": section{"type": "Sequence", "pretokenizers": words.words},
		"decoder":       byteLevel(true),
		"model":         section{"type": "BPE", "ignore_merges": words.ignoreMerges},
	}, tokenizers.Tables{Tokens: tokens, Merges: merges}, words.addBOS
}

// sentencePiece is the kind of Llama 2 and Mistral: two neighbours are merged if together they are a token, that of the
// highest score first. The file has no merges; they follow from the scores, as transformers' converter finds them.
func sentencePiece(s *Settings, tokens []string) (file section, tables tokenizers.Tables, addBOS bool) {
	scores, _ := s.floats(scoresKey)
	if len(scores) != len(tokens) {
		s.Refuse("%d tokens but %d scores", len(tokens), len(scores))
		return section{}, tables, true
	}
	id := make(map[string]int, len(tokens))
	for i, token := range tokens {
		id[token] = i
	}
	type merge struct {
		left, right string
		whole       int
	}
	const longest = 64 // bytes of a token that is merged of others: each is tried at all its places
	var merges []merge
	for i, token := range tokens {
		if len(token) > longest {
			continue
		}
		first := len(merges)
		for at := range token {
			if _, ok := id[token[:at]]; ok && at > 0 {
				if _, ok := id[token[at:]]; ok {
					merges = append(merges, merge{token[:at], token[at:], i})
				}
			}
		}
		slices.SortFunc(merges[first:], func(a, b merge) int {
			return cmp.Or(cmp.Compare(id[a.left], id[b.left]), cmp.Compare(id[a.right], id[b.right]))
		})
	}
	slices.SortStableFunc(merges, func(a, b merge) int { return cmp.Compare(scores[b.whole], scores[a.whole]) })
	tables.Tokens = tokens
	for _, m := range merges {
		if !strings.Contains(m.left, " ") && !strings.Contains(m.right, " ") {
			tables.Merges = append(tables.Merges, m.left+" "+m.right)
		}
	}
	const space = "▁"
	normalizers := []section{{"type": "Replace", "pattern": section{"String": " "}, "content": space}}
	decoders := []section{{"type": "Replace", "pattern": section{"String": space}, "content": " "},
		{"type": "ByteFallback"}, {"type": "Fuse"}}
	if prefix, ok := s.Bool(spacePrefixKey); prefix || !ok {
		normalizers = slices.Insert(normalizers, 0, section{"type": "Prepend", "prepend": space})
		decoders = append(decoders, section{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	model := section{"type": "BPE", "fuse_unk": true, "byte_fallback": true}
	if unknown, ok := s.Number("tokenizer.ggml.unknown_token_id"); ok && unknown >= 0 && unknown < len(tokens) {
		model["unk_token"] = tokens[unknown]
	}
	return section{
		"normalizer": section{"type": "Sequence", "normalizers": normalizers},
		"decoder":    section{"type": "Sequence", "decoders": decoders},
		"model":      model,
	}, tables, true
}

// addedTokens are the entries of added_tokens: tokens that are found before a text is cut into words.
func addedTokens(tokens []string, types []int64) []section {
	added := []section{}
	for id, kind := range types {
		if kind == unknownToken || kind == controlToken || kind == userToken {
			added = append(added, section{"id": id, "content": tokens[id], "special": kind != userToken, "normalized": false})
		}
	}
	return added
}

// specialTokens are the entries of a tokenizer_config.json that name special tokens.
func (f *File) specialTokens(s *Settings, tokens []string) section {
	special := section{}
	for name, key := range map[string]string{
		"bos_token": "bos_token_id", "eos_token": "eos_token_id", "unk_token": "unknown_token_id",
		"pad_token": "padding_token_id",
		"cls_token": "cls_token_id", "sep_token": "seperator_token_id", "mask_token": "mask_token_id",
	} {
		key = "tokenizer.ggml." + key
		id, ok := s.Number(key)
		switch {
		case !ok:
		case id < 0 || id >= len(tokens):
			s.wrong(key, fmt.Sprintf("id of one of the %d tokens", len(tokens)))
		default:
			special[name] = tokens[id]
		}
	}
	return special
}
