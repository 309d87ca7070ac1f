package tokenizers

import (
	"slices"
	"testing"
	"unicode/utf8"
)

// checkEncoding checks what holds of every encoding: as many offsets as ids, all in the text, at borders of characters,
// none before the one it follows.
func checkEncoding(t *testing.T, tok Tokenizer, text string, enc Encoding) {
	t.Helper()
	text = ValidText(text)
	if len(enc.IDs) != len(enc.Offsets) {
		t.Fatalf("%q: %d ids, %d offsets", text, len(enc.IDs), len(enc.Offsets))
	}
	last := 0
	for i, o := range enc.Offsets {
		if o[0] < last || o[0] > o[1] || o[1] > len(text) {
			t.Fatalf("%q: token %d lies at %v after %d, in %d bytes", text, i, o, last, len(text))
		}
		last = o[0]
		for _, at := range o {
			if at < len(text) && !utf8.RuneStart(text[at]) {
				t.Fatalf("%q: token %d lies at %v, inside a character", text, i, o)
			}
		}
	}
	for _, id := range enc.IDs {
		if !utf8.ValidString(tok.TokenString(id)) {
			t.Fatalf("%q: the text of id %d is not UTF-8", text, id)
		}
	}
}

func addTexts(f *testing.F) {
	for _, text := range []string{
		"", " ", "func main() {\n\treturn\n}\n", "don't 'LL", "字 가é\u0301İ", "a\xffb\xe5\xad", "<|endoftext|> [MASK] <|pad",
		"\u3000\r\n \t",
		"👩\u200d👩\u200d👧", "\x00", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		f.Add(text)
	}
}

// FuzzRoundTrip checks that byte-level BPE without a normalizer loses nothing.
func FuzzRoundTrip(f *testing.F) {
	addTexts(f)
	tok, err := Open(goldenDir + "/bpe_gpt2.tokenizer.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		enc := tok.Encode(text)
		checkEncoding(t, tok, text, enc)
		if got := tok.Decode(enc.IDs, false); got != ValidText(text) {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

// FuzzOffsets checks the encodings of normalizing tokenizers.
func FuzzOffsets(f *testing.F) {
	addTexts(f)
	var toks []Tokenizer
	for _, name := range []string{"wordpiece", "bpe_neox"} {
		tok, err := Open(goldenDir + "/" + name + ".tokenizer.json")
		if err != nil {
			f.Fatal(err)
		}
		toks = append(toks, tok)
	}
	toks = append(toks, open(f, "solu"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			enc := tok.Encode(text)
			checkEncoding(t, tok, text, enc)
			if again := tok.Encode(ValidText(text)); !slices.Equal(again.IDs, enc.IDs) {
				t.Fatalf("%q: %v, repaired %v", text, enc.IDs, again.IDs)
			}
			tok.Decode(tok.EncodeSpecial(text).IDs, true)
		}
	})
}

// FuzzParse checks that no file, however hostile, makes Parse or what it returns panic.
func FuzzParse(f *testing.F) {
	const bpe = `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"<0x61>":4},"merges":[["a","b"]],"unk_token":"a","byte_fallback":true}`
	for _, file := range []string{
		`{` + bpe + `}`,
		`{"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":"[\\s]+"},"content":"▁"},{"type":"Prepend","prepend":"x"}]},` + bpe + `}`,
		`{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|\\d"},"behavior":"MergedWithNext","invert":true},{"type":"ByteLevel"}]},` + bpe + `}`,
		`{"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"first"},"decoder":{"type":"Metaspace"},` + bpe + `}`,
		`{"added_tokens":[{"id":9,"content":"a b","lstrip":true,"rstrip":true,"single_word":true,"normalized":true,"special":true}],` + bpe + `}`,
		`{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[C]"}},{"Sequence":{"id":"A"}}],"special_tokens":{"[C]":{"ids":[7,-1]}}},` + bpe + `}`,
		`{"decoder":{"type":"Sequence","decoders":[{"type":"Strip","content":" ","start":1,"stop":9},{"type":"ByteFallback"},{"type":"Fuse"}]},` + bpe + `}`,
		`{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},"model":{"vocab":{"[UNK]":0,"a":1,"##b":2},"max_input_chars_per_word":3}}`,
		`{"model":{"type":"BPE","vocab":{"a":4194303},"merges":[]}}`,
		`{"model":{"type":"BPE","vocab":{},"merges":["#version: 0.2"],"continuing_subword_prefix":"##","end_of_word_suffix":"</w>","fuse_unk":true}}`,
	} {
		f.Add([]byte(file), []byte(`{"bos_token":"a"}`))
	}
	f.Fuzz(func(t *testing.T, file, config []byte) {
		tok, err := Parse(file, config)
		if err != nil {
			return
		}
		for _, text := range []string{"", "ab a b  \n", "字é\u0301 don't\xff", "a b"} {
			enc := tok.EncodeSpecial(text)
			if len(enc.IDs) != len(enc.Offsets) {
				t.Fatalf("%d ids, %d offsets", len(enc.IDs), len(enc.Offsets))
			}
			for _, o := range enc.Offsets {
				if o[0] < 0 || o[0] > o[1] || o[1] > len(ValidText(text)) {
					t.Fatalf("%q: offset %v", text, o)
				}
			}
			tok.Decode(enc.IDs, true)
			for _, id := range enc.IDs {
				tok.TokenString(id)
			}
		}
	})
}
