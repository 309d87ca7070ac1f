package tokenizers

import "math/bits"

// mergeTable finds the merge of a pair of entries: an open table with room to spare, since nothing is looked up more
// often.
type mergeTable struct {
	slots []mergeSlot
	shift int
}

type mergeSlot struct {
	key   uint64 // the pair's plus one; 0 where there is none
	value merge
}

func newMergeTable(n int) *mergeTable {
	width := bits.Len(uint(2*n + 1))
	return &mergeTable{slots: make([]mergeSlot, 1<<width), shift: 64 - width}
}

// slot is where a pair is, or would be.
func (t *mergeTable) slot(key uint64) *mergeSlot {
	for i := key * goldenRatio64 >> t.shift; ; i = (i + 1) & uint64(len(t.slots)-1) {
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// set gives a pair its merge; the last one stays.
func (t *mergeTable) set(a, b int32, m merge) {
	s := t.slot(pairKey(a, b) + 1)
	s.key, s.value = pairKey(a, b)+1, m
}

// get is a pair's merge, of [noRank] where there is none.
func (t *mergeTable) get(a, b int32) merge {
	if s := t.slot(pairKey(a, b) + 1); s.key != 0 {
		return s.value
	}
	return merge{rank: noRank}
}
