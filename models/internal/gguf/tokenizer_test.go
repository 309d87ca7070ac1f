package gguf_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// alphabet is GPT-2's letters of the bytes 0 to 255.
var alphabet = func() []string {
	var letters []string
	next := rune(0x100)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			letters = append(letters, string(rune(b)))
			continue
		}
		letters = append(letters, string(next))
		next++
	}
	return letters
}()

// withTokenizer is a file of no tensors with a tokenizer of all bytes, "12", " a", a control and a user-defined token.
func withTokenizer(change map[string]any) []byte {
	tokens := append(slices.Clone(alphabet), "12", "Ġa", "<s>", "đem")
	types := make([]int32, len(tokens))
	for i := range types {
		types[i] = 1
	}
	types[258], types[259] = 3, 4
	values := map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens,
		"tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": []string{"1 2", "Ġ a"},
		"tokenizer.ggml.bos_token_id": uint32(258), "tokenizer.ggml.eos_token_id": uint32(258),
	}
	for key, value := range change {
		if values[key] = value; value == nil {
			delete(values, key)
		}
	}
	b := head(3, 0, uint64(len(values)))
	for key, value := range values {
		b.put(key)
		switch v := value.(type) {
		case string:
			b.put(uint32(8), v)
		case uint32:
			b.put(uint32(4), v)
		case bool:
			b.put(uint32(7), v)
		case []int32:
			b.put(uint32(9), uint32(5), uint64(len(v)), v)
		case []float32:
			b.put(uint32(9), uint32(6), uint64(len(v)), v)
		case []string:
			b.put(uint32(9), uint32(8), uint64(len(v)))
			for _, s := range v {
				b.put(s)
			}
		}
	}
	return b.Bytes()
}

func TestTokenizer(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]any
		text   string
		want   []int
		bos    int
	}{
		{"digits together", nil, "12 a", []int{256, 257}, 258},
		{"digits apart", map[string]any{"tokenizer.ggml.pre": "smollm"}, "12 a", []int{'1', '2', 257}, 258},
		{"qwen2", map[string]any{"tokenizer.ggml.pre": "qwen2"}, "12 a", []int{'1', '2', 257}, 258},
		{"llama", map[string]any{"tokenizer.ggml.pre": "llama-bpe"}, "12 a", []int{256, 257}, 258},
		{"added tokens", nil, "<s>12đem a", []int{258, 256, 259, 257}, 258},
		{"nothing in front", map[string]any{"tokenizer.ggml.add_bos_token": false}, "1", []int{'1'}, -1},
		{"no types", map[string]any{"tokenizer.ggml.token_type": nil}, "1", []int{'1'}, 258},
	} {
		f, err := gguf.Parse(withTokenizer(c.change))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := f.Tokenizer()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := tok.Encode(c.text).IDs; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := tok.Decode(c.want, false); got != c.text {
			t.Errorf("%s: decoded %q, want %q", c.name, got, c.text)
		}
		if got := tok.Special().BOS; got != c.bos {
			t.Errorf("%s: BOS %d, want %d", c.name, got, c.bos)
		}
		again := written(t, f)
		if got := again.Encode(c.text).IDs; !slices.Equal(got, c.want) || again.Special() != tok.Special() {
			t.Errorf("%s: written as files %v, want %v", c.name, got, c.want)
		}
	}
}

// written is the tokenizer read from the files as which another is written.
func written(t *testing.T, f *gguf.File) tokenizers.Tokenizer {
	t.Helper()
	text, config, err := f.TokenizerFiles()
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizers.Parse(text, config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestTokenizerKinds writes tokenizers of every kind that package tokenizers is tested with into GGUF files, and finds
// the Rust library's answers.
func TestTokenizerKinds(t *testing.T) {
	var all struct {
		Kinds []struct {
			Name string
			File struct {
				Added []struct{ Content string } `json:"added_tokens"`
				Model struct {
					Vocab  json.RawMessage
					Merges [][2]string
				}
			}
			Cases []struct {
				Text       string
				IDs        []int
				IDsSpecial []int `json:"ids_special"`
				Decode     string
			}
		}
	}
	testfile.JSON(t, "../../../tokenizers/testdata/kinds.json.gz", &all)
	names := map[string]string{"tekken": "tekken", "o200k": "gpt-4o", "qwen35": "qwen35", "deepseek": "deepseek-v3",
		"llama3": "llama-bpe", "llama2": ""}
	for _, kind := range all.Kinds {
		pre, ok := names[kind.Name]
		if !ok {
			continue
		}
		delete(names, kind.Name)
		var vocab map[string]int
		if err := json.Unmarshal(kind.File.Model.Vocab, &vocab); err != nil {
			t.Fatal(err)
		}
		tokens, types, scores := make([]string, len(vocab)), make([]int32, len(vocab)), make([]float32, len(vocab))
		for token, id := range vocab {
			tokens[id], types[id], scores[id] = token, 1, float32(-id)
		}
		for _, added := range kind.File.Added {
			types[vocab[added.Content]] = 3
		}
		var merges []string
		for _, pair := range kind.File.Model.Merges {
			merges = append(merges, pair[0]+" "+pair[1])
		}
		change := map[string]any{
			"tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types,
			"tokenizer.ggml.merges":       merges,
			"tokenizer.ggml.bos_token_id": nil, "tokenizer.ggml.eos_token_id": nil,
		}
		if pre == "" {
			types[0] = 2
			change["tokenizer.ggml.model"], change["tokenizer.ggml.pre"], change["tokenizer.ggml.merges"] = "llama", nil, nil
			change["tokenizer.ggml.scores"], change["tokenizer.ggml.unknown_token_id"] = scores, uint32(0)
			change["tokenizer.ggml.bos_token_id"] = uint32(vocab["<s>"])
		}
		file, err := gguf.Parse(withTokenizer(change))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := file.Tokenizer()
		if err != nil {
			t.Errorf("%s: %v", kind.Name, err)
			continue
		}
		again := written(t, file)
		for _, c := range kind.Cases {
			if got := again.EncodeSpecial(c.Text).IDs; !slices.Equal(got, c.IDsSpecial) {
				t.Errorf("%s: %q, written as files, is %v, want %v", kind.Name, c.Text, got, c.IDsSpecial)
			}
			if got := tok.Encode(c.Text).IDs; !slices.Equal(got, c.IDs) {
				t.Errorf("%s: %q is %v, want %v", kind.Name, c.Text, got, c.IDs)
			}
			if got := tok.EncodeSpecial(c.Text).IDs; !slices.Equal(got, c.IDsSpecial) {
				t.Errorf("%s: %q with special tokens is %v, want %v", kind.Name, c.Text, got, c.IDsSpecial)
			}
			if got := tok.Decode(c.IDsSpecial, false); got != c.Decode {
				t.Errorf("%s: %v decoded is %q, want %q", kind.Name, c.IDsSpecial, got, c.Decode)
			}
		}
	}
	if len(names) > 0 {
		t.Errorf("not there: %v", names)
	}
}

func TestHostileTokenizers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"none", map[string]any{"tokenizer.ggml.model": nil, "tokenizer.ggml.tokens": nil}, "holds none"},
		{"another kind", map[string]any{"tokenizer.ggml.model": "rwkv"}, `"rwkv"`},
		{"unknown pattern", map[string]any{"tokenizer.ggml.pre": "new"}, `"new"`},
		{"no scores", map[string]any{"tokenizer.ggml.model": "llama"}, "0 scores"},
		{"no merges", map[string]any{"tokenizer.ggml.merges": nil}, "merges"},
		{"merges are a text", map[string]any{"tokenizer.ggml.merges": "1 2"}, "list of texts"},
		{"odd merge", map[string]any{"tokenizer.ggml.merges": []string{"12"}}, "two parts"},
		{"merge of nothing known", map[string]any{"tokenizer.ggml.merges": []string{"x yz"}}, "vocabulary"},
		{"too few types", map[string]any{"tokenizer.ggml.token_type": []int32{1}}, "1 types"},
		{"a token twice", map[string]any{"tokenizer.ggml.tokens": []string{"a", "a"}, "tokenizer.ggml.token_type": nil,
			"tokenizer.ggml.bos_token_id": nil, "tokenizer.ggml.eos_token_id": nil}, `both "a"`},
		{"BOS outside", map[string]any{"tokenizer.ggml.bos_token_id": uint32(260)}, "bos_token_id"},
		{"BOS a text", map[string]any{"tokenizer.ggml.bos_token_id": "<s>"}, "bos_token_id"},
		{"BOS beyond 32 bits", map[string]any{"tokenizer.ggml.bos_token_id": uint32(1<<32 - 1)}, "bos_token_id"},
	} {
		f, err := gguf.Parse(withTokenizer(c.change))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Tokenizer(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
