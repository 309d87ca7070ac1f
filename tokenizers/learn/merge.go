package learn

import (
	"cmp"
	"container/heap"
)

// pair is two adjacent symbols, by id.
type pair struct{ left, right int32 }

// candidate is a pair with the count it had when it was put on the heap. Counts of pairs that other merges touch
// change later: a candidate whose count is out of date is put back with the present one when it comes up.
type candidate struct {
	pair
	count int
}

// queue is a max-heap by count; equal counts go by the symbols' ids, lowest first.
type queue []candidate

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) < 0
}
func (q *queue) Push(x any) { *q = append(*q, x.(candidate)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// merger holds the words as symbols, and for every pair its count and the words that may hold it, some of them twice.
type merger struct {
	words  [][]int32
	weight []int
	counts map[pair]int
	where  map[pair][]int32
	queue  queue
}

func newMerger(words [][]int32, weight []int) *merger {
	m := &merger{words: words, weight: weight, counts: make(map[pair]int), where: make(map[pair][]int32)}
	for i, word := range words {
		for k := range len(word) - 1 {
			m.change(pair{word[k], word[k+1]}, int32(i), weight[i])
		}
	}
	for p, count := range m.counts {
		m.queue = append(m.queue, candidate{p, count})
	}
	heap.Init(&m.queue)
	return m
}

// change adds by to p's count, for an occurrence gained (or, if negative, lost) in a word.
func (m *merger) change(p pair, word int32, by int) {
	m.counts[p] += by
	if by > 0 {
		m.where[p] = append(m.where[p], word)
	}
}

// best removes the most frequent pair that occurs at least min times from the queue.
func (m *merger) best(min int) (pair, bool) {
	for m.queue.Len() > 0 {
		c := heap.Pop(&m.queue).(candidate)
		now := m.counts[c.pair]
		switch {
		case now < min:
		case now == c.count:
			return c.pair, true
		default:
			heap.Push(&m.queue, candidate{c.pair, now})
		}
	}
	return pair{}, false
}

// merge replaces every occurrence of p by symbol id, left to right, and brings the counts of the pairs around them
// up to date.
func (m *merger) merge(p pair, id int32) {
	touched := make(map[pair]struct{})
	for _, i := range m.where[p] {
		word, weight := m.words[i], m.weight[i]
		merged := word[:0]
		for k := 0; k < len(word); k++ {
			if k+1 == len(word) || word[k] != p.left || word[k+1] != p.right {
				merged = append(merged, word[k])
				continue
			}
			// The neighbours lose the pairs they made with the two symbols and gain those with the new one. The left
			// neighbour is taken from what is merged already: of a run such as aaaa it is the new symbol itself.
			if n := len(merged); n > 0 {
				m.change(pair{merged[n-1], p.left}, i, -weight)
				m.change(pair{merged[n-1], id}, i, weight)
				touched[pair{merged[n-1], id}] = struct{}{}
			}
			if k+2 < len(word) {
				m.change(pair{p.right, word[k+2]}, i, -weight)
				m.change(pair{id, word[k+2]}, i, weight)
				touched[pair{id, word[k+2]}] = struct{}{}
			}
			merged = append(merged, id)
			k++
		}
		m.words[i] = merged
	}
	delete(m.where, p)
	delete(m.counts, p)
	for q := range touched {
		heap.Push(&m.queue, candidate{q, m.counts[q]})
	}
}
