//go:build daulet && cgo

package tokenizers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDauletAgrees compares the Rust library, by way of its Go binding, with our own tokenizers on the texts of every
// kind; those with NUL, at which the binding cuts, are left out and counted.
func TestDauletAgrees(t *testing.T) {
	for _, k := range readKinds(t).Kinds {
		t.Run(k.Name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tokenizer.json")
			if err := os.WriteFile(file, k.File, 0o600); err != nil {
				t.Fatal(err)
			}
			rust, err := OpenDaulet(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			cut := 0
			for _, c := range k.Cases {
				if strings.Contains(c.Text, "\x00") {
					cut++
					continue
				}
				if a, b := ours.Encode(c.Text).IDs, rust.Encode(c.Text).IDs; !slices.Equal(a, b) {
					t.Errorf("%q: %v, the Rust library %v", c.Text, a, b)
				}
				if a, b := ours.Decode(c.IDsSpecial, true), rust.Decode(c.IDsSpecial, true); a != b &&
					!strings.Contains(a, "\x00") {
					t.Errorf("%v decoded: %q, the Rust library %q", c.IDsSpecial, a, b)
				}
			}
			t.Logf("%d texts, of which %d hold NUL", len(k.Cases), cut)
		})
	}
}

// TestDauletGolden checks the Rust library's own answers by way of its Go binding; texts with NUL are beyond it.
func TestDauletGolden(t *testing.T) {
	for _, name := range []string{"bpe_gpt2", "bpe_neox", "wordpiece"} {
		t.Run(name, func(t *testing.T) {
			tok, err := OpenDaulet(filepath.Join(goldenDir, name+".tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			testGolden(t, tok, readGolden(t, name), func(c goldenCase) bool { return strings.Contains(c.Text, "\x00") })
		})
	}
}
