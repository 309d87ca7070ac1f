package models

import (
	"strings"
	"testing"
)

// BenchmarkFillGolden is the cost of one call with a small model, most of it outside the matrix products.
func BenchmarkFillGolden(b *testing.B) {
	m, reference := openMaskedGolden(b, "distilbert")
	texts, offsets := reference.Texts, make([]int, len(reference.Texts))
	for i, text := range texts {
		offsets[i] = strings.Index(text, "[MASK]")
	}
	for b.Loop() {
		if _, err := m.Fill(b.Context(), texts, offsets); err != nil {
			b.Fatal(err)
		}
	}
}
