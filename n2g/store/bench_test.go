package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// syntheticStore has neurons of made-up graphs over a vocabulary of 30,000 tokens, whose frequencies fall as in Zipf's
// law. Their context graphs have as many as those of tiny, of the largest store a handful, since it would take minutes
// to make. Explanations are left out, whose size alone the stores' would be.
const contextTokens = 100

func syntheticStore(b *testing.B, neurons int) (s *Store, words []string) {
	s, err := Open(filepath.Join(b.TempDir(), "run.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	random := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(random, 1.1, 4, 29999)
	words = make([]string, 30000)
	for i := range words {
		words[i] = fmt.Sprintf("%s%d", string(rune('a'+i%26)), i)
	}
	pick := func() string { return words[zipf.Uint64()] }
	const batch = 1000
	for from := 0; from < neurons; from += batch {
		tx, err := s.db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := from; i < min(from+batch, neurons); i++ {
			var lines []n2g.Line
			for range 1 + random.IntN(8) {
				line := n2g.Line{End: 1,
					Elements: []n2g.Element{{Token: pick(), Activation: 0.5 + random.Float64()/2, Important: true, Activator: true}}}
				for range random.IntN(3) {
					line.Elements = append(line.Elements, n2g.Element{Token: pick(), Importance: 0.75 + random.Float64()/4,
						Important: true})
				}
				lines = append(lines, line)
			}
			e := &n2g.Explanation{Site: at(i/3072, i%3072), Trie: n2g.BuildTrie(lines),
				Graph: n2g.NewGraph(lines), Scores: &n2g.Scores{}}
			addContext(random, e)
			if test := e.Context.Root.Yes.Test; neurons <= 20_000 {
				for len(test.Tokens) < contextTokens {
					test.Tokens = append(test.Tokens, pick())
				}
			}
			row := neuronRow{Row: rowOf(e)}
			id, err := insertNeuron(ctx, tx, &row)
			if err == nil {
				err = insertTokens(ctx, tx, id, row.Site, weightedTokens(e.Trie))
			}
			if err == nil {
				err = insertContext(ctx, tx, id, e)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return s, words
}

// sizes of stores that benchmarks make.
func sizes() []int { return []int{20_000, 300_000} }

func BenchmarkSearch(b *testing.B) {
	for _, neurons := range sizes() {
		b.Run(fmt.Sprint(neurons), func(b *testing.B) {
			s, words := syntheticStore(b, neurons)
			for name, terms := range map[string][]Term{
				"rare":   {{Token: words[14000]}},
				"common": {{Token: words[0]}},
				"and": {{Token: words[0], Kind: n2g.ActivatingKind}, {Token: words[1], Kind: n2g.ImportantKind},
					{Token: words[2]}},
				"prefix": {{Token: "a1", Prefix: true}, {Token: "b2", Prefix: true}},
			} {
				b.Run(name, func(b *testing.B) {
					found := 0
					for b.Loop() {
						rows, err := s.Search(ctx, terms...)
						if err != nil {
							b.Fatal(err)
						}
						found = len(rows)
					}
					b.ReportMetric(float64(found), "found")
				})
			}
		})
	}
}

func BenchmarkSimilar(b *testing.B) {
	for _, neurons := range sizes() {
		b.Run(fmt.Sprint(neurons), func(b *testing.B) {
			s, _ := syntheticStore(b, neurons)
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Tokens(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
			tokens, err := s.Tokens(ctx)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("nearest", func(b *testing.B) {
				for b.Loop() {
					if _, err := tokens.Nearest(tokens.neurons[7], n2g.AnyKind, 10); err != nil {
						b.Fatal(err)
					}
				}
			})
			for name, kind := range map[string]n2g.TokenKind{"activating": n2g.ActivatingKind, "important": n2g.ImportantKind,
				"both": n2g.AnyKind} {
				b.Run("pairs/"+name, func(b *testing.B) {
					pairs := 0
					for b.Loop() {
						pairs = 0
						for _, err := range tokens.Pairs(ctx, kind, 0.9) {
							if err != nil {
								b.Fatal(err)
							}
							pairs++
						}
					}
					b.ReportMetric(float64(pairs), "pairs")
				})
			}
		})
	}
}

// BenchmarkPut writes whole explanations, as a run does, and reports what one takes on disk.
func BenchmarkPut(b *testing.B) {
	for _, plain := range []bool{false, true} {
		b.Run(fmt.Sprintf("plain=%t", plain), func(b *testing.B) {
			e := realistic()
			s, err := Open(filepath.Join(b.TempDir(), "run.db"), Options{PlainJSON: plain})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				e.Site.Index = n
				n++
				if err := s.Put(ctx, e); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(s.Path())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/float64(n), "file-bytes/op")
		})
	}
}

// BenchmarkSize reports what scores and tokens take on disk, explanations apart.
func BenchmarkSize(b *testing.B) {
	for _, neurons := range sizes() {
		b.Run(fmt.Sprint(neurons), func(b *testing.B) {
			for b.Loop() {
				s, _ := syntheticStore(b, neurons)
				// not closed first: Close takes a store that nothing was put into with it
				if _, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(s.Path())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/float64(neurons), "file-bytes/neuron")
			}
		})
	}
}

// realistic is an explanation with ten test prompts of 128 tokens, which make most of the size of a real one.
func realistic() *n2g.Explanation {
	random := rand.New(rand.NewPCG(3, 3))
	e := madeUp(random, at(0, 0), vocabulary(40), 30)
	tokens, values := make([]string, 129), make([]float64, 129)
	for range 10 {
		for i := range tokens {
			tokens[i], values[i] = vocabulary(40)[random.IntN(40)], random.Float64()
		}
		e.Tests = append(e.Tests, n2g.Test{Tokens: append([]string(nil), tokens...),
			Activations: append([]float64(nil), values...), Predictions: make([]float64, 129)})
	}
	return e
}
