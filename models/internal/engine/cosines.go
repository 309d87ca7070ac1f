package engine

import "math"

// embeddingTable are the embeddings of tokens (rows of W_E), [d_vocab, d_model], and their lengths.
type embeddingTable struct{ values, lengths []float32 }

func (e *Causal) readEmbeddings() (*embeddingTable, error) {
	values, err := e.parameters.hostEmbeddings()
	if err != nil {
		return nil, err
	}
	d := e.shape.DModel
	t := &embeddingTable{values, make([]float32, len(values)/d)}
	for id := range t.lengths {
		sum := 0.0
		for _, v := range values[id*d : (id+1)*d] {
			sum += float64(v) * float64(v)
		}
		t.lengths[id] = float32(math.Sqrt(sum))
	}
	return t, nil
}

// Cosines are those between the embedding of a token and of every token, [d_vocab]; 0 for embeddings of no length.
func (e *Causal) Cosines(id int) ([]float32, error) {
	table, err := e.embeddings()
	if err != nil {
		return nil, err
	}
	d := e.shape.DModel
	cosines := make([]float32, len(table.lengths))
	own := table.values[id*d : (id+1)*d]
	for other, length := range table.lengths {
		if scale := length * table.lengths[id]; scale > 0 {
			cosines[other] = dot(own, table.values[other*d:(other+1)*d]) / scale
		}
	}
	return cosines, nil
}

// dot is a·b, summed in four parts, which a processor adds side by side.
func dot(a, b []float32) float32 {
	var sum [4]float32
	b = b[:len(a)]
	for len(a) >= 4 {
		for i := range 4 {
			sum[i] += a[i] * b[i]
		}
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		sum[0] += v * b[i]
	}
	return sum[0] + sum[1] + sum[2] + sum[3]
}
