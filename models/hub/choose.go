package hub

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The files of a tokenizer: those of Hugging Face's fast ones, or what the older ones are made of.
const (
	configName          = "config.json"
	tokenizerName       = "tokenizer.json"
	tokenizerConfigName = "tokenizer_config.json"
	vocabularyName      = "vocab.json"
	mergesName          = "merges.txt"
)

// weightNames are the names that Hugging Face's libraries give to weights, the best first: the file, and what stands
// before and behind the numbers of its shards.
var weightNames = []struct{ whole, index, before, behind string }{
	{"model.safetensors", "model.safetensors.index.json", "model-", ".safetensors"},
	{"pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-", ".bin"},
}

// shardNumber is the middle of a shard's name, 00001-of-00003.
var shardNumber = regexp.MustCompile(`^(\d{5})-of-(\d{5})$`)

// errNoTokenizer is why a repository cannot lend its tokenizer.
var errNoTokenizer = errors.New("it holds neither tokenizer.json nor vocab.json and merges.txt, so its tokenizer, " +
	"probably a SentencePiece one, is not supported")

// modelFiles picks what a model needs of the files of its repository: its configuration, one set of weights, and its
// tokenizer where it has one. weights is how the name of the weight file ends; empty stands for Hugging Face's names.
func modelFiles(files []File, weights string) ([]File, error) {
	config, ok := named(files, configName)
	if !ok {
		return nil, errors.New("it holds no config.json, so it is no model of a kind that can be opened")
	}
	chosen, err := weightFiles(files, weights)
	if err != nil {
		return nil, err
	}
	tokenizer, _ := tokenizerFiles(files) // a model may take another's
	return slices.Concat([]File{config}, tokenizer, chosen), nil
}

// weightFiles picks one set of weights.
func weightFiles(files []File, ending string) ([]File, error) {
	if ending == "" {
		for _, name := range weightNames {
			if whole, ok := named(files, name.whole); ok {
				return []File{whole}, nil
			}
			if index, ok := named(files, name.index); ok {
				shards, err := shardFiles(files, name.before, name.behind)
				return append(shards, index), err
			}
		}
	}
	// TransformerLens's models: one file beside, in a folder, earlier ones.
	var found []File
	for _, f := range files {
		if !strings.Contains(f.Path, "/") && (ending != "" && strings.HasSuffix(f.Path, ending) || ending == "" &&
			strings.HasSuffix(f.Path, ".pth")) {
			found = append(found, f)
		}
	}
	if len(found) > 1 { // the finished one
		found = slices.DeleteFunc(found, func(f File) bool { return !strings.HasSuffix(f.Path, "final.pth") })
	}
	if len(found) != 1 {
		return nil,
			errors.New("its weights are not there: they should be model.safetensors, pytorch_model.bin or one .pth file")
	}
	return found, nil
}

// shardFiles picks all shards of a model.
func shardFiles(files []File, before, behind string) ([]File, error) {
	var shards []File
	total := 0
	for _, f := range files {
		middle, ok := strings.CutPrefix(f.Path, before)
		if !ok {
			continue
		}
		if middle, ok = strings.CutSuffix(middle, behind); !ok {
			continue
		}
		if number := shardNumber.FindStringSubmatch(middle); number != nil {
			shards = append(shards, f)
			total, _ = strconv.Atoi(number[2]) // five digits
		}
	}
	if total == 0 || len(shards) != total {
		return nil, fmt.Errorf("%d of the %d parts of its weights are there", len(shards), total)
	}
	return shards, nil
}

// tokenizerFiles picks the files of a tokenizer.
func tokenizerFiles(files []File) ([]File, error) {
	var chosen []File
	if tokenizer, ok := named(files, tokenizerName); ok {
		chosen = append(chosen, tokenizer)
	} else {
		vocabulary, ok := named(files, vocabularyName)
		merges, ok2 := named(files, mergesName)
		if !ok || !ok2 {
			return nil, errNoTokenizer
		}
		chosen = append(chosen, vocabulary, merges)
	}
	if config, ok := named(files, tokenizerConfigName); ok {
		chosen = append(chosen, config)
	}
	return chosen, nil
}

// named finds a file by its path.
func named(files []File, path string) (File, bool) {
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == path })
	if i < 0 {
		return File{}, false
	}
	return files[i], true
}
