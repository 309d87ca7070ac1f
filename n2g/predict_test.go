package n2g

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The graph fires on the texts it was made of, wherever the neuron did.
func TestPredictFiresOnPrunedTexts(t *testing.T) {
	for _, folder := range []string{"neurons", "neurons_deep"} {
		run := readGoldenGraph[refRun](t, folder+"/run.json.gz")
		opts := Options{ActivationThreshold: &run.Params.Activation, ImportanceThreshold: &run.Params.Importance}
		for _, name := range []string{"0_125", "0_177"} {
			n := readGoldenGraph[refNeuron](t, filepath.Join(folder, "neuron_"+name+".json.gz"))
			lines, ok := refLines(n, opts)
			if !ok {
				t.Fatalf("%s/%s lacks importances", folder, name)
			}
			highest := 0.0
			for _, l := range lines {
				highest = max(highest, l.End)
			}
			trie := BuildTrie(lines)
			trie.MergeIgnores()
			predictor := NewPredictor(trie)
			for _, train := range n.Train {
				for _, prune := range train.Augmented {
					m := prune.Importance[0].measured()
					for j, predicted := range predictor.Predict(m.Tokens) {
						fires := j > 0 && m.Activations[j] > run.Params.Activation
						if fires && predicted <= run.Params.Activation || predicted < 0 || predicted > highest {
							t.Errorf("%s/%s: %q predicts %g at token %d, activation %g", folder, name, m.Tokens, predicted, j,
								m.Activations[j])
						}
					}
				}
			}
		}
	}
}

func TestPredictWithoutTrie(t *testing.T) {
	e := &Explanation{}
	if got := e.Predict([]string{"a", "b"}); len(got) != 2 || got[0] != 0 || got[1] != 0 {
		t.Errorf("no trie predicts %v", got)
	}
	if got := NewPredictor(nil).PredictLast(nil); got != 0 {
		t.Errorf("no trie, no tokens: %g", got)
	}
	if got := NewPredictor(newTrie()).Predict(nil); len(got) != 0 {
		t.Errorf("no tokens predict %v", got)
	}
}

// A walk begins at an activator, whatever a trie from elsewhere holds.
func TestPredictGuardsFirstToken(t *testing.T) {
	one := 1.0
	trie := newTrie()
	trie.Children = []*Node{{Token: "x", Important: true, End: &one}}
	if got := NewPredictor(trie).PredictLast([]string{"x"}); got != 0 {
		t.Errorf("a first token that is no activator predicts %g", got)
	}
}

func TestPredictorIsConcurrent(t *testing.T) {
	trie := BuildTrie(benchmarkLines()[:200])
	trie.MergeIgnores()
	p := NewPredictor(trie)
	tokens := benchmarkTokens(2000)
	want := fmt.Sprint(p.Predict(tokens))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if got := fmt.Sprint(p.Predict(tokens)); got != want {
				t.Error("concurrent predictions differ")
			}
		})
	}
	wait.Wait()
}

func TestPredictorAllocations(t *testing.T) {
	trie := BuildTrie(benchmarkLines())
	trie.MergeIgnores()
	p := NewPredictor(trie)
	tokens := append(benchmarkTokens(1000), " École", " İstanbul", "ΟΔΟΣ", "日本", strings.Repeat("Long", 10))
	dst := make([]float64, 0, len(tokens))
	if allocations := testing.AllocsPerRun(10, func() { p.AppendPredictions(dst, tokens) }); allocations > 1 {
		t.Errorf("%v allocations for %d tokens, want one", allocations, len(tokens))
	}
}

func FuzzPredict(f *testing.F) {
	f.Add("The thought didn't even cross my mind")
	f.Add("**IGNORE** **ROOT** \xff\xfe İ Σ \x00")
	lines := linesFrom(rand.New(rand.NewPCG(11, 12)).IntN)
	trie := BuildTrie(lines)
	trie.MergeIgnores()
	p := NewPredictor(trie)
	highest := 0.0
	for _, l := range lines {
		highest = max(highest, l.End)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens := strings.SplitAfter(text, " ")
		for i, got := range p.Predict(tokens) {
			if got < 0 || got > highest {
				t.Errorf("%q predicts %g, ends reach %g", tokens[:i+1], got, highest)
			}
			if last := p.PredictLast(tokens[:i+1]); last != got {
				t.Errorf("%q predicts %g, its prefix alone %g", tokens[:i+1], got, last)
			}
		}
	})
}

// benchmarkTokens are like a text's: mostly unknown to the trie, some spelled with a blank or in title case.
func benchmarkTokens(n int) []string {
	random := rand.New(rand.NewPCG(13, 14))
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf([]string{"t%d", " t%d", " T%d", " word%d"}[random.IntN(4)], random.IntN(1000))
	}
	return tokens
}

func BenchmarkPredict(b *testing.B) {
	trie := BuildTrie(benchmarkLines())
	trie.MergeIgnores()
	p := NewPredictor(trie)
	var tokens []string
	size := 0
	for _, token := range benchmarkTokens(300_000) {
		if size += len(token); size > 1<<20 {
			break
		}
		tokens = append(tokens, token)
	}
	dst := make([]float64, 0, len(tokens))
	b.SetBytes(1 << 20)
	for b.Loop() {
		p.AppendPredictions(dst, tokens)
	}
	b.ReportMetric(float64(len(tokens))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
