//go:build daulet && cgo

package tokenizers

import (
	"path/filepath"
	"strings"
	"testing"
)

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
