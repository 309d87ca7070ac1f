package corpus

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzCheckpoint: whatever a checkpoint's file holds, reading it ends with a checkpoint or an error, also where its checksum is
// right.
func FuzzCheckpoint(f *testing.F) {
	path := filepath.Join(f.TempDir(), "pass")
	c := checkpoint{ID: passID{Model: "m", Layers: []int{0}}, Width: 2, Spans: []Span{{Text: "a"}}, Held: []int32{1, 0}, Scores: []float32{1}, Of: []int32{0}, Positions: []int32{3}}
	if err := c.write(path); err != nil {
		f.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content[len(checkpointFormat) : len(content)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		path := filepath.Join(t.TempDir(), "pass")
		if err := os.WriteFile(path, slices.Concat([]byte(checkpointFormat), body, sum[:]), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := readCheckpoint(path); err == nil && c == nil {
			t.Error("neither a checkpoint nor an error")
		}
	})
}
