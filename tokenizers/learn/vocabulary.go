package learn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Options says how large a vocabulary is learned. The zero value makes those of the embedded models.
type Options struct {
	// Size is the number of entries, special tokens and alphabet included; 0 is 4096.
	Size int
	// MinCount is how often a pair must occur to be merged; 0 is 2. Learning ends early where no pair does.
	MinCount int
	// Alphabet bounds the number of different characters of a WordPiece vocabulary, the most frequent ones; words with
	// another become [UNK]. 0 is 120. A byte-level vocabulary always holds all 256 bytes.
	Alphabet int
}

func (o Options) withDefaults() Options {
	o.Size = cmp.Or(o.Size, 4096)
	o.MinCount = cmp.Or(o.MinCount, 2)
	o.Alphabet = cmp.Or(o.Alphabet, 120)
	return o
}

// Vocabulary is what was learned.
type Vocabulary struct {
	// Tokens holds the entries by id, spelled as in tokenizer.json: bytes as GPT-2's printable characters, word pieces
	// with "##".
	Tokens []string
	// Merges holds the two parts of each merge, in the order learned. A WordPiece tokenizer has no use for them; they
	// are not written for one.
	Merges [][2]string

	kind kind
}

type kind int

const (
	byteLevel kind = iota
	wordPiece
)

// The special tokens, whose ids are their places in these lists.
var (
	byteLevelSpecials = []string{"<|endoftext|>", "<|padding|>"}
	wordPieceSpecials = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
)

// ByteLevel learns a byte-level BPE vocabulary from a table made by [NewByteLevelWords]: ids 0 and 1 are
// <|endoftext|> and <|padding|>, the 256 bytes follow in the order of their printable characters, then the merges.
func ByteLevel(ctx context.Context, words *Words, opts Options) (*Vocabulary, error) {
	opts = opts.withDefaults()
	v := &Vocabulary{Tokens: slices.Clone(byteLevelSpecials), kind: byteLevel}
	if least := len(v.Tokens) + 256; opts.Size < least {
		return nil,
			fmt.Errorf("learn: a byte-level vocabulary of %d entries cannot hold the 256 bytes and the special tokens: ask "+
				"for at least %d", opts.Size, least)
	}
	alphabet := make([]rune, 0, 256)
	for _, r := range byteRunes {
		alphabet = append(alphabet, r)
	}
	slices.Sort(alphabet)
	ids := make(map[rune]int32, 256)
	for _, r := range alphabet {
		ids[r] = int32(len(v.Tokens))
		v.Tokens = append(v.Tokens, string(r))
	}
	list := words.sorted()
	symbols := make([][]int32, len(list))
	for i, word := range list {
		symbols[i] = make([]int32, len(word))
		for k := range len(word) {
			symbols[i][k] = ids[byteRunes[word[k]]]
		}
	}
	return v, v.grow(ctx, words, list, symbols, opts)
}

// WordPiece learns an uncased BERT vocabulary from a table made by [NewBERTWords]: ids 0 to 4 are [PAD], [UNK],
// [CLS], [SEP] and [MASK]; the characters follow, then, each with "##" before it, those that continue a word somewhere
// (punctuation never does), then the merges.
func WordPiece(ctx context.Context, words *Words, opts Options) (*Vocabulary, error) {
	opts = opts.withDefaults()
	v := &Vocabulary{Tokens: slices.Clone(wordPieceSpecials), kind: wordPiece}
	list := words.sorted()
	alphabet := frequentRunes(words, list, opts.Alphabet)
	inside := runesInside(list, alphabet)
	if least := len(v.Tokens) + len(alphabet) + len(inside); opts.Size < least {
		return nil,
			fmt.Errorf("learn: a WordPiece vocabulary of %d entries cannot hold %d characters and the special tokens: ask for "+
				"at least %d or a smaller alphabet", opts.Size, len(alphabet), least)
	}
	first, later := make(map[rune]int32), make(map[rune]int32)
	for _, r := range alphabet {
		first[r] = int32(len(v.Tokens))
		v.Tokens = append(v.Tokens, string(r))
	}
	for _, r := range inside {
		later[r] = int32(len(v.Tokens))
		v.Tokens = append(v.Tokens, continuing+string(r))
	}
	symbols := make([][]int32, len(list))
	for i, word := range list {
		symbols[i] = spell(word, first, later)
	}
	return v, v.grow(ctx, words, list, symbols, opts)
}

// continuing marks a piece that does not begin a word.
const continuing = "##"

// spell gives the symbols of a word, or none if the alphabet lacks one of its characters.
func spell(word string, first, later map[rune]int32) []int32 {
	symbols := make([]int32, 0, len(word))
	for at, r := range word {
		ids := later
		if at == 0 {
			ids = first
		}
		id, ok := ids[r]
		if !ok {
			return nil
		}
		symbols = append(symbols, id)
	}
	return symbols
}

// frequentRunes lists the n most frequent characters of the words in the order of their code points.
func frequentRunes(words *Words, list []string, n int) []rune {
	counts := make(map[rune]int)
	for _, word := range list {
		for _, r := range word {
			counts[r] += words.counts[word]
		}
	}
	runes := make([]rune, 0, len(counts))
	for r := range counts {
		runes = append(runes, r)
	}
	slices.SortFunc(runes, func(a, b rune) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	runes = runes[:min(n, len(runes))]
	slices.Sort(runes)
	return runes
}

// runesInside lists the characters of the alphabet that some word has in another place than its first.
func runesInside(list []string, alphabet []rune) []rune {
	seen := make(map[rune]bool)
	for _, word := range list {
		for at, r := range word {
			seen[r] = seen[r] || at > 0
		}
	}
	var inside []rune
	for _, r := range alphabet {
		if seen[r] {
			inside = append(inside, r)
		}
	}
	return inside
}

// grow merges pairs until the vocabulary is full.
func (v *Vocabulary) grow(ctx context.Context, words *Words, list []string, symbols [][]int32, opts Options) error {
	weight := make([]int, len(list))
	for i, word := range list {
		weight[i] = words.counts[word]
	}
	known := make(map[string]int32, opts.Size)
	for id, token := range v.Tokens {
		known[token] = int32(id)
	}
	m := newMerger(symbols, weight)
	for len(v.Tokens) < opts.Size {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("learn: stopped after %d of %d entries: %w", len(v.Tokens), opts.Size, err)
		}
		p, ok := m.best(opts.MinCount)
		if !ok {
			break
		}
		left, right := v.Tokens[p.left], v.Tokens[p.right]
		token := left + right
		if v.kind == wordPiece {
			token = left + right[len(continuing):]
		}
		// Two ways to the same spelling share one entry, and a byte-level one keeps both merges.
		id, seen := known[token]
		if !seen {
			id = int32(len(v.Tokens))
			known[token] = id
			v.Tokens = append(v.Tokens, token)
		}
		v.Merges = append(v.Merges, [2]string{left, right})
		m.merge(p, id)
	}
	return nil
}

// byteRunes maps a byte to the printable character that stands for it in a byte-level vocabulary: itself where it is
// printable in Latin-1, else the next free code point from U+0100 on (GPT-2's bytes_to_unicode).
var byteRunes = func() (table [256]rune) {
	next := rune(0x100)
	for b := range table {
		switch {
		case b > ' ' && b < 0x7f, b > 0xa0 && b != 0xad:
			table[b] = rune(b)
		default:
			table[b] = next
			next++
		}
	}
	return table
}()
