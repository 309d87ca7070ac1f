package contexttree

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// rareWorld is a corpus in which a neuron fires on c or s behind d. Build documents have no s, and validation documents
// none behind d; t stands there once and twice elsewhere, and the neuron is quiet.
func rareWorld(t *testing.T) (*world, letterModel) {
	t.Helper()
	const d, s, rare = 3, 18, 19
	rule := func(text []string) float64 {
		if strings.Contains("cs", back(text, 0)) && back(text, 1) == "d" {
			return 2
		}
		return 0
	}
	random := rand.New(rand.NewPCG(1, 2))
	w := &world{}
	var windows []Window
	for document := range 120 {
		ids := make([]int32, 40)
		text := make([]string, len(ids))
		for i := range ids {
			ids[i] = int32(random.IntN(12))
			if document%10 == 7 && random.IntN(40) == 0 && i > 0 && ids[i-1] != d {
				ids[i] = s
			}
		}
		if document == 1 {
			ids[20], ids[21], ids[30], ids[35] = d, rare, rare, rare
		}
		for i := range ids {
			text[i] = letter(int(ids[i]))
			w.dense = append(w.dense, rule(text[:i+1]))
		}
		split := Build
		if document%10 == 7 {
			split = Validate
		}
		windows = append(windows, Window{Document: document, Split: split, IDs: ids})
	}
	var err error
	if w.corpus, err = NewCorpus(windows, letter); err != nil {
		t.Fatal(err)
	}
	return w, letterModel{rule: rule}
}

func TestRepliesFindMembers(t *testing.T) {
	w, model := rareWorld(t)
	a := w.activations(.1, 7)
	fires := func(rows int, text ...string) bool {
		g, err := NewLearner(w.corpus, Options{}).Ask(context.Background(), a,
			Asker{Model: prefixModel{model}, Rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		predictions := g.Predict(text)
		return predictions[len(predictions)-1] >= g.FireThreshold
	}
	for _, test := range []struct {
		text           string
		without, asked bool
	}{
		{"bdc", true, true},
		{"bds", false, true}, // a member that the corpus does not show there
		{"bbs", false, false},
		{"bdt", false, false},
		{"bde", false, false},
	} {
		text := strings.Split(test.text, "")
		if got := fires(0, text...); got != test.without {
			t.Errorf("%s: %v without asking", test.text, got)
		}
		if got := fires(2000, text...); got != test.asked {
			t.Errorf("%s: %v, asked", test.text, got)
		}
	}
}

func TestReplaceStaysWithinTheRows(t *testing.T) {
	w, model := rareWorld(t)
	l := NewLearner(w.corpus, Options{})
	l.activations = w.activations(.1, 7)
	for _, test := range []struct {
		model n2g.LanguageModel
		rows  int
	}{
		{prefixModel{model}, 0}, {prefixModel{model}, 1}, {prefixModel{model}, 40}, {prefixModel{model}, 60},
		{prefixModel{model}, 100}, {prefixModel{model}, 1000}, {model, 1}, {model, 60}, {model, 1000}, {model, 9000},
	} {
		l.importances, l.replies = map[int32][]float64{}, replies{}
		q := &asking{learner: &l.learner, Asker: Asker{Model: test.model}, known: map[int][]int{}}
		if _, err := q.profile(t.Context(), test.rows); err != nil {
			t.Fatal(err)
		}
		if test.rows >= 1000 && len(l.importances) == 0 || q.rows > test.rows {
			t.Errorf("%d rows of importances for %d, model %T", q.rows, test.rows, test.model)
		}
		q.rows = 0
		if err := q.replace(t.Context(), test.rows); err != nil {
			t.Fatal(err)
		}
		if q.rows > test.rows || test.rows >= 1000 && q.rows < 100 {
			t.Errorf("%d rows for %d, model %T", q.rows, test.rows, test.model)
		}
		for symbol, reply := range l.replies {
			if token := w.corpus.tokens[symbol]; reply.mean() != 0 && !strings.Contains("cs", token) {
				t.Errorf("%s: %g of the activation is left", token, reply.mean())
			}
		}
	}
}

// prefixModel counts rows as an engine does that runs what prompts share once.
type prefixModel struct{ letterModel }

func (prefixModel) Rows(prompts, _ [][]int) int {
	seen := map[string]bool{}
	for _, ids := range prompts {
		prefix := ""
		for _, id := range ids {
			prefix += string(rune(id))
			seen[prefix] = true
		}
	}
	return len(seen)
}

func TestGainOfKnowing(t *testing.T) {
	for _, test := range [][2]float64{{.5, .5}, {1, 1}, {.02, 2}, {1.02, 3}, {3, 900}, {40, 2}} {
		a, b := test[0], test[1]
		// The entropy of the mean, less the mean entropy: by the trapezium rule in the logit, where the ends vanish.
		logBeta := func() float64 {
			x, _ := math.Lgamma(a)
			y, _ := math.Lgamma(b)
			z, _ := math.Lgamma(a + b)
			return x + y - z
		}()
		mass, entropy := 0.0, 0.0
		const step = .001
		for x := -700.0; x < 60; x += step {
			lnP, lnQ := -math.Log1p(math.Exp(-x)), -x-math.Log1p(math.Exp(-x))
			if x < 0 {
				lnP, lnQ = x-math.Log1p(math.Exp(x)), -math.Log1p(math.Exp(x))
			}
			density := math.Exp(a*lnP + b*lnQ - logBeta)
			mass += density * step
			entropy -= density * step * (math.Exp(lnP)*lnP + math.Exp(lnQ)*lnQ)
		}
		p := a / (a + b)
		want := -p*math.Log(p) - (1-p)*math.Log(1-p) - entropy
		if got := gainOfKnowing(a, b); math.Abs(mass-1) > 1e-4 || math.Abs(got-want) > 1e-4*want+1e-6 {
			t.Errorf("Beta(%g, %g): %g, not %g (mass %g)", a, b, got, want, mass)
		}
	}
}

func TestOthersOfAClass(t *testing.T) {
	l := learner{bySymbol: make([]byPart, 3), byClass: make([]byPart, 1), classes: make([]int32, 3)}
	l.bySymbol[0].add(1, 2, .5)
	if got := l.othersMean(0, validation, .125); got != .125 { // 2 tokens of it, and classes have no say
		t.Errorf("%g, not the leaf's mean", got)
	}
	l.byClass[0].add(1, 2, .5)
	l.byClass[0].add(2, 2, 1)
	for part, want := range []float64{0: (2 + 2*.125) / 4, 2: .125, validation: (2 + 2*.125) / 4} {
		if want > 0 {
			if got := l.othersMean(0, part, .125); got != want {
				t.Errorf("without part %d: %g, not %g", part, got, want)
			}
		}
	}
}

func TestGainsOrder(t *testing.T) {
	w, model := rareWorld(t)
	model.alike = map[int][]int{2: {4}} // e is like c
	l := NewLearner(w.corpus, Options{})
	l.activations = w.activations(.1, 7)
	q := &asking{learner: &l.learner, Asker: Asker{Model: model}, known: map[int][]int{}}
	gains := q.gains()
	of := func(token string) float64 { return gains[w.corpus.numbers[token]] }
	for _, pair := range []string{
		"ce", // fires sometimes: more than one that never does
		"eb", // like one that fires: more than others
		"at", // in text to come more often
	} {
		if high, low := of(pair[:1]), of(pair[1:]); high <= low {
			t.Errorf("%s: gains %g and %g", pair, high, low)
		}
	}
}

func TestPublishedMeasurementsAreTakenOver(t *testing.T) {
	w, model := rareWorld(t)
	l := NewLearner(w.corpus, Options{})
	l.activations = w.activations(.1, 7)
	l.importances, l.replies = map[int32][]float64{}, replies{}
	q := &asking{learner: &l.learner}
	p := q.strongest(1)[0]
	text := ""
	for _, symbol := range w.corpus.symbols[p-2 : p+1] {
		text += w.corpus.tokens[symbol]
	}
	measured := func(peak int) *n2g.Measured {
		return &n2g.Measured{Tokens: append([]string{"BOS"}, strings.Split(text, "")...), Peak: peak, Maximum: 2,
			Importances: []float64{0, .1, 1, .8}}
	}
	prune := n2g.Prune{Text: text, Measured: measured(3), Variants: []n2g.Variant{
		{Text: text, Activation: 2, Positive: true},
		{Text: text[:2] + "s", Activation: 1.5, Positive: true, Measured: measured(3)},
		{Text: text[:2] + "f", Activation: 2, Positive: true, Measured: measured(2)}, // fires elsewhere
		{Text: text[:2] + "g", Activation: .5},
		{Text: text[:1] + "h" + text[2:], Activation: .5}, // another token
		{Text: "h" + text[1:2] + "i", Activation: .5},     // two tokens
	}}
	q.Asker = Asker{Model: spellingModel{model}, Prunes: []Pruned{{int(p), prune}, {int(p) - 1, prune}, {-1, prune}}}
	if err := q.published(); err != nil {
		t.Fatal(err)
	}
	if len(l.importances) != 1 || l.importances[p][0] != .8 || l.importances[p][1] != 1 || l.importances[p][2] != .1 ||
		l.importances[p][3] != 0 {
		t.Errorf("importances %v", l.importances)
	}
	numbers := w.corpus.numbers
	if len(l.replies) != 2 || l.replies[numbers["s"]] != (tally{1, .75}) || l.replies[numbers["g"]] != (tally{1, .25}) {
		t.Errorf("replies %v", l.replies)
	}
}

type spellingModel struct{ letterModel }

func (spellingModel) Tokenize(text string) (ids []int, err error) {
	for _, r := range text {
		ids = append(ids, int(r-'a'))
	}
	return ids, nil
}

// A prune may stand where its window begins, and the tests of its leaf look further back: nothing of another window is
// looked at, nor before the first.
func TestPrunesWhereWindowsBegin(t *testing.T) {
	rule := func(text []string) float64 {
		if back(text, 0) == "c" && (back(text, 1) == "d" || back(text, 1) == "") {
			return 2
		}
		return 0
	}
	random := rand.New(rand.NewPCG(1, 2))
	w := &world{}
	var windows []Window
	for document := range 60 {
		ids := make([]int32, 20)
		text := make([]string, len(ids))
		for i := range ids {
			if ids[i] = int32(random.IntN(8)); i == 0 {
				ids[i] = 2 // c
			}
			text[i] = letter(int(ids[i]))
			w.dense = append(w.dense, rule(text[:i+1]))
		}
		windows = append(windows, Window{Document: document, Split: Build, IDs: ids})
	}
	var err error
	if w.corpus, err = NewCorpus(windows, letter); err != nil {
		t.Fatal(err)
	}
	l := NewLearner(w.corpus, Options{})
	l.activations, l.importances, l.replies = w.activations(.1, 7), map[int32][]float64{}, replies{}
	var prunes []Pruned
	for _, p := range []int{0, 20} {
		prunes = append(prunes, Pruned{p, n2g.Prune{Text: "c", Variants: []n2g.Variant{{Text: "c", Activation: 2}},
			Measured: &n2g.Measured{Tokens: []string{"BOS", "c"}, Peak: 1, Maximum: 2, Importances: []float64{0, 1}}}})
	}
	q := &asking{learner: &l.learner, Asker: Asker{Model: spellingModel{letterModel{rule: rule}}, Prunes: prunes},
		known: map[int][]int{}}
	if err := q.published(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []int32{0, 20} {
		if len(l.importances[p]) != 1 {
			t.Errorf("at %d: %v", p, l.importances[p])
		}
	}
	g, err := l.Ask(t.Context(), l.activations, Asker{Model: q.Model, Rows: 100, Prunes: prunes})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Predict([]string{"c", "b", "c"}); got[0] < g.FireThreshold || got[2] >= g.FireThreshold {
		t.Errorf("%v from %g on", got, g.FireThreshold)
	}
}
