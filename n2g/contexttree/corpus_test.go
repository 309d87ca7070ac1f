package contexttree

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestBigrams: pairs are numbered and counted as a map of them would.
func TestBigrams(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var windows []Window
	for w := range 60 {
		window := Window{Document: w, Split: Split(random.IntN(int(splits)))}
		for range random.IntN(40) {
			// Ids beyond any vocabulary and below 0 are ids too, and two ids may be one token.
			window.IDs = append(window.IDs, []int32{-7, 0, 1, 2, 3, 30, 5_000, 1 << 30}[random.IntN(8)])
		}
		windows = append(windows, window)
	}
	c, err := NewCorpus(windows, func(id int) string { return fmt.Sprint(id % 3) })
	if err != nil {
		t.Fatal(err)
	}
	pair := func(w, k int) string {
		if k == 0 {
			return "|" + c.tokens[c.symbols[c.starts[w]]]
		}
		p := int(c.starts[w]) + k
		return c.tokens[c.symbols[p-1]] + "|" + c.tokens[c.symbols[p]]
	}
	count := map[string]float64{}
	for w := range windows {
		for k, id := range windows[w].IDs {
			if got := c.tokens[c.symbols[int(c.starts[w])+k]]; got != fmt.Sprint(int(id)%3) {
				t.Fatalf("window %d token %d is %s, want %d", w, k, got, id%3)
			}
			if windows[w].Split == Build {
				count[pair(w, k)]++
			}
		}
	}
	b, numbers := c.bigrams(), map[string]int32{}
	for w := range windows {
		for k := range windows[w].IDs {
			name, number := pair(w, k), b.of[int(c.starts[w])+k]
			if count[name] == 0 {
				if number != -1 {
					t.Errorf("the pair %s, which Build lacks, has the number %d", name, number)
				}
				continue
			}
			if known, ok := numbers[name]; ok && known != number {
				t.Errorf("the pair %s has the numbers %d and %d", name, known, number)
			}
			numbers[name] = number
			if x := (counts{n: b.counts[number]}); x.total(validation).n != count[name] {
				t.Errorf("the pair %s is counted %g times, want %g", name, x.total(validation).n, count[name])
			}
		}
	}
	if len(numbers) != len(b.counts) || len(count) != len(numbers) {
		t.Errorf("%d pairs have %d numbers, want %d", len(count), len(b.counts), len(numbers))
	}
}
