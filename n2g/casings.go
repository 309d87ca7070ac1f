package n2g

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
)

// Casings tells for each lower-case word how a corpus spells it, the most common spelling first: the published
// word_to_casings. Its JSON is {"word": [["Word", 12], ["word", 3]]}.
type Casings map[string][]Casing

// Casing is a spelling of a word with how often a corpus has it.
type Casing struct {
	Spelling string
	Count    int
}

// MarshalJSON writes the pair [spelling, count].
func (c Casing) MarshalJSON() ([]byte, error) { return json.Marshal([]any{c.Spelling, c.Count}) }

// UnmarshalJSON reads the pair [spelling, count].
func (c *Casing) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	err := json.Unmarshal(data, &pair)
	if err == nil && len(pair) == 2 {
		if err = json.Unmarshal(pair[0], &c.Spelling); err == nil {
			err = json.Unmarshal(pair[1], &c.Count)
		}
	}
	switch {
	case err != nil || len(pair) != 2:
		return fmt.Errorf("%.40s is no casing; one is a list of a spelling and its count, as [\"Word\", 12]", data)
	case c.Spelling == "" || c.Count < 0:
		return fmt.Errorf("%.40s is no casing; the spelling is a word and the count at least 0", data)
	}
	return nil
}

// LoadCasings reads a table of casings in the published program's JSON. The order of spellings is kept: it decides
// between equal counts.
func LoadCasings(r io.Reader) (Casings, error) {
	var c Casings
	if err := json.NewDecoder(r).Decode(&c); err != nil {
		return nil, fmt.Errorf("read casings: %w; the layout is {\"word\": [[\"Word\", 12], [\"word\", 3]]}", err)
	}
	for word, spellings := range c {
		if len(spellings) == 0 {
			return nil, fmt.Errorf("read casings: the word %q has no spelling; leave it out", word)
		}
	}
	return c, nil
}

// CountCasings counts the spellings of the words of a corpus's texts, the most common first and equal ones in the order
// of their letters.
func CountCasings(texts iter.Seq[string]) Casings {
	counts := map[string]map[string]int{}
	for text := range texts {
		for _, piece := range splitWords(text) {
			if !hasLetter([]byte(piece)) {
				continue
			}
			lower := string(appendLower(nil, piece))
			if counts[lower] == nil {
				counts[lower] = map[string]int{}
			}
			counts[lower][piece]++
		}
	}
	c := make(Casings, len(counts))
	for word, spellings := range counts {
		list := make([]Casing, 0, len(spellings))
		for spelling, count := range spellings {
			list = append(list, Casing{spelling, count})
		}
		slices.SortFunc(list, func(a, b Casing) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Spelling, b.Spelling))
		})
		c[word] = list
	}
	return c
}

// spell is the most common spelling of a word, or the word itself if the table lacks it.
func (c Casings) spell(word string) string {
	best := Casing{word, -1}
	for _, s := range c[string(appendLower(nil, word))] {
		if s.Count > best.Count {
			best = s
		}
	}
	return best.Spelling
}
