package models

import (
	"iter"
	"math"
)

// ranked yields the indices of logits and their soft-max probabilities, most probable first, equals by index. It is a
// heap that is taken apart on demand: the first of 30,000 costs one pass, each next one a dozen comparisons.
func ranked(logits []float32) iter.Seq2[int, float64] {
	return func(yield func(int, float64) bool) {
		if len(logits) == 0 {
			return
		}
		heap := rankHeap{logits: logits, ids: make([]int32, len(logits))}
		for i := range heap.ids {
			heap.ids[i] = int32(i)
		}
		for i := len(heap.ids)/2 - 1; i >= 0; i-- {
			heap.sink(i)
		}
		highest, sum := float64(logits[heap.ids[0]]), 0.0
		for _, logit := range logits {
			sum += math.Exp(float64(logit) - highest)
		}
		for len(heap.ids) > 0 {
			id := int(heap.ids[0])
			if !yield(id, math.Exp(float64(logits[id])-highest)/sum) {
				return
			}
			last := len(heap.ids) - 1
			heap.ids[0] = heap.ids[last]
			heap.ids = heap.ids[:last]
			heap.sink(0)
		}
	}
}

// rankHeap is a binary heap of indices with the highest logit on top.
type rankHeap struct {
	logits []float32
	ids    []int32
}

// before tells whether a ranks before b.
func (h *rankHeap) before(a, b int32) bool {
	x, y := h.logits[a], h.logits[b]
	return x > y || x == y && a < b
}

// sink restores the heap below position i.
func (h *rankHeap) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.ids) {
			return
		}
		if right := child + 1; right < len(h.ids) && h.before(h.ids[right], h.ids[child]) {
			child = right
		}
		if !h.before(h.ids[child], h.ids[i]) {
			return
		}
		h.ids[i], h.ids[child] = h.ids[child], h.ids[i]
		i = child
	}
}
