package contexttree

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// letterModel is a neuron on letters, made by a rule; id 40 is BOS, 41 the mask.
type letterModel struct {
	rule  func(text []string) float64
	alike map[int][]int
}

func (m letterModel) Name() string                   { return "letters" }
func (m letterModel) Tokenize(string) ([]int, error) { return nil, nil }
func (m letterModel) TokenString(id int) string      { return letter(id) }
func (m letterModel) Decode([]int) string            { return "" }
func (m letterModel) BOS() int                       { return 40 }
func (m letterModel) MaskID() int                    { return 41 }
func (m letterModel) ContextLength() int             { return 100 }
func (m letterModel) Neighbours(id, k int) ([]int, []float64, error) {
	return m.alike[id], make([]float64, len(m.alike[id])), nil
}

func (m letterModel) Activations(_ context.Context, _ int, _ string, _ int, prompts, positions [][]int) ([][]float32,
	error) {
	result := make([][]float32, len(prompts))
	for i, ids := range prompts {
		if ids[0] != m.BOS() {
			panic("no BOS")
		}
		for _, p := range positions[i] {
			var text []string
			for _, id := range ids[1 : p+1] {
				text = append(text, letter(id))
			}
			result[i] = append(result[i], float32(m.rule(text)))
		}
	}
	return result, nil
}

func TestCausesAndCompany(t *testing.T) {
	rule := func(text []string) float64 {
		if back(text, 0) == "c" && strings.Contains("dz", back(text, 1)) && back(text, 1) != "" {
			return 2
		}
		return 0
	}
	w := newWorld(t, 200, 20, rule)
	l := NewLearner(w.corpus, Options{})
	// d is like z, which fires too, and y, which does not
	model := letterModel{rule: rule, alike: map[int][]int{3: {25, 24}}}
	g, err := l.Ask(context.Background(), w.activations(.1, 7), Asker{Model: model})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test == nil || n.Test.Distance != 1 {
			return
		}
		found = true
		if needed, known := n.Test.Needed(); !needed || !known || *n.Test.Moves != 1 {
			t.Errorf("%+v is needed", n.Test)
		}
		if !slices.Equal(n.Test.Tokens, []string{"d", "z"}) || n.Test.Widened != 1 {
			t.Errorf("%+v should be widened to z", n.Test)
		}
	})
	if !found || g.Support.Asked == 0 {
		t.Errorf("%+v %+v", g, g.Support)
	}
	// A test that every firing text passes, though the neuron does not look at it.
	company := &n2g.ContextTest{Kind: n2g.TestWithin, Window: 32, Tokens: strings.Split("abefghijklmnopqrst", "")}
	g.Root = &n2g.ContextNode{Test: company, Yes: g.Root, No: &n2g.ContextNode{Tokens: 1}}
	q := &asking{learner: &l.learner, Asker: Asker{Model: model}, known: map[int][]int{}}
	delete(model.alike, 3)
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test != nil && n.Test.Distance == 1 {
			n.Test = &n2g.ContextTest{Kind: n2g.TestToken, Distance: 1, Tokens: []string{"d"}}
		}
	})
	company.Tokens = slices.DeleteFunc(company.Tokens, func(s string) bool { return s == "d" || s == "c" })
	if err := q.causes(context.Background(), g); err != nil {
		t.Fatal(err)
	}
	if needed, known := company.Needed(); needed || !known {
		t.Errorf("%+v goes with it", company)
	}
}

// With a handful of firings, asking tells what the corpus cannot.
func TestAskingHelpsARareNeuron(t *testing.T) {
	rule := func(text []string) float64 {
		if back(text, 0) == "c" && back(text, 1) == "d" && strings.Contains("aeg", back(text, 2)) && back(text, 2) != "" {
			return 2
		}
		return 0
	}
	w := newWorld(t, 120, 12, rule)
	a := w.activations(.1, 7)
	score := func(rows int) (float64, *n2g.ContextGraph) {
		g, err := NewLearner(w.corpus, Options{}).Ask(context.Background(), a,
			Asker{Model: prefixModel{letterModel{rule: rule}}, Rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		// All texts of three letters, whatever the corpus has.
		hits, predicted, total := 0, 0, 0
		p := n2g.NewContextPredictor(g)
		for i := range 12 * 12 * 12 {
			text := []string{"b", letter(i / 144), letter(i / 12 % 12), letter(i % 12)}
			fires, guess := rule(text) > 0, p.Predict(text)[3] >= g.FireThreshold
			if fires {
				total++
			}
			if guess {
				predicted++
			}
			if fires && guess {
				hits++
			}
		}
		return 2 * float64(hits) / float64(total+predicted), g
	}
	without, _ := score(0)
	with, g := score(3000)
	if with < without || with < .4 || g.Support.Asked == 0 {
		t.Errorf("F1 %.2f without asking, %.2f with; %+v", without, with, g.Support)
	}
	t.Logf("F1 %.2f without asking, %.2f with %d rows", without, with, g.Support.Asked)
}
