// Package tokenizers reads tokenizer.json, the format of Hugging Face's tokenizers library, and cuts texts into tokens
// just as that library does: byte-level BPE (GPT-2, GPT-NeoX and Pythia, Llama 3, Qwen, Tekken, DeepSeek, o200k), BPE
// with byte fallback (Llama 2, Mistral, Gemma), Unigram (T5, ALBERT, XLM-R), and WordPiece (BERT, DistilBERT).
//
// [Open] reads a file or a folder:
//
//	tok, err := tokenizers.Open("gpt2") // holds tokenizer.json and tokenizer_config.json
//	ids := tok.Encode(" the lock").IDs
//	tok.TokenString(ids[0])             // " the"
//
// # Stages
//
// A text passes through the sections of the file in turn. Added tokens, such as <|endoftext|>, are found first; what
// lies between them is normalized, cut into words by the pre-tokenizer, and each word split into vocabulary entries by
// the model; the post-processor sets special tokens around, which only EncodeSpecial asks for. Supported are
//
//	normalizer      BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, ByteLevel,
//	                Nmt, Precompiled
//	pre_tokenizer   ByteLevel, BertPreTokenizer, Whitespace, WhitespaceSplit, Digits, Punctuation, Split,
//	                CharDelimiterSplit, Metaspace
//	model           BPE, WordPiece, Unigram
//	post_processor  ByteLevel, BertProcessing, RobertaProcessing, TemplateProcessing
//	decoder         ByteLevel, WordPiece, BPEDecoder, ByteFallback, Fuse, Strip, Replace, Metaspace
//
// and Sequence of each but models. A file that asks for anything else is refused by name. The sections truncation and
// padding are not obeyed: how long a prompt may be is the caller's business.
//
// Go's regular expressions have no look-ahead and another order of alternatives, so the patterns of a Split are
// compiled into automata of our own: whatever Oniguruma's syntax says with one character of context, in time linear in
// the text. Only those of GPT-2 and of Llama 3 and Qwen 2 are written by hand.
//
// # Offsets and hostile texts
//
// Offsets count bytes of the original text, whatever the normalizer did to it, and lie at borders of characters. In a
// text that is not UTF-8 each maximal invalid subpart is read as one U+FFFD; offsets then refer to the text so
// repaired, [ValidText].
//
// Characters are classified as the reference library does, which takes its tables from several versions of Unicode.
//
// # Speed
//
// How a word was split is remembered, in a table of fixed size that goroutines share without locks. A word as long as
// the text is merged with a heap: n log n.
//
// Built with the tag daulet, OpenDaulet gives the same interface over the Rust library itself.
package tokenizers
