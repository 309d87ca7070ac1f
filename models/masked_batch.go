package models

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// maskedSequence is one text to run: its ids, and the positions whose logits are asked.
type maskedSequence struct {
	ids  []int
	rows []int
}

// maskedBatch is a group of sequences that run together, padded to [size, seq].
type maskedBatch struct {
	sequences []maskedSequence // all of the call
	members   []int            // those of the batch, by index
	size, seq int
}

const (
	// maskedBatchTokens bounds a batch to a second or so of work for a DistilBERT on two cores: between batches the
	// context is looked at.
	maskedBatchTokens = 2048
	// minRows is the least number of rows a matrix product gets. Fewer take other code paths in some backends, which
	// round differently, and the answer would depend on what else is asked.
	minRows = 4
)

// maskedLengths are the sequence lengths that programs are compiled for. A text's own length alone decides which it is
// padded to, so that it is computed in the same shape whatever runs beside it.
var maskedLengths = [...]int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// paddedLength rounds a sequence length up to a compiled one, at most the model's positions.
func paddedLength(n, positions int) int {
	i, _ := slices.BinarySearch(maskedLengths[:], n)
	if i == len(maskedLengths) {
		return positions
	}
	return min(maskedLengths[i], positions)
}

// maskedBatches groups sequences of one padded length, in batches whose sizes are powers of two.
func maskedBatches(sequences []maskedSequence, positions int) []maskedBatch {
	order := make([]int, len(sequences))
	for i := range order {
		order[i] = i
	}
	length := func(i int) int { return paddedLength(len(sequences[i].ids), positions) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(a), length(b)) })
	var batches []maskedBatch
	for len(order) > 0 {
		seq := length(order[0])
		group := slices.IndexFunc(order, func(i int) bool { return length(i) != seq })
		if group < 0 {
			group = len(order)
		}
		size := batchSize(group, max(1, maskedBatchTokens/seq))
		n := min(size, group)
		batches = append(batches, maskedBatch{sequences: sequences, members: order[:n:n], size: size, seq: seq})
		order = order[n:]
	}
	return batches
}

// batchSize is the power of two, at most limit, in which n waiting sequences are best run first: the next above n where
// that leaves no more than a quarter empty, else the one below, and the rest runs in a batch of its own.
func batchSize(n, limit int) int {
	limit = 1 << (bits.Len(uint(limit)) - 1)
	above := 1 << bits.Len(uint(n-1))
	if above > limit {
		return limit
	}
	if 4*n >= 3*above {
		return above
	}
	return above / 2
}

// tensors lays the batch out: ids [size, seq] padded with 0, lengths [size], and rows [n] as indices into the
// flattened first two axes, n being a power of two. Empty sequences have length 1, so that their attention has
// something to sum; rows nobody asked repeat the first.
func (b maskedBatch) tensors() []*tensors.Tensor {
	flat := make([]int32, b.size*b.seq)
	count := make([]int32, b.size)
	var asked []int32
	for i := range count {
		count[i] = 1
	}
	for i, member := range b.members {
		sequence := b.sequences[member]
		count[i] = int32(len(sequence.ids))
		for k, id := range sequence.ids {
			flat[i*b.seq+k] = int32(id)
		}
		for _, row := range sequence.rows {
			asked = append(asked, int32(i*b.seq+row))
		}
	}
	for len(asked) < minRows || len(asked)&(len(asked)-1) != 0 {
		asked = append(asked, asked[0])
	}
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(flat, b.size, b.seq),
		tensors.FromFlatDataAndDimensions(count, b.size),
		tensors.FromFlatDataAndDimensions(asked, len(asked)),
	}
}
