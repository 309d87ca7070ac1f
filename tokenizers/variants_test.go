package tokenizers

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
)

// variant is a tokenizer.json told by its differences from another, with the Rust library's answers.
type variant struct {
	Name   string         `json:"name"`
	Base   string         `json:"base"`   // a reference model or an entry of bases
	Change map[string]any `json:"change"` // sections that differ
	Model  map[string]any `json:"model"`  // fields of the model section that differ
	Size   int            `json:"size"`
	Cases  []goldenCase   `json:"cases"`
}

// readVariants returns the variants so named, or all, each with its whole tokenizer.json.
func readVariants(t testing.TB, names ...string) ([]variant, [][]byte) {
	t.Helper()
	var all struct {
		Bases    map[string]map[string]any `json:"bases"`
		Variants []variant                 `json:"variants"`
	}
	testfile.JSON(t, "testdata/variants.json.gz", &all)
	for _, name := range []string{"gpt2", "bert"} {
		data, err := os.ReadFile(filepath.Join("../testdata/golden/models", name, "tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		var base map[string]any
		if err := json.Unmarshal(data, &base); err != nil {
			t.Fatal(err)
		}
		all.Bases[name] = base
	}
	if len(names) > 0 {
		all.Variants = slices.DeleteFunc(all.Variants, func(v variant) bool { return !slices.Contains(names, v.Name) })
		if len(all.Variants) != len(names) {
			t.Fatalf("%d variants of %v", len(all.Variants), names)
		}
	}
	var files [][]byte
	for _, v := range all.Variants {
		file := maps.Clone(all.Bases[v.Base])
		maps.Copy(file, v.Change)
		model := maps.Clone(file["model"].(map[string]any))
		maps.Copy(model, v.Model)
		file["model"] = model
		data, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return all.Variants, files
}

// TestVariants checks every kind of section against the Rust library's answers on hostile texts.
func TestVariants(t *testing.T) {
	variants, files := readVariants(t)
	for i, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			tok, err := Parse(files[i], nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := tok.VocabSize(); got != v.Size {
				t.Errorf("vocabulary of %d, want %d", got, v.Size)
			}
			if len(v.Cases) == 0 {
				t.Fatal("no cases")
			}
			for _, c := range v.Cases {
				enc := tok.Encode(c.Text)
				if !slices.Equal(enc.IDs, c.IDs) || !slices.Equal(enc.Offsets, c.Offsets) {
					t.Errorf("%q:\n got %v %v\nwant %v %v", c.Text, enc.IDs, enc.Offsets, c.IDs, c.Offsets)
				}
				ids := tok.EncodeSpecial(c.Text).IDs
				if !slices.Equal(ids, c.IDsSpecial) {
					t.Errorf("%q with special tokens:\n got %v\nwant %v", c.Text, ids, c.IDsSpecial)
				}
				if got := tok.Decode(ids, false); got != c.Decode {
					t.Errorf("%q decoded: %q, want %q", c.Text, got, c.Decode)
				}
				if got := tok.Decode(ids, true); got != c.DecodeSkipSpecial {
					t.Errorf("%q decoded without special tokens: %q, want %q", c.Text, got, c.DecodeSkipSpecial)
				}
			}
		})
	}
}
