package tokenizers

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
)

const goldenDir = "../testdata/golden/tokenizers"

// goldenCase is a text with the Rust library's answers.
type goldenCase struct {
	Kind              string   `json:"kind"`
	Text              string   `json:"text"`
	TextB64           []byte   `json:"text_b64"`
	IDs               []int    `json:"ids"`
	IDsSpecial        []int    `json:"ids_special"`
	Offsets           [][2]int `json:"offsets"`
	Pieces            []string `json:"pieces"`
	Decode            string   `json:"decode"`
	DecodeSkipSpecial string   `json:"decode_skip_special"`
}

func readGolden(t testing.TB, name string) []goldenCase {
	t.Helper()
	var cases []goldenCase
	for line := range bytes.Lines(testfile.Read(t, filepath.Join(goldenDir, name+".cases.jsonl.gz"))) {
		var c goldenCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.TextB64 != nil {
			c.Text = string(c.TextB64)
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no case", name)
	}
	return cases
}

// testGolden checks a tokenizer against every golden case; skip tells cases that the implementation cannot do.
func testGolden(t *testing.T, tok Tokenizer, cases []goldenCase, skip func(c goldenCase) bool) {
	t.Helper()
	bad := 0
	wrong := func(c goldenCase, what string, got, want any) {
		if bad++; bad <= 10 {
			t.Errorf("%s %q: %s\n got %v\nwant %v", c.Kind, c.Text, what, got, want)
		}
	}
	for _, c := range cases {
		if skip != nil && skip(c) {
			continue
		}
		enc := tok.Encode(c.Text)
		if !slices.Equal(enc.IDs, c.IDs) {
			wrong(c, "ids", enc.IDs, c.IDs)
			continue
		}
		if !slices.Equal(enc.Offsets, c.Offsets) {
			wrong(c, "offsets", enc.Offsets, c.Offsets)
		}
		if got := tok.EncodeSpecial(c.Text).IDs; !slices.Equal(got, c.IDsSpecial) {
			wrong(c, "ids with special tokens", got, c.IDsSpecial)
		}
		for i, id := range c.IDs {
			if got := tok.TokenString(id); got != c.Pieces[i] {
				wrong(c, "piece", got, c.Pieces[i])
				break
			}
		}
		if got := tok.Decode(c.IDs, false); got != c.Decode {
			wrong(c, "decode", got, c.Decode)
		}
		if got := tok.Decode(c.IDs, true); got != c.DecodeSkipSpecial {
			wrong(c, "decode without special tokens", got, c.DecodeSkipSpecial)
		}
	}
	if bad > 0 {
		t.Errorf("%d differences in %d cases", bad, len(cases))
	}
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"bpe_gpt2", "bpe_neox", "wordpiece"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := Open(filepath.Join(goldenDir, name+".tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			testGolden(t, tok, readGolden(t, name), nil)
		})
	}
}

// TestModels checks the tokenizers of the reference models against the ids and token strings used with them.
func TestModels(t *testing.T) {
	for _, name := range []string{"solu", "gpt2", "gptneo", "pythia"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../testdata/golden/models", name)
			tok, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, "ref.json"))
			if err != nil {
				t.Fatal(err)
			}
			var ref struct {
				Inputs []struct {
					Text      string   `json:"text"`
					IDs       []int    `json:"ids"`
					StrTokens []string `json:"str_tokens"`
				} `json:"inputs"`
			}
			if err := json.Unmarshal(data, &ref); err != nil || len(ref.Inputs) == 0 {
				t.Fatal(err, len(ref.Inputs))
			}
			for _, in := range ref.Inputs {
				ids := append([]int{tok.Special().BOS}, tok.Encode(in.Text).IDs...)
				ids = ids[:min(len(ids), len(in.IDs))] // texts were cut to the context after tokenization
				if !slices.Equal(ids, in.IDs) {
					t.Errorf("%q:\n got %v\nwant %v", in.Text, ids, in.IDs)
					continue
				}
				for i, want := range in.StrTokens {
					if got := tok.TokenString(ids[i]); got != want {
						t.Errorf("%q, token %d: %q, want %q", in.Text, i, got, want)
					}
				}
			}
		})
	}
}
