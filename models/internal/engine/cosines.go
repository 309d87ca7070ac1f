package engine

import (
	"math"

	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

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
	kernels.Compare(cosines, table.values[id*d:(id+1)*d], table.values)
	for other, length := range table.lengths {
		if scale := length * table.lengths[id]; scale > 0 {
			cosines[other] /= scale
		}
	}
	return cosines, nil
}
