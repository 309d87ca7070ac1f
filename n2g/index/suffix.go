package index

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// suffixOrder are all positions in the order of what follows them in their document, token by token; a document's end
// comes before any token. Of equal rests the earlier position comes first. By doubling (Manber and Myers 1993): once
// positions are ordered by their first k tokens, pairs of ranks order them by 2k. A position that has found its place
// is not looked at again (Larsson and Sadakane 2007): a rank is the place of the first position of the same rank.
func (x *Index) suffixOrder() ([]uint32, error) {
	n := x.meta.Positions
	ids, err := x.IDs(0, n)
	if err != nil {
		return nil, err
	}
	ends := make([]uint32, n) // position at which the document ends
	for d := range x.meta.Documents {
		document, err := x.Document(d)
		if err != nil {
			return nil, err
		}
		for p := document.First; p < document.End; p++ {
			ends[p] = uint32(document.End)
		}
	}
	order, rank := make([]uint32, n), make([]uint32, n)
	highest := slices.Max(ids)
	starts := make([]uint32, highest+2)
	for _, id := range ids {
		starts[id+1]++
	}
	for i := 1; i <= highest; i++ {
		starts[i] += starts[i-1]
	}
	for p, id := range ids {
		rank[p] = starts[id]
	}
	for p, id := range ids {
		order[starts[id]] = uint32(p)
		starts[id]++
	}
	ids = nil
	type group struct{ first, end uint32 } // of places in the order that positions of one rank take
	var groups, next []group
	begun := uint32(0)
	for _, end := range starts[:highest+1] { // each by now is the end
		if end-begun > 1 {
			groups = append(groups, group{begun, end})
		}
		begun = end
	}
	var keys []uint64
	for k, split := 1, true; split; k *= 2 {
		split, next = false, next[:0]
		for _, g := range groups {
			keys = keys[:0]
			for _, p := range order[g.first:g.end] {
				second := uint32(0) // the document's end
				if q := int(p) + k; q < int(ends[p]) {
					second = rank[q] + 1
				}
				keys = append(keys, uint64(second)<<32|uint64(p))
			}
			slices.Sort(keys)
			first := g.first
			for i, key := range keys {
				place, p := g.first+uint32(i), uint32(key)
				if i > 0 && key>>32 != keys[i-1]>>32 {
					if split = true; place-first > 1 {
						next = append(next, group{first, place})
					}
					first = place
				}
				order[place], rank[p] = p, first
			}
			if g.end-first > 1 {
				next = append(next, group{first, g.end})
			}
		}
		groups, next = next, groups
	}
	return order, nil
}

// Occurrences finds tokens in the corpus: how often they stand one after the other within a document, and the positions
// of the first tokens of at most limit of these places, ascending, the same at each call. Without a suffix order the
// corpus is read through.
func (x *Index) Occurrences(tokens []int, limit int) (count int, positions []int, err error) {
	if len(tokens) == 0 {
		return 0, nil, nil
	}
	order, err := x.file.all(suffixesSection)
	if err != nil {
		return 0, nil, err
	}
	if len(order) == 0 {
		return x.scan(tokens, limit)
	}
	low, err := x.search(order, tokens, false)
	if err != nil {
		return 0, nil, err
	}
	high, err := x.search(order, tokens, true)
	if err != nil || high <= low {
		return 0, nil, err
	}
	count = high - low
	taken := min(count, limit)
	for i := range taken { // spread over the range, so that few of many are not all alike
		p := int(binary.LittleEndian.Uint32(order[4*(low+i*count/taken):]))
		positions = append(positions, p)
	}
	slices.Sort(positions)
	return count, positions, nil
}

// search is the number of suffixes before those that begin with tokens, or, if past is set, up to the last of them.
func (x *Index) search(order []byte, tokens []int, past bool) (int, error) {
	low, high := 0, len(order)/4
	for low < high {
		middle := int(uint(low+high) / 2)
		p := int(binary.LittleEndian.Uint32(order[4*middle:]))
		if p >= x.meta.Positions {
			return 0, errDamaged
		}
		end, err := x.documentEnd(p)
		if err != nil {
			return 0, err
		}
		ids, err := x.IDs(p, min(p+len(tokens), end))
		if err != nil {
			return 0, err
		}
		if d := slices.Compare(ids, tokens); d < 0 || d == 0 && past {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// scan finds tokens by reading the corpus: the places it returns are the first.
func (x *Index) scan(tokens []int, limit int) (count int, positions []int, err error) {
	text, err := x.file.all(idsSection)
	if err != nil {
		return 0, nil, err
	}
	width := idBytes(x.meta.Vocabulary)
	var pattern []byte
	for _, id := range tokens {
		if id < 0 || id >= x.meta.Vocabulary {
			return 0, nil, nil
		}
		pattern = append(pattern, binary.LittleEndian.AppendUint32(nil, uint32(id))[:width]...)
	}
	for d := range x.meta.Documents {
		document, err := x.Document(d)
		if err != nil {
			return 0, nil, err
		}
		if document.End*width > len(text) {
			return 0, nil, errDamaged
		}
		for at := document.First * width; ; at += width {
			skip := bytes.Index(text[at:document.End*width], pattern)
			if skip < 0 {
				break
			}
			at += skip
			if skip%width != 0 { // the end of one token and the beginning of the next
				at -= skip % width
				continue
			}
			if count++; len(positions) < limit {
				positions = append(positions, at/width)
			}
		}
	}
	return count, positions, nil
}
