package engine

// Cache holds every value of one run, by TransformerLens's names.
type Cache struct {
	Values map[string][][]float32 // [position][width]
	Logits [][]float32            // [position][d_vocab]
}
