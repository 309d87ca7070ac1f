package engine

import (
	"math/bits"
)

// Sequence is one text to run: its ids, and the positions whose logits are asked.
type Sequence struct {
	IDs  []int
	Rows []int
}

// maskedTask is what texts have in common that run in one batch.
type maskedTask struct {
	padded int  // the length they are padded to, 0 where nothing is
	places int  // of a batch, filled or not; 0: as many as there are texts, rounded up
	alone  bool // a batch that its caller has filled
}

// maskedPiece is a text that waits for a batch, or of an alone task a whole batch.
type maskedPiece struct {
	sequence Sequence
	logits   *[][]float32 // where those of its rows go
	alone    func() error
}

// maskedBatchTokens bounds a batch to a second or so of work for a DistilBERT on two cores: between batches the context
// is looked at.
const maskedBatchTokens = 2048

// chooseMasked takes texts in their order, as many as a batch holds. A program's batch has a number of places that its
// task fixes, or a power of two: where the next above would leave more than a quarter of them empty, it takes the one
// below, and the rest runs in a batch of its own.
func chooseMasked(t maskedTask, waiting []maskedPiece, _ int) []int {
	n := 1
	switch {
	case t.alone:
	case t.padded == 0:
		tokens := len(waiting[0].sequence.IDs)
		for ; n < len(waiting); n++ {
			if tokens += len(waiting[n].sequence.IDs); tokens > maskedBatchTokens {
				break
			}
		}
	case t.places > 0:
		n = min(len(waiting), t.places)
	default:
		most := 1 << (bits.Len(uint(max(1, maskedBatchTokens/t.padded))) - 1)
		n = min(len(waiting), most)
		if size := powerOfTwo(n); 4*n < 3*size {
			n = size / 2
		}
	}
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = i
	}
	return chosen
}

// maskedBatch is sequences that run together.
type maskedBatch struct {
	sequences []Sequence
	task      maskedTask
}

// size is how many sequences the batch has, padding included.
func (b maskedBatch) size() int {
	if b.task.places > 0 {
		return b.task.places
	}
	return powerOfTwo(len(b.sequences))
}

// tensors lays the batch out: ids [size, padded] padded with 0, lengths [size], and rows [n] as indices into the
// flattened first two axes, n being a power of two. Empty sequences have length 1, so that their attention has
// something to sum; rows nobody asked repeat the first.
func (b maskedBatch) tensors() (ids, lengths, rows []int32) {
	ids, lengths = make([]int32, b.size()*b.task.padded), make([]int32, b.size())
	for i := range lengths {
		lengths[i] = 1
	}
	for i, sequence := range b.sequences {
		lengths[i] = int32(len(sequence.IDs))
		for k, id := range sequence.IDs {
			ids[i*b.task.padded+k] = int32(id)
		}
		for _, row := range sequence.Rows {
			rows = append(rows, int32(i*b.task.padded+row))
		}
	}
	const fewest = 4 // products of fewer rows are often computed by other means, and round differently
	for len(rows) < fewest || len(rows) != powerOfTwo(len(rows)) {
		rows = append(rows, rows[0])
	}
	return ids, lengths, rows
}
