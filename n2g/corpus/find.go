package corpus

import (
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Tokenizer is what finds a text in an index.
type Tokenizer interface {
	Decoder
	Tokenize(text string) ([]int, error)
}

// Find finds a text in the corpus of an index: how often it stands there, and at most limit of the places, as ranges
// [first, end) of positions. It is looked for as the tokens it makes at the start of a text and behind a blank; where
// it stands nowhere so, wherever the corpus's text holds it, which takes longer.
func Find(x *index.Index, t Tokenizer, text string, limit int) (count int, places [][2]int, err error) {
	var tried [][]int
	for _, variant := range []string{text, " " + text} {
		ids, err := t.Tokenize(variant)
		if err != nil {
			return 0, nil, err
		}
		if len(ids) == 0 || slices.ContainsFunc(tried, func(other []int) bool { return slices.Equal(other, ids) }) {
			continue
		}
		tried = append(tried, ids)
		n, positions, err := x.Occurrences(ids, limit)
		if err != nil {
			return 0, nil, err
		}
		count += n
		for _, p := range positions {
			places = append(places, [2]int{p, p + len(ids)})
		}
	}
	if count == 0 && text != "" {
		return findText(x, t, text, limit)
	}
	slices.SortFunc(places, func(a, b [2]int) int { return a[0] - b[0] })
	if len(places) > limit { // as many of each variant as there were
		kept := places[:0]
		for i := range limit {
			kept = append(kept, places[i*len(places)/limit])
		}
		places = kept
	}
	return count, places, nil
}

// findText reads the corpus through.
func findText(x *index.Index, d Decoder, text string, limit int) (count int, places [][2]int, err error) {
	for number := range x.Meta().Windows {
		window, err := x.Window(number)
		if err != nil {
			return 0, nil, err
		}
		content, err := WindowText(x, d, window)
		if err != nil {
			return 0, nil, err
		}
		for at := 0; ; {
			next := strings.Index(content[at:], text)
			if next < 0 {
				break
			}
			at += next
			if count++; len(places) < limit {
				place, err := tokensOf(x, d, window, at, at+len(text))
				if err != nil {
					return 0, nil, err
				}
				places = append(places, place)
			}
			at += len(text)
		}
	}
	return count, places, nil
}

// tokensOf are the positions of the tokens that hold bytes [from, to) of a window's text.
func tokensOf(x *index.Index, d Decoder, window index.Window, from, to int) ([2]int, error) {
	ids, err := x.IDs(window.First, window.End)
	if err != nil {
		return [2]int{}, err
	}
	place := [2]int{window.First, window.End}
	for j := range ids {
		end := len(d.Decode(ids[:j+1]))
		if end <= from {
			place[0] = window.First + j + 1
		}
		if end >= to {
			place[1] = window.First + j + 1
			break
		}
	}
	place[0] = min(place[0], place[1]-1)
	return place, nil
}
