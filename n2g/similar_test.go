package n2g

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// refKinds are the reference's names of kinds.
var refKinds = map[string]TokenKind{"activating": ActivatingKind, "important": ImportantKind, "both": AnyKind}

func TestSimilarGolden(t *testing.T) {
	for number, c := range readGoldenGraph[refUnits](t, "units/units.json.gz").StoreCases {
		sets := map[string]TokenSets{}
		for _, tokens := range c.Store {
			for _, neurons := range tokens {
				for _, neuron := range neurons {
					sets[neuron] = c.Store.sets(neuron)
				}
			}
		}
		index := NewTokenIndex(sets)
		for name, kind := range refKinds {
			for _, threshold := range []float64{0.9, 0.6} {
				key := fmt.Sprintf("%s@%g", name, threshold)
				want, ok := c.FindSimilar[key]
				if !ok {
					t.Fatalf("case %d lacks %s", number, key)
				}
				similar, subset := index.Similar(kind, threshold)
				if !samePairs(similar, want.Similar) || !samePairs(subset, want.Subset) {
					t.Errorf("case %d, %s: similar %v, subset %v, want %v, %v", number, key, similar, subset, want.Similar,
						want.Subset)
				}
			}
		}
		for _, s := range c.Search {
			var queries []TokenQuery
			for _, q := range s.Query {
				query := TokenQuery{Token: *q[0]}
				if q[1] != nil {
					query.Kind = refKinds[*q[1]]
				}
				queries = append(queries, query)
			}
			if got := index.Search(queries...); !slices.Equal(got, s.Out) {
				t.Errorf("case %d: %v finds %v, want %v", number, queries, got, s.Out)
			}
		}
	}
}

func samePairs(a, b [][2]string) bool {
	order := func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

func TestTokenIndexEdges(t *testing.T) {
	index := NewTokenIndex(map[string]TokenSets{
		"a": {Activating: []string{"the", "the"}},
		"b": {Activating: []string{"the"}, Important: []string{"of"}},
		"c": {},
	})
	if got := index.Search(TokenQuery{Token: " The"}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("another spelling finds %v", got)
	}
	if got := index.Search(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("no token finds %v", got)
	}
	if similar, _ := index.Similar(ActivatingKind, 1); !samePairs(similar, [][2]string{{"a", "b"}}) {
		t.Errorf("similar by activating tokens: %v", similar)
	}
	// Without important tokens nothing is alike in both kinds.
	if similar, subset := index.Similar(AnyKind, 0.1); len(similar)+len(subset) != 0 {
		t.Errorf("similar in both kinds: %v, %v", similar, subset)
	}
	if similar, subset := NewTokenIndex(nil).Similar(AnyKind, 0.9); similar == nil || subset == nil {
		t.Error("no neurons make nil lists")
	}
}

// BenchmarkSimilar compares as many neurons as half a layer of the published model has.
func BenchmarkSimilar(b *testing.B) {
	random := rand.New(rand.NewPCG(21, 22))
	sets := map[string]TokenSets{}
	for n := range 1536 {
		var s TokenSets
		for range 1 + random.IntN(20) {
			s.Activating = append(s.Activating, strconv.Itoa(random.IntN(1+random.IntN(5000))))
			s.Important = append(s.Important, strconv.Itoa(random.IntN(1+random.IntN(5000))))
		}
		sets[fmt.Sprint("0_", n)] = s
	}
	index := NewTokenIndex(sets)
	for b.Loop() {
		index.Similar(AnyKind, 0.9)
	}
}
