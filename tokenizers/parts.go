package tokenizers

import "fmt"

// Tables are the large parts of a tokenizer, for formats that keep them elsewhere than in a tokenizer.json (GGUF).
type Tables struct {
	Tokens []string  // the vocabulary by id, added tokens included, as tokenizer.json spells it
	Merges []string  // of BPE: two tokens with a blank between, those learned first in front
	Scores []float64 // of Unigram, by id
}

// ParseTables is [Parse] for a tokenizer.json that lacks its model's vocab and merges, which tables holds. Its
// added_tokens have the ids that the tables give them.
func ParseTables(tokenizerJSON, config []byte, tables Tables) (Tokenizer, error) {
	return parseWith(tokenizerJSON, config, &tables)
}

// vocabulary is that of the tables, or of the model section where there are none.
func vocabulary(cfg modelConfig, tables *Tables) (map[string]int, error) {
	if tables == nil {
		return parseVocab(cfg.Vocab)
	}
	vocab := make(map[string]int, len(tables.Tokens))
	for id, token := range tables.Tokens {
		token = ValidText(token)
		if other, twice := vocab[token]; twice {
			return nil, fmt.Errorf("tokens %d and %d are both %q", other, id, token)
		}
		vocab[token] = id
	}
	return vocab, nil
}

// pieceList is the tokens and scores of the tables, or of the model section where there are none.
func pieceList(cfg modelConfig, tables *Tables) (tokens []string, scores []float64, err error) {
	if tables == nil {
		return parsePieces(cfg.Vocab)
	}
	return tables.Tokens, tables.Scores, nil
}

// mergeList is the merges of the tables, or of the model section where there are none.
func mergeList(cfg modelConfig, tables *Tables) ([][2]string, error) {
	if tables == nil {
		return parseMerges(cfg.Merges)
	}
	merges := make([][2]string, len(tables.Merges))
	for n, line := range tables.Merges {
		var err error
		if merges[n], err = splitMerge(n, line); err != nil {
			return nil, err
		}
	}
	return merges, nil
}
