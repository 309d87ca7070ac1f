package contexttree

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// world is a corpus of random letters with a neuron that a rule makes.
type world struct {
	corpus *Corpus
	dense  []float64
}

// newWorld draws documents of two windows each from the first so many letters.
func newWorld(t testing.TB, documents, letters int, rule func(text []string) float64) *world {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	var windows []Window
	w := &world{}
	for d := range documents {
		split := Build
		switch d % 10 {
		case 7:
			split = Validate
		case 8, 9:
			split = Test
		}
		for range 2 {
			ids := make([]int32, 40)
			text := make([]string, len(ids))
			for i := range ids {
				ids[i] = int32(random.IntN(letters))
				text[i] = letter(int(ids[i]))
				w.dense = append(w.dense, rule(text[:i+1]))
			}
			windows = append(windows, Window{Document: d, Split: split, IDs: ids})
		}
	}
	var err error
	if w.corpus, err = NewCorpus(windows, letter); err != nil {
		t.Fatal(err)
	}
	return w
}

func letter(id int) string { return string(rune('a' + id)) }

// activations post what is above the level; every so many windows are sampled.
func (w *world) activations(level float64, every int) *Activations {
	a := &Activations{Maximum: slices.Max(w.dense), Level: level}
	for p, v := range w.dense {
		if v > level {
			a.Positions, a.Values = append(a.Positions, int32(p)), append(a.Values, float32(v))
		}
	}
	for number := range w.corpus.splits {
		if number%every == 0 {
			a.Sampled = append(a.Sampled, int32(number))
			for p := w.corpus.starts[number]; p < w.corpus.starts[number+1]; p++ {
				a.SampledValues = append(a.SampledValues, float32(w.dense[p]))
			}
		}
	}
	return a
}

func back(text []string, distance int) string {
	if i := len(text) - 1 - distance; i >= 0 {
		return text[i]
	}
	return ""
}

func TestLearnFindsTheRule(t *testing.T) {
	for _, test := range []struct {
		name string
		rule func(text []string) float64
		want []string // tests that the graph must hold, as describe writes them
	}{
		{"a token", func(text []string) float64 {
			if back(text, 0) == "c" {
				return 2
			}
			return 0
		}, []string{"token 0 c"}},
		{"a token after another", func(text []string) float64 {
			if back(text, 0) == "c" && back(text, 1) == "d" {
				return 2
			}
			return 0
		}, []string{"token 0 c", "token 1 d"}},
		{"a set at a distance", func(text []string) float64 {
			if back(text, 0) == "c" && strings.Contains("aeg", back(text, 3)) && back(text, 3) != "" {
				return 2
			}
			return 0
		}, []string{"token 0 c", "token 3 a e g"}},
		{"within a window", func(text []string) float64 {
			if back(text, 0) == "c" && slices.Contains(text[max(0, len(text)-9):len(text)-1], "f") {
				return 2
			}
			return 0
		}, []string{"token 0 c", "within 8 f"}},
		{"absence", func(text []string) float64 {
			if back(text, 0) == "c" && !slices.Contains(text[max(0, len(text)-17):len(text)-1], "f") {
				return 2
			}
			return 0
		}, []string{"token 0 c", "within 16 f"}},
		{"the start of a text", func(text []string) float64 {
			if len(text) == 1 {
				return 2
			}
			return 0
		}, []string{"token 1 start"}},
		{"repetition", func(text []string) float64 {
			if slices.Contains(text[max(0, len(text)-9):len(text)-1], back(text, 0)) {
				return 2
			}
			return 0
		}, []string{"repeated 8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 200, 20, test.rule)
			g, err := Learn(context.Background(), w.corpus, w.activations(.1, 7), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			g.Nodes(func(n *n2g.ContextNode, _ int) {
				if n.Test != nil {
					got = append(got, describe(n.Test))
				}
			})
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			if len(got) > len(test.want)+2 {
				t.Errorf("%q: more than it takes", got)
			}
			rows, err := Compare(w.corpus, w.activations(.1, 7), g, nil)
			if err != nil {
				t.Fatal(err)
			}
			if s := rows[0].Scores; rows[0].Predictor != ContextGraph || s.Firing.F1 != 1 || s.AveragePrecision < .9999 ||
				s.Pearson < .99 {
				t.Errorf("%+v", rows[0])
			}
			if g.Label == "" {
				t.Error("no label")
			}
		})
	}
}

func describe(test *n2g.ContextTest) string {
	list := slices.Sorted(slices.Values(test.Tokens))
	if test.Start {
		list = append(list, "start")
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", test.Kind, test.Distance+test.Window, strings.Join(list, " ")))
}

// noise fires at random: no test should pay, and nothing be learned from it.
func TestLearnFromNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	w := newWorld(t, 200, 20, func([]string) float64 {
		if random.IntN(30) == 0 {
			return 1
		}
		return 0
	})
	g, err := Learn(context.Background(), w.corpus, w.activations(.1, 7), Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests := 0
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test != nil {
			tests++
		}
	})
	if tests > 1 {
		t.Errorf("%d tests were learned from noise", tests)
	}
}

func TestLearnIsRepeatable(t *testing.T) {
	rule := func(text []string) float64 { return float64(len(text)%7) * float64(text[len(text)-1][0]%5) }
	w := newWorld(t, 60, 20, rule)
	l := NewLearner(w.corpus, Options{})
	first, err := l.Learn(context.Background(), w.activations(5, 10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Learn(context.Background(), w.activations(9, 10)); err != nil {
		t.Fatal(err)
	}
	again, err := l.Learn(context.Background(), w.activations(5, 10))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error("what was learned between changes the result:", diff)
	}
}

// Test documents may not change what is learned.
func TestLearnIgnoresTestDocuments(t *testing.T) {
	rule := func(text []string) float64 {
		if back(text, 0) == "c" && back(text, 1) == "d" {
			return 2
		}
		return 0
	}
	w := newWorld(t, 100, 20, rule)
	clean, err := Learn(context.Background(), w.corpus, w.activations(.1, 7), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for p := range w.dense {
		if w.corpus.split(int32(p)) == Test {
			w.dense[p] = 1.5
		}
	}
	dirty, err := Learn(context.Background(), w.corpus, w.activations(.1, 7), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clean, dirty); diff != "" {
		t.Error(diff)
	}
}

// What the threshold and the chances are chosen on counts every build and validation token once, wherever tests of
// their own fold would have it.
func TestHeldOutCountsEveryTokenOnce(t *testing.T) {
	c, a := sentences(t)
	random := rand.New(rand.NewPCG(8, 8))
	for i := range a.Values { // so that pairs and single tokens have entries below each other
		verb := c.symbols[a.Positions[i]]
		a.Values[i] = float32(.1*float64(verb%3) + .7*random.Float64() + .2*float64(c.symbols[a.Positions[i]-1]%2))
	}
	l := NewLearner(c, Options{})
	root, leaves, err := l.grow(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	var got group
	for _, g := range l.tables(root, leaves) {
		if g.n < 0 || g.firing < 0 || g.firing > g.n {
			t.Errorf("%+v", g)
		}
		got.n += g.n
		got.firing += g.firing
	}
	if len(leaves) < 2 || len(l.moved) == 0 {
		t.Fatalf("%d leaves, %d tokens that move: too plain a case", len(leaves), len(l.moved))
	}
	want := group{n: float64(c.Tokens(Build) + c.Tokens(Validate))}
	for i, p := range a.Positions {
		if c.split(p) != Test && a.Values[i] >= firing {
			want.firing++
		}
	}
	for number, x := range l.cells {
		for part := range parts {
			if x.n[part] < 0 || x.firing[part] < 0 || x.firing[part] > x.n[part] {
				t.Fatalf("cell %d has %+v", number, x)
			}
		}
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A token that its own fold's say brings to a leaf is counted where it comes to without, for its fold alone.
func TestMove(t *testing.T) {
	c, a := sentences(t)
	l := NewLearner(c, Options{})
	root, leaves, err := l.grow(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	l.fillCells(root, leaves)
	p := a.Positions[slices.IndexFunc(a.Positions, func(p int32) bool { return c.split(p) == Build })]
	own := l.at[p]
	other := (own + 1) % int32(len(leaves))
	before := slices.Clone(l.cells)
	l.moved = []move{{p, other}}
	l.move()
	for number, by := range map[int32]int32{own: -1, other: 1} {
		want := before[number].counts
		want.n[c.part(p)] += by
		want.firing[c.part(p)] += by
		if got := l.cells[number].counts; got != want {
			t.Errorf("leaf %d has %+v, want %+v", number, got, want)
		}
	}
}

func TestBudgets(t *testing.T) {
	rule := func(text []string) float64 {
		return math.Abs(math.Sin(float64(back(text, 0)[0])*3)) * float64(1+len(text)%3)
	}
	w := newWorld(t, 100, 20, rule)
	g, err := Learn(context.Background(), w.corpus, w.activations(1, 10), Options{Splits: 2, Entries: 5})
	if err != nil {
		t.Fatal(err)
	}
	tests, entries := 0, 0
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test != nil {
			tests++
		}
		entries += len(n.Table)
	})
	if tests > 2 || entries > 5+1 {
		t.Errorf("%d tests, %d entries", tests, entries)
	}
}

func TestBadActivations(t *testing.T) {
	w := newWorld(t, 10, 5, func([]string) float64 { return 1 })
	good := w.activations(.5, 5)
	for name, change := range map[string]func(a *Activations){
		"dead":          func(a *Activations) { a.Maximum = 0 },
		"not finite":    func(a *Activations) { a.Maximum = math.NaN() },
		"two lengths":   func(a *Activations) { a.Values = a.Values[1:] },
		"beyond":        func(a *Activations) { a.Positions[len(a.Positions)-1] = 1 << 30 },
		"out of order":  func(a *Activations) { a.Positions[0] = 5 },
		"sample":        func(a *Activations) { a.SampledValues = a.SampledValues[1:] },
		"sampled twice": func(a *Activations) { a.Sampled[1] = a.Sampled[0] },
	} {
		t.Run(name, func(t *testing.T) {
			a := *good
			a.Positions, a.Sampled = slices.Clone(good.Positions), slices.Clone(good.Sampled)
			change(&a)
			_, err := Learn(context.Background(), w.corpus, &a, Options{})
			if err == nil {
				t.Fatal("accepted")
			}
			if dead := name == "dead"; dead && !errors.Is(err, ErrDead) {
				t.Error(err)
			}
		})
	}
}

// Scores of this package agree with package n2g's where every token is known.
func TestScoresAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	w := newWorld(t, 50, 10, func([]string) float64 { return random.Float64() })
	known := w.corpus.truth(w.activations(-1, 7), Test)
	predictions := make([]float64, len(known.values))
	for i, v := range known.values {
		predictions[i] = math.Round(10*(v+random.Float64()*.3)) / 10
	}
	want := n2g.ScoreAt(known.values, predictions, .5, .6)
	got := known.scores(predictions, .6)
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, got, close); diff != "" {
		t.Error(diff)
	}
}

// A dense neuron's scores come from the sample, within its error.
func TestScoresOfADenseNeuron(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	w := newWorld(t, 2000, 10, func([]string) float64 { return random.Float64() })
	predictions := make([]float64, 0, w.corpus.Tokens(Test))
	w.corpus.each(Test, func(p int32) {
		predictions = append(predictions, (w.dense[p]+random.Float64())/2)
	})
	exact := w.corpus.truth(w.activations(.1, 3), Test).scores(predictions, .5)
	dense := w.corpus.truth(w.activations(.9, 3), Test).scores(predictions, .5)
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < .02 })
	exact.Firing.Support, exact.NonFiring.Support, dense.Firing.Support, dense.NonFiring.Support = 0, 0, 0, 0
	if diff := cmp.Diff(exact, dense, close); diff != "" {
		t.Error(diff)
	}
}
