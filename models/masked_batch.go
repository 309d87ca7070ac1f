package models

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// maskedSequence is one text to run: its ids, and the positions whose logits are asked.
type maskedSequence struct {
	ids  []int
	rows []int
}

// maskedBatch is a group of sequences that run together, padded to [size, seq].
type maskedBatch struct {
	maskedShapes
	sequences []maskedSequence // all of the call
	members   []int            // those of the batch, by index
	size, seq int
}

const (
	// maskedBatchTokens bounds a batch to a second or so of work for a DistilBERT on two cores: between batches the
	// context is looked at.
	maskedBatchTokens = 2048
)

// maskedShapes decides the shapes that programs are compiled for.
//
// The pure Go backend multiplies small matrices by another kernel, which rounds differently, and a matrix is small when
// rows·columns·terms are below 4 Mi. What a text is answered must not depend on what runs beside it, so every product
// gets the rows that make it large: a narrow model runs in larger batches than it is asked for, if need be.
type maskedShapes struct {
	positions  int // the longest sequence
	bodyRows   int // least rows of a product of [d_model, d_model]
	decodeRows int // least rows of the product with the vocabulary
}

// newMaskedShapes finds the least rows for a model.
func newMaskedShapes(c transformer.BERT) maskedShapes {
	const large = 4 << 20
	rows := func(columns, terms int) int { return powerOfTwo(max(2, (large+columns*terms-1)/(columns*terms))) }
	return maskedShapes{positions: c.Positions, bodyRows: rows(min(c.DModel, c.DMLP), c.DModel), decodeRows: rows(c.DVocab, c.DModel)}
}

// maskedLengths are the sequence lengths that programs are compiled for. A text's own length alone decides which it is
// padded to, so that it is computed in the same shape whatever runs beside it.
var maskedLengths = [...]int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// length rounds a sequence length up to a compiled one, at most the model's positions.
func (s maskedShapes) length(n int) int {
	i, _ := slices.BinarySearch(maskedLengths[:], n)
	if i == len(maskedLengths) {
		return s.positions
	}
	return min(maskedLengths[i], s.positions)
}

// size is the power of two in which n waiting sequences of a padded length are best run first: the next above n where
// that leaves no more than a quarter empty, else the one below, and the rest runs in a batch of its own.
func (s maskedShapes) size(n, seq int) int {
	least := powerOfTwo((s.bodyRows + seq - 1) / seq)
	most := 1 << (bits.Len(uint(max(1, maskedBatchTokens/seq))) - 1)
	size := powerOfTwo(n)
	if 4*n < 3*size {
		size /= 2
	}
	return max(least, min(size, most))
}

// batches groups sequences of one padded length, in batches whose sizes are powers of two.
func (s maskedShapes) batches(sequences []maskedSequence) []maskedBatch {
	order := make([]int, len(sequences))
	for i := range order {
		order[i] = i
	}
	length := func(i int) int { return s.length(len(sequences[i].ids)) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(a), length(b)) })
	var batches []maskedBatch
	for len(order) > 0 {
		seq := length(order[0])
		group := slices.IndexFunc(order, func(i int) bool { return length(i) != seq })
		if group < 0 {
			group = len(order)
		}
		size := s.size(group, seq)
		n := min(size, group)
		batches = append(batches, maskedBatch{maskedShapes: s, sequences: sequences, members: order[:n:n], size: size, seq: seq})
		order = order[n:]
	}
	return batches
}

// tensors lays the batch out: ids [size, seq] padded with 0, lengths [size], and rows [n] as indices into the
// flattened first two axes, n being a power of two. Empty sequences have length 1, so that their attention has
// something to sum; rows nobody asked repeat the first.
func (b maskedBatch) tensors() (ids, lengths, rows []int32) {
	ids, lengths = make([]int32, b.size*b.seq), make([]int32, b.size)
	for i := range lengths {
		lengths[i] = 1
	}
	for i, member := range b.members {
		sequence := b.sequences[member]
		lengths[i] = int32(len(sequence.ids))
		for k, id := range sequence.ids {
			ids[i*b.seq+k] = int32(id)
		}
		for _, row := range sequence.rows {
			rows = append(rows, int32(i*b.seq+row))
		}
	}
	for len(rows) < b.decodeRows || len(rows) != powerOfTwo(len(rows)) {
		rows = append(rows, rows[0])
	}
	return ids, lengths, rows
}
