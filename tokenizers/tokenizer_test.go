package tokenizers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func open(t testing.TB, name string) Tokenizer {
	t.Helper()
	tok, err := Open(filepath.Join("../testdata/golden/models", name))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestSpecial(t *testing.T) {
	for name, want := range map[string]Special{
		"solu":       {BOS: 0, EOS: 0, Pad: 1, Mask: -1, Unknown: 0, CLS: -1, Sep: -1},
		"distilbert": {BOS: -1, EOS: -1, Pad: 0, Mask: 4, Unknown: 1, CLS: 2, Sep: 3},
	} {
		if got := open(t, name).Special(); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for file, want := range map[string]Special{
		"bpe_gpt2":  {BOS: 0, EOS: 0, Pad: -1, Mask: -1, Unknown: -1, CLS: -1, Sep: -1},
		"bpe_neox":  {BOS: 0, EOS: 0, Pad: 16000, Mask: -1, Unknown: -1, CLS: -1, Sep: -1},
		"wordpiece": {BOS: -1, EOS: -1, Pad: 0, Mask: 4, Unknown: 1, CLS: 2, Sep: 3},
	} {
		tok, err := Open(filepath.Join(goldenDir, file+".tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Special(); got != want {
			t.Errorf("%s: %+v, want %+v", file, got, want)
		}
	}
}

// TestConfig checks the spellings of special tokens that tokenizer_config.json has.
func TestConfig(t *testing.T) {
	file := []byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"<|endoftext|>":2},"merges":[]}}`)
	tok, err := Parse(file,
		[]byte(
			`{"bos_token":{"content":"b","lstrip":false},"eos_token":"a","pad_token":null,"mask_token":"absent","cls_token":7}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.Special(),
		(Special{BOS: 1, EOS: 0, Pad: -1, Mask: -1, Unknown: -1, CLS: -1, Sep: -1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestNoBOS has files that put nothing in front of a prompt: null is not the same as silence.
func TestNoBOS(t *testing.T) {
	file := []byte(`{"model":{"type":"BPE","vocab":{"a":0,"<|endoftext|>":1},"merges":[]}}`)
	for config, want := range map[string]int{
		``:                     1,
		`{}`:                   1,
		`{"bos_token":"a"}`:    0,
		`{"bos_token":"gone"}`: 1,
		`{"bos_token":null}`:   -1,
		`{"bos_token":"a","add_bos_token":false}`:            -1,
		`{"bos_token":"a","add_bos_token":true}`:             0,
		`{"bos_token":"a","add_bos_token":null}`:             0,
		`{"bos_token":null,"add_bos_token":true}`:            -1,
		`{"bos_token":{"content":"a"},"add_bos_token":true}`: 0,
	} {
		tok, err := Parse(file, []byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Special(); got.BOS != want || got.EOS != 1 {
			t.Errorf("%s: %+v, want BOS %d and EOS 1", config, got, want)
		}
	}
}

// TestAddedText checks that an added token comes out as it is written, also where its letters stand for bytes in
// GPT-2's alphabet, and that one which is a byte's own letter is that byte.
func TestAddedText(t *testing.T) {
	vocab := map[string]int{}
	for b, r := range byteRune {
		vocab[string(r)] = b
	}
	vocab["Éd"] = 256 // of the bytes C9 64
	vocab["đem"] = 257
	file, err := json.Marshal(map[string]any{
		"added_tokens": []map[string]any{{"content": "đem"}, {"content": "Ğü"}, {"content": "É"}, {"content": "字Ġ"},
			{"content": "Éd"}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false},
		"decoder":       map[string]any{"type": "Sequence", "decoders": []map[string]any{{"type": "ByteLevel"}}},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{"É d"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	const text = "a đem b Ğü字Ġ\n"
	enc := tok.Encode(text)
	if want := []int{97, 32, 257, 32, 98, 32, 258, 259, 10}; !slices.Equal(enc.IDs, want) {
		t.Errorf("%q is %v, want %v", text, enc.IDs, want)
	}
	if got := tok.Decode(enc.IDs, false); got != text {
		t.Errorf("%v decoded is %q, want %q", enc.IDs, got, text)
	}
	for id, want := range map[int]string{257: "đem", 258: "Ğü", 259: "字Ġ", 256: "\uFFFDd", 0xC9: "\uFFFD"} {
		if got := tok.TokenString(id); got != want {
			t.Errorf("token %d alone is %q, want %q", id, got, want)
		}
	}
	// The letters of one character, each the byte's own.
	if got := tok.Decode([]int{0xC4, 0x91}, false); got != "đ" {
		t.Errorf("two bytes decoded are %q, want đ", got)
	}
}

// TestTables checks a tokenizer whose tables lie elsewhere against that of the same file.
func TestTables(t *testing.T) {
	data, err := os.ReadFile("../testdata/golden/models/gpt2/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	var model struct {
		Vocab  map[string]int
		Merges json.RawMessage
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file["model"], &model); err != nil {
		t.Fatal(err)
	}
	tables := Tables{Tokens: make([]string, len(model.Vocab))}
	for token, id := range model.Vocab {
		tables.Tokens[id] = token
	}
	pairs, err := parseMerges(model.Merges)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range pairs {
		tables.Merges = append(tables.Merges, pair[0]+" "+pair[1])
	}
	file["model"] = json.RawMessage(`{"type":"BPE"}`)
	small, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseTables(small, nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Special() != want.Special() || got.VocabSize() != want.VocabSize() {
		t.Errorf("%+v with %d entries, want %+v with %d", got.Special(), got.VocabSize(), want.Special(), want.VocabSize())
	}
	for _, c := range readGolden(t, "bpe_gpt2")[:500] {
		a, b := got.Encode(c.Text), want.Encode(c.Text)
		if !slices.Equal(a.IDs, b.IDs) || !slices.Equal(a.Offsets, b.Offsets) ||
			got.Decode(a.IDs, false) != want.Decode(b.IDs, false) {
			t.Fatalf("%q: %v, want %v", c.Text, a, b)
		}
	}
	for _, wrong := range []Tables{
		{Tokens: []string{"a", "a"}}, {Tokens: []string{"a", "b"}, Merges: []string{"a b"}},
		{Tokens: []string{"a"}, Merges: []string{"a"}},
	} {
		if _, err := ParseTables(small, nil, wrong); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

func TestIDs(t *testing.T) {
	tok := open(t, "solu")
	if got := tok.VocabSize(); got != 4096 {
		t.Errorf("vocabulary of %d, want 4096", got)
	}
	if id, ok := tok.ID("Ġthe"); !ok || tok.TokenString(id) != " the" {
		t.Errorf("Ġthe: %d, %v, %q", id, ok, tok.TokenString(id))
	}
	if id, ok := tok.ID("<|padding|>"); !ok || id != 1 {
		t.Errorf("<|padding|>: %d, %v, want 1", id, ok)
	}
	if id, ok := tok.ID("no such token"); ok {
		t.Errorf("an absent token has id %d", id)
	}
	for _, id := range []int{-1, 4096, 1 << 40} {
		if got := tok.TokenString(id); got != "" {
			t.Errorf("id %d is %q, want nothing", id, got)
		}
		if got := tok.Decode([]int{id}, false); got != "" {
			t.Errorf("id %d decodes to %q, want nothing", id, got)
		}
	}
	piece := open(t, "distilbert")
	if id, ok := piece.ID("##ing"); !ok || piece.TokenString(id) != "##ing" {
		t.Errorf("##ing: %d, %v, %q", id, ok, piece.TokenString(id))
	}
}

// TestLeadingSpace checks that a token by itself keeps its leading space where the decoder drops that of a whole text.
func TestLeadingSpace(t *testing.T) {
	variants, files := readVariants(t, "llama2", "metaalways1")
	for i, v := range variants {
		tok, err := Parse(files[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		id, ok := tok.ID("▁")
		if got := tok.TokenString(id); !ok || got != " " {
			t.Errorf("%s: ▁ by itself is %q, want a space", v.Name, got)
		}
		if got := tok.Decode(tok.Encode("ab c").IDs, false); got != "ab c" {
			t.Errorf("%s: decoded %q, want %q", v.Name, got, "ab c")
		}
	}
}

// TestBadInput checks that each fault is told in one sentence with its cause.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bpe := func(sections string) string {
		return `{` + sections + `"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}`
	}
	write("config/tokenizer.json", bpe(""))
	write("config/tokenizer_config.json", `{"bos_token":`)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, content, want string }{
		{"absent", "", "no such file"},
		{"empty", "", "tokenizer.json"},
		{"config", "", "tokenizer_config.json"},
		{"void.json", " ", "not valid JSON"},
		{"cut.json", `{"model":{"type":"BPE","vocab":{"a":`, "not valid JSON at byte 36 of 36"},
		{"list.json", `[1]`, "no tokenizer.json"},
		{"null.json", `null`, "no model section"},
		{"nomodel.json", `{"version":"1.0"}`, "no model section"},
		{"pieces.json", `{"model":{"type":"Unigram","vocab":{"a":0}}}`, "no list of tokens and scores"},
		{"nothing.json", `{"model":{"type":"Unigram","vocab":[]}}`, "no vocab"},
		{"score.json", `{"model":{"type":"Unigram","vocab":[["a","b"]]}}`, "is no number"},
		{"triple.json", `{"model":{"type":"Unigram","vocab":[["a",1,2]]}}`, "is no number"},
		{"unknown.json", `{"model":{"vocab":[["a",0.5]],"unk_id":1}}`, "unk_id is 1"},
		{"map.json", `{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAA"},"model":{"vocab":[["a",0.5]]}}`,
			"Precompiled"},
		{"trie.json",
			`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"CAAAAAAAAAA="},"model":{"vocab":[["a",0.5]]}}`,
			"a trie of 8 bytes"},
		{"unclear.json", `{"model":{"vocab":{"a":1}}}`, "no type"},
		{"wordlevel.json", `{"model":{"type":"WordLevel","vocab":{"a":1},"unk_token":"a"}}`, `"WordLevel"`},
		{"novocab.json", `{"model":{"type":"BPE","merges":[]}}`, "no vocab"},
		{"vocab.json", `{"model":{"type":"BPE","vocab":{"a":"b"},"merges":[]}}`, "no table of tokens and ids"},
		{"nullvocab.json", `{"model":{"type":"BPE","vocab":null,"merges":[]}}`, "no table of tokens and ids"},
		{"negative.json", `{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`, `"a" has id -1`},
		{"large.json", `{"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}}`, `the id of "a" is no number`},
		{"far.json", `{"model":{"type":"BPE","vocab":{"a":70000},"merges":[]}}`, `"a" has id 70000`},
		{"merge.json", `{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`, `"a" and "b"`},
		{"result.json", `{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}}`,
			`"ab" is not in the vocabulary`},
		{"parts.json", `{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}`, "1 parts"},
		{"blank.json", `{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}`, "two parts"},
		{"dropout.json", `{"model":{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}}`, "dropout"},
		{"unk.json", `{"model":{"type":"WordPiece","vocab":{"a":0}}}`, `"[UNK]" is not in the vocabulary`},
		{"norm.json", bpe(`"normalizer":{"type":"Precompiled"},`), "Precompiled: precompiled_charsmap is too short"},
		{"notype.json", bpe(`"normalizer":{},`), "no type"},
		{"text.json", bpe(`"normalizer":"NFC",`), "normalizer"},
		{"pre.json", bpe(`"pre_tokenizer":{"type":"UnicodeScripts"},`), `"UnicodeScripts"`},
		{"post.json", bpe(`"post_processor":{"type":"Postal"},`), `"Postal"`},
		{"dec.json", bpe(`"decoder":{"type":"CTC"},`), `"CTC"`},
		{"ahead.json", bpe(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a(?=bc)"},"behavior":"Isolated"},`),
			`more than one character`},
		{"backref.json", bpe(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a)\\1"},"behavior":"Isolated"},`),
			`is not supported`},
		{"behavior.json", bpe(`"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Odd"},`), `"Odd"`},
		{"nopattern.json", bpe(`"pre_tokenizer":{"type":"Split","behavior":"Isolated"},`), "pattern"},
		{"cls.json", bpe(`"post_processor":{"type":"BertProcessing","cls":["a",0]},`), "cls and sep"},
		{"template.json", bpe(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]},`),
			`"x"`},
		{"blowup.json", bpe(`"normalizer":{"type":"Sequence","normalizers":[` +
			strings.Repeat(`{"type":"Replace","pattern":{"String":"a"},"content":"aa"},`, 40) + `{"type":"NFC"}]},`),
			"lengthen"},
		{"bytes.json", bpe(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[` +
			strings.Repeat(`{"type":"ByteLevel"},`, 40) + `{"type":"Whitespace"}]},`), "lengthen"},
		{"decoder.json", bpe(`"decoder":{"type":"Sequence","decoders":[` +
			strings.Repeat(`{"type":"Replace","pattern":{"String":"a"},"content":"aa"},`, 40) + `{"type":"Fuse"}]},`),
			"lengthen"},
		{"steps.json", bpe(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[` +
			strings.Repeat(`{"type":"Whitespace"},`, 300) + `{"type":"Whitespace"}]},`), "301 steps"},
		{"deep.json", bpe(`"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 50) +
			strings.Repeat(`]}`, 50) + `,`), "deeper"},
	} {
		path := filepath.Join(dir, c.name)
		if c.content != "" {
			write(c.name, c.content)
		}
		tok, err := Open(path)
		if err == nil {
			t.Errorf("%s: opened, %d entries", c.name, tok.VocabSize())
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want one line with the path and %q", c.name, err, c.want)
		}
	}
}

func TestValidText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a字":                       "a字",
		"\xff":                     "�",
		"\xff\xfe":                 "��",
		"\xe5\xad":                 "�",  // a character cut off is one
		"\xe5\xadx":                "�x", //
		"\xf0\x9f\x98":             "�",
		"\xf0\x9f\x98\xf0\x9f\x98": "��",
		"\xed\xa0\x80":             "���", // a surrogate: no prefix of a character
		"\xe0\x80\x80":             "���", // overlong
		"\xf4\x90\x80\x80":         "����",
		"\xc0\xaf":                 "��",
		"\xf1\x80\x80\xc2":         "��",
		"�":                        "�",
	} {
		if got := ValidText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestMissingType checks that a file of old without model.type is read as what it is.
func TestMissingType(t *testing.T) {
	for _, name := range []string{"bpe_gpt2", "wordpiece"} {
		data, err := os.ReadFile(filepath.Join(goldenDir, name+".tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		var file map[string]any
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		delete(file["model"].(map[string]any), "type")
		if data, err = json.Marshal(file); err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		testGolden(t, tok, readGolden(t, name)[:300], nil)
	}
}

// TestMergeOrder checks the two ways of merging against one another: short words by search, long ones by heap.
func TestMergeOrder(t *testing.T) {
	tok := open(t, "gpt2").(*pipeline)
	m := tok.model.(*bpe)
	for _, c := range readGolden(t, "bpe_gpt2")[:800] {
		for word := c.Text; word != ""; word = word[min(len(word), 31):] {
			part := word[:min(len(word), 31)]
			short := m.mergeShort(m.symbols(part))
			long := m.mergeLong(m.symbols(part))
			if !slices.Equal(short, long) {
				t.Fatalf("%q: %v by search, %v by heap", part, short, long)
			}
		}
	}
}

// TestConcurrent has many goroutines share one tokenizer and its cache; run it with -race.
func TestConcurrent(t *testing.T) {
	cases := readGolden(t, "bpe_neox")[:400]
	tok, err := Open(filepath.Join(goldenDir, "bpe_neox.tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := range cases {
				c := cases[(i*(k+1))%len(cases)]
				if got := tok.Encode(c.Text).IDs; !slices.Equal(got, c.IDs) {
					t.Errorf("%q: %v, want %v", c.Text, got, c.IDs)
					return
				}
			}
		})
	}
	wg.Wait()
}
