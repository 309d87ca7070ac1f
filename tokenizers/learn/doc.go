// Package learn makes vocabularies: byte-level BPE as GPT-2 and GPT-NeoX use it, and WordPiece as BERT uses it.
//
// Both are learned from a table of words and how often each occurs ([Words]), never from the text itself, so a
// corpus of any size costs one pass over it. The algorithm is that of Sennrich, Haddow and Birch 2016, "Neural
// Machine Translation of Rare Words with Subword Units" (arXiv 1508.07909): merge the most frequent pair of adjacent
// symbols, again and again, until the vocabulary is full. Pair counts are kept up to date merge by merge and the
// next pair comes from a heap, so a vocabulary of 4096 for the whole Go source tree takes a second or two. Equally
// frequent pairs are merged in the order in which their symbols entered the vocabulary: the result depends on nothing
// but the table.
//
// WordPiece vocabularies are learned by the same merges with "##" before every symbol that continues a word, which
// is what the tokenizers library does too; the likelihood criterion of Schuster and Nakajima 2012 is not used.
//
// The result ([Vocabulary]) writes itself as tokenizer.json and tokenizer_config.json, the files that package
// tokenizers and the Python libraries read.
package learn
