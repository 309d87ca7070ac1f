package tokenizers

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
)

// kinds are tokenizers of many kinds and splitting patterns, with the Rust library's answers (testdata/make.py).
type kinds struct {
	CharsMap string `json:"charsmap"`
	Kinds    []struct {
		Name  string          `json:"name"`
		File  json.RawMessage `json:"file"`
		Cases []goldenCase    `json:"cases"`
	} `json:"kinds"`
	Patterns []struct {
		Pattern string `json:"pattern"`
		Cases   []struct {
			Text  string   `json:"text"`
			Spans [][2]int `json:"spans"` // in characters
		} `json:"cases"`
	} `json:"patterns"`
}

// readKinds reads the sample, or what N2G_TOKENIZER_CASES names: as many texts as one likes.
func readKinds(t testing.TB) kinds {
	t.Helper()
	name := "testdata/kinds.json.gz"
	if other := os.Getenv("N2G_TOKENIZER_CASES"); other != "" {
		name = other
	}
	var all kinds
	testfile.JSON(t, name, &all)
	for i := range all.Kinds {
		k := &all.Kinds[i]
		k.File = bytes.ReplaceAll(k.File, []byte("$charsmap"), []byte(all.CharsMap))
	}
	return all
}

// mostReported bounds the lines of a failing test.
const mostReported = 10

func TestKinds(t *testing.T) {
	for _, k := range readKinds(t).Kinds {
		t.Run(k.Name, func(t *testing.T) {
			tok, err := Parse(k.File, nil)
			if err != nil {
				t.Fatal(err)
			}
			wrong := 0
			report := func(c goldenCase, what string, got, want any) {
				if wrong++; wrong <= mostReported {
					t.Errorf("%q %s:\n got %v\nwant %v", c.Text, what, got, want)
				}
			}
			for _, c := range k.Cases {
				enc := tok.Encode(c.Text)
				if !slices.Equal(enc.IDs, c.IDs) {
					report(c, "ids", enc.IDs, c.IDs)
				} else if !slices.Equal(enc.Offsets, c.Offsets) {
					report(c, "offsets", enc.Offsets, c.Offsets)
				}
				if ids := tok.EncodeSpecial(c.Text).IDs; !slices.Equal(ids, c.IDsSpecial) {
					report(c, "ids with special tokens", ids, c.IDsSpecial)
				}
				if got := tok.Decode(c.IDsSpecial, false); got != c.Decode {
					report(c, "decoded", []byte(got), []byte(c.Decode))
				}
				if got := tok.Decode(c.IDsSpecial, true); got != c.DecodeSkipSpecial {
					report(c, "decoded without special tokens", []byte(got), []byte(c.DecodeSkipSpecial))
				}
			}
			if wrong > 0 {
				t.Errorf("%d differences in %d texts", wrong, len(k.Cases))
			}
			t.Logf("%d texts", len(k.Cases))
		})
	}
}

// TestExpressions holds the matcher of splitting patterns to Oniguruma's, which the Rust library has.
func TestExpressions(t *testing.T) {
	texts, wrong := 0, 0
	for _, p := range readKinds(t).Patterns {
		a, err := compileRegex(p.Pattern)
		if err != nil {
			t.Errorf("%s: %v", p.Pattern, err)
			continue
		}
		for _, c := range p.Cases {
			texts++
			place := make([]int, len(c.Text)+1) // characters before a byte
			n := 0
			for i := range c.Text {
				place[i] = n
				n++
			}
			place[len(c.Text)] = n
			var got [][2]int
			a.find(c.Text, func(i, j int) { got = append(got, [2]int{place[i], place[j]}) })
			if !slices.Equal(got, c.Spans) {
				if wrong++; wrong <= mostReported {
					t.Errorf("%s on %q:\n got %v\nwant %v", p.Pattern, c.Text, got, c.Spans)
				}
			}
		}
	}
	t.Logf("%d texts, %d wrong", texts, wrong)
}
