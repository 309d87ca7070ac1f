package index

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSuffixOrder: the order is that of comparing all that follows two positions in their documents.
func TestSuffixOrder(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 7))
		builder := NewCorpusBuilder(Corpus{Vocabulary: 100, Window: 50}, Options{})
		var ids []int
		var ends []int // of the document of each position
		for range 1 + random.IntN(6) {
			if err := builder.Begin("x"); err != nil {
				t.Fatal(err)
			}
			for range 1 + random.IntN(4) {
				window := make([]int, 1+random.IntN(50))
				for j := range window {
					window[j] = random.IntN(1+int(seed)%4) * 33
				}
				if len(ids) > 50 && random.IntN(2) == 0 {
					window = slices.Clone(ids[len(ids)-50:])
				}
				if err := builder.Window(WindowIDs{IDs: window}); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, window...)
			}
			for len(ends) < len(ids) {
				ends = append(ends, -1)
			}
			for p := len(ids) - 1; p >= 0 && ends[p] < 0; p-- {
				ends[p] = len(ids)
			}
		}
		corpus, err := builder.Corpus()
		if err != nil {
			t.Fatal(err)
		}
		want := make([]uint32, len(ids))
		for p := range want {
			want[p] = uint32(p)
		}
		slices.SortFunc(want, func(a, b uint32) int {
			return cmp.Or(slices.Compare(ids[a:ends[a]], ids[b:ends[b]]), cmp.Compare(a, b))
		})
		if order, err := corpus.suffixOrder(); err != nil || !slices.Equal(order, want) {
			t.Errorf("seed %d: %v %v, want %v", seed, order, err, want)
		}
	}
}
