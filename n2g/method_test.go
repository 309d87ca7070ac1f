package n2g_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

var ctx = context.Background()

func bank() *n2gtest.Model {
	return n2gtest.NewModel(
		n2gtest.Rule{Token: " bank", Context: " river", Full: 2, Alone: 0.5, Rest: -0.1},
		n2gtest.Rule{Token: " bank", Full: 1},
		n2gtest.Rule{Token: " bank", Full: 1, Rest: 3}, // BOS would be its maximum
		n2gtest.Rule{Token: " nowhere", Full: 1, Rest: -1},
	)
}

func TestPrompt(t *testing.T) {
	model := bank()
	ids, err := n2g.Prompt(model, "the cat")
	if err != nil || len(ids) != 3 || ids[0] != model.BOS() || model.Decode(ids[1:]) != "the cat" {
		t.Errorf("Prompt gives %v, %v", ids, err)
	}
	if again, err := n2g.Prompt(model, "<|endoftext|>the cat"); err != nil || !slices.Equal(again, ids) {
		t.Errorf("with BOS's text in front Prompt gives %v, %v, want %v", again, err, ids)
	}
	for text, want := range map[string]string{
		"":                        "blank",
		" \n\t ":                  "blank",
		"<|endoftext|> ":          "blank",
		"a\xffb":                  "UTF-8",
		strings.Repeat(" a", 256): "257 tokens with BOS, but the context of toy is 256",
	} {
		if _, err := n2g.Prompt(model, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Prompt(%.20q): error %v, want one that says %q", text, err, want)
		}
	}
}

func TestPruneText(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		neuron int
		opts   n2g.Options
		want   []n2g.Prune
	}{
		"every length": {
			"Far up the river there was a bank of sand. It rained.", 0, n2g.Options{SkipInterval: new(1)},
			[]n2g.Prune{{Position: 8, Text: " river there was a bank of sand.", InitialMax: 2, TruncatedMax: 2}},
		},
		"multiples only": {
			"Far up the river was a bank of sand.", 0, n2g.Options{SkipInterval: new(3)},
			[]n2g.Prune{{Position: 7, Text: " up the river was a bank of sand.", InitialMax: 2, TruncatedMax: 2}},
		},
		"one more before the first": {
			"By the bank.", 1, n2g.Options{},
			[]n2g.Prune{{Position: 3, Text: "By the bank.", InitialMax: 1, TruncatedMax: 1}},
		},
		"short ones all tried": {
			"Here by the bank.", 1, n2g.Options{SkipThreshold: new(2)},
			[]n2g.Prune{{Position: 4, Text: " bank.", InitialMax: 1, TruncatedMax: 1}},
		},
		"post-context is cut": {
			"a bank of sand and of mud and of clay", 1, n2g.Options{SkipInterval: new(1), PostContext: new(2)},
			[]n2g.Prune{{Position: 2, Text: " bank of sand", InitialMax: 1, TruncatedMax: 1}},
		},
		"the sentence ends the post-context": {
			"a bank! of sand", 1, n2g.Options{SkipInterval: new(1), PostContext: new(-1)},
			[]n2g.Prune{{Position: 2, Text: " bank!", InitialMax: 1, TruncatedMax: 1}},
		},
		"none passes": {
			"On a river so long ago there was a bank", 0, n2g.Options{SkipInterval: new(1), Cutoff: new(4)},
			[]n2g.Prune{{Position: 10, Text: " there was a bank", InitialMax: 2, TruncatedMax: 0.5}},
		},
		"a cutoff below the interval": {
			"On a river so long ago there was a bank", 1, n2g.Options{Cutoff: new(3)},
			[]n2g.Prune{{Position: 10, Text: " was a bank", InitialMax: 1, TruncatedMax: 1}},
		},
		"an absolute threshold": {
			"On a river so long ago there was a bank", 0, n2g.Options{SkipInterval: new(1), AbsoluteThreshold: new(0.4)},
			[]n2g.Prune{{Position: 10, Text: " bank", InitialMax: 2, TruncatedMax: 0.5}},
		},
		"several strong positions": {
			"a bank, a bank", 1, n2g.Options{SkipInterval: new(1), PostContext: new(0)},
			[]n2g.Prune{{Position: 2, Text: " bank", InitialMax: 1, TruncatedMax: 1},
				{Position: 5, Text: " bank", InitialMax: 1, TruncatedMax: 1}},
		},
		"max length": {
			"a bank, a bank", 1, n2g.Options{SkipInterval: new(1), PostContext: new(0), MaxLength: new(4)},
			[]n2g.Prune{{Position: 2, Text: " bank", InitialMax: 1, TruncatedMax: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := n2g.PruneText(ctx, bank(), n2g.Site{Index: test.neuron}, test.text, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// Long prompts are pruned in rounds, which must not change the result, and cost few calls.
func TestPruneTextInRounds(t *testing.T) {
	model := bank()
	text := "The river" + strings.Repeat(" and", 200) + " bank"
	got, err := n2g.PruneText(ctx, model, n2g.Site{}, text, n2g.Walkthrough())
	if err != nil {
		t.Fatal(err)
	}
	if want := " river" + strings.Repeat(" and", 200) + " bank"; got[0].Text != want {
		t.Errorf("pruned to %q", got[0].Text)
	}
	if model.Calls() > 11 {
		t.Errorf("the model was called %d times", model.Calls())
	}
}

func TestNeverFires(t *testing.T) {
	if _, err := n2g.PruneText(ctx, bank(), n2g.Site{Index: 3}, "a bank", n2g.Options{}); !errors.Is(err,
		n2g.ErrNeverFires) {
		t.Errorf("PruneText: %v", err)
	}
	examples := n2g.Examples{Site: n2g.Site{Index: 1}, Prompts: []string{"nothing here", "a bank", "a cat"}}
	e, err := n2g.Explain(ctx, bank(), nil, examples, n2g.Options{TrainProportion: new(1.0)})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Prunes) != 1 || e.Prunes[0].PromptIndex != 1 || len(e.Notes) != 3 ||
		!strings.HasPrefix(e.Notes[0], "prompt 3 of 3 is left out: the neuron never fires on the prompt") {
		t.Errorf("prunes are %+v, notes %q", e.Prunes, e.Notes)
	}
	examples.Site.Index = 3
	for prompts, want := range map[int]string{1: "fires on the prompt: its highest activation there is -1;",
		3: "fires on any of the 3 prompts"} {
		examples.Prompts = examples.Prompts[:prompts]
		_, err := n2g.Explain(ctx, bank(), nil, examples, n2g.Options{NoGraph: true})
		examples.Prompts = examples.Prompts[:3]
		if !errors.Is(err, n2g.ErrNeverFires) || !strings.Contains(err.Error(), want) {
			t.Errorf("Explain of %d prompts: %v", prompts, err)
		}
	}
	long := n2g.Examples{Site: n2g.Site{Index: 1}, Prompts: []string{strings.Repeat(" a", 2000) + " bank"}}
	if _, err := n2g.Explain(ctx, bank(), nil, long, n2g.Walkthrough()); err == nil ||
		!strings.Contains(err.Error(), "of toy: the prompt has 2002 tokens with BOS, but the context of toy is 256") {
		t.Errorf("a long prompt: %v", err)
	}
}

func TestMeasureImportance(t *testing.T) {
	model := bank()
	m, err := n2g.MeasureImportance(ctx, model, n2g.Site{}, "a river bank x", n2g.Options{}, 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	if model.Calls() != 1 {
		t.Errorf("the model was called %d times, want once", model.Calls())
	}
	want := &n2g.Measured{
		Tokens:      []string{"<|endoftext|>", "a", " river", " bank", " x"},
		Activations: []float64{0, -0.025, -0.025, 0.5, -0.025},
		Peak:        3,
		Maximum:     2,
		Importances: []float64{0, 0, 0.75, 1.05, 0},
	}
	matrix := m.Matrix
	for _, row := range matrix {
		if row[0] != 0 {
			t.Errorf("BOS has lost %g", row[0])
		}
	}
	for i := range m.Importances {
		if m.Importances[i] != matrix[i][m.Peak] {
			t.Errorf("importance %d is %g, in the matrix %g", i, m.Importances[i], matrix[i][m.Peak])
		}
		if d := m.Importances[i] - want.Importances[i]; d < -1e-6 || d > 1e-6 {
			t.Errorf("importances are %v, want %v", m.Importances, want.Importances)
		}
	}
	m.Matrix, m.Importances = nil, want.Importances
	if !reflect.DeepEqual(m, want) {
		t.Errorf("measured %+v, want %+v", m, want)
	}
	if got := m.ImportantTokens(0.75); !slices.Equal(got, []string{" river", " bank"}) {
		t.Errorf("important tokens are %q", got)
	}
}

func texts(variants []n2g.Variant) (list []string) {
	for _, v := range variants {
		list = append(list, v.Text)
	}
	return list
}

func augment(t *testing.T, text string, masked n2g.MaskedModel, opts n2g.Options) []n2g.Variant {
	t.Helper()
	model := bank()
	opts.ImportantThreshold = new(0.7) // the river's importance is 0.75
	m, err := n2g.MeasureImportance(ctx, model, n2g.Site{}, text, opts, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := n2g.Augment(ctx, model, masked, n2g.Site{}, n2g.Prune{Text: text, Measured: m}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if v := variants[0]; v.Text != text || v.Change != 1 || !v.Positive || v.Activation != m.Maximum {
		t.Errorf("the first variant is %+v", v)
	}
	return variants[1:]
}

func TestAugment(t *testing.T) {
	casings := n2g.Casings{"nasa": {{"Nasa", 3}, {"NASA", 9}}}
	for name, test := range map[string]struct {
		text  string
		words []string
		opts  n2g.Options
		want  []string
	}{
		"each important word": {
			"a river bank", []string{"lake", "sea"}, n2g.Options{},
			[]string{"a lake bank", "a sea bank", "a river lake", "a river sea"},
		},
		"substitutes": {
			"a river bank", []string{"lake", "sea"}, n2g.Options{Substitutes: new(1)},
			[]string{"a lake bank", "a river lake"},
		},
		"no more than are probable": {
			"a river bank", []string{"lake", "sea", "sand"}, n2g.Options{MinProbability: new(0.25)},
			[]string{"a lake bank", "a sea bank", "a river lake", "a river sea"},
		},
		"not the word, nothing without a letter": {
			"a river bank", []string{"bank", "River", "7", "##!", "sea"}, n2g.Options{Substitutes: new(1)},
			[]string{"a bank bank", "a river River"},
		},
		"word pieces are glued": {
			"a river bank", []string{"##S"}, n2g.Options{},
			[]string{"aS bank", "a riverS"},
		},
		"casings": {
			"a river bank", []string{"nasa"}, n2g.Options{Casings: casings},
			[]string{"a NASA bank", "a river NASA"},
		},
		"stop words": {
			"a river bank", []string{"sea"}, n2g.Options{Stopwords: []string{"river"}},
			[]string{"a river sea"},
		},
		"words after the maximum": {
			"a river bank no river bank", []string{"sea"}, n2g.Options{},
			[]string{"a sea bank no river bank", "a river sea no river bank"},
		},
		"several words": {
			"a river bank here", []string{"sea", "dry"}, n2g.Options{Mode: new(n2g.ModeMaskNum), MaskNum: new(2)},
			[]string{"a sea sea here", "a dry dry here", "a river sea sea", "a river dry dry"},
		},
		"all important words": {
			"a river bank here", []string{"sea", "dry"}, n2g.Options{Mode: new(n2g.ModeOnlyImportant)},
			[]string{"a sea sea here", "a dry dry here"},
		},
		"all other words": {
			"The river bank here", []string{"sea", "##s"}, n2g.Options{Mode: new(n2g.ModeAllButImportant)},
			[]string{"Sea river bank sea", "s river banks"},
		},
		"no word": {
			"a river bank", []string{"[]", "bank"}, n2g.Options{Mode: new(n2g.ModeOnlyImportant)},
			[]string{"a bank bank"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			variants := augment(t, test.text, n2gtest.NewMasked(test.words...), test.opts)
			got := texts(variants)
			slices.Sort(got)
			want := slices.Sorted(slices.Values(test.want))
			if !slices.Equal(got, want) {
				t.Errorf("variants are %q, want %q", got, want)
			}
		})
	}
}

// Apostrophes belong to their word.
func TestAugmentApostrophe(t *testing.T) {
	model := n2gtest.NewModel(n2gtest.Rule{Token: "'", Context: "can", Full: 1})
	m, err := n2g.MeasureImportance(ctx, model, n2g.Site{}, "can't", n2g.Options{}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.Tokens[1] = "can't" // as a tokenizer with that token would have it
	variants, err := n2g.Augment(ctx, model, n2gtest.NewMasked("will"), n2g.Site{}, n2g.Prune{Text: "can't", Measured: m},
		n2g.Options{})
	if err != nil || !slices.Equal(texts(variants), []string{"can't", "will"}) {
		t.Errorf("variants are %q, %v", texts(variants), err)
	}
}

func TestVariantsArePositiveFirst(t *testing.T) {
	variants := augment(t, "a river bank", n2gtest.NewMasked("sea", "lake"), n2g.Options{PositiveThreshold: new(-0.8)})
	negative := false
	for _, v := range variants {
		if v.Positive && negative {
			t.Errorf("a positive variant stands after a negative one: %+v", variants)
		}
		if v.Positive != (v.Change >= -0.8) {
			t.Errorf("%+v", v)
		}
		negative = negative || !v.Positive
	}
	if !variants[0].Positive || !negative {
		t.Errorf("want both kinds, got %+v", variants)
	}
}

func bankExamples() n2g.Examples {
	var prompts []string
	for _, place := range []string{"Paris", "Rome", "Bonn", "Oslo", "Kiel", "Graz"} {
		prompts = append(prompts, "In "+place+" the river has a muddy bank. It rains there.")
	}
	return n2g.Examples{Prompts: prompts}
}

func TestExplain(t *testing.T) {
	model := bank()
	var heard []string
	opts := n2g.Options{SkipInterval: new(1), Observe: func(stage string, done, total int) {
		heard = append(heard, fmt.Sprintf("%s %d/%d", stage, done, total))
	}}
	e, err := n2g.Explain(ctx, model, n2gtest.NewMasked("lake", "money"), bankExamples(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if model.Calls() > 6 {
		t.Errorf("the model was called %d times", model.Calls())
	}
	if want := "activations 0/6,prune 1/6,importance 2/6,augment 3/6,variants 4/6,graph 5/6,done 6/6"; strings.Join(heard,
		",") != want {
		t.Errorf("observed %q, want %q", heard, want)
	}
	if e.MaxActivation != 2 || e.Site.Hook != "hook_mid" || e.Model != "toy" || e.MaskedModel != "toy-masked" {
		t.Errorf("explanation of %+v %g %s %s", e.Site, e.MaxActivation, e.Model, e.MaskedModel)
	}
	for _, p := range e.Prunes {
		if p.Text != " river has a muddy bank." || !slices.Equal(p.ImportantTokens, []string{" bank"}) {
			t.Errorf("prune %+v", p)
		}
		if p.Measured.Matrix != nil {
			t.Error("the matrix was kept")
		}
	}
	if len(e.Tests) != 3 || e.Scores.Firing.F1 != 1 {
		t.Errorf("%d tests, scores %+v", len(e.Tests), e.Scores)
	}
	if e.Baselines == nil || e.Stages != nil || e.Graph == nil {
		t.Errorf("baselines %v, stages %v, graph %v", e.Baselines, e.Stages, e.Graph)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var read n2g.Explanation
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	read.Work.Stages = e.Work.Stages // which the JSON does not hold
	if !reflect.DeepEqual(&read, e) {
		t.Errorf("the JSON reads as\n%+v, want\n%+v", read, e)
	}

	// Stages add, they change nothing.
	opts.Stages = true
	staged, err := n2g.Explain(ctx, model, n2gtest.NewMasked("lake", "money"), bankExamples(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(staged.Trie, e.Trie) || !reflect.DeepEqual(staged.Graph, e.Graph) ||
		!reflect.DeepEqual(staged.Tests, e.Tests) {
		t.Error("with stages the graph differs")
	}
	if len(staged.Stages.Trains) != 3 || len(staged.Stages.Lines) != len(e.Prunes) ||
		staged.Stages.TrieBeforeMerge == nil {
		t.Errorf("stages are %+v", staged.Stages)
	}
	for _, p := range staged.Prunes {
		for _, v := range p.Variants[1:] {
			if len(v.Measured.Matrix) != len(v.Measured.Tokens) {
				t.Errorf("variant %q has no matrix", v.Text)
			}
		}
	}
}

// BOS is context only, however high its activation.
func TestBOSIsContextOnly(t *testing.T) {
	e, err := n2g.Explain(ctx, bank(), nil, n2g.Examples{Site: n2g.Site{Index: 2},
		Prompts: []string{"<|endoftext|>a bank", "the bank<|endoftext|> bank"}}, n2g.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Prunes {
		if p.Measured.Activations[0] != 0 || p.Measured.Peak == 0 {
			t.Errorf("BOS counts: %+v", p.Measured)
		}
	}
	for _, test := range e.Tests {
		for i, token := range test.Tokens {
			if token == "<|endoftext|>" && test.Activations[i] != 0 {
				t.Errorf("BOS counts in %q: %v", test.Tokens, test.Activations)
			}
		}
	}
}

func TestExplainWithoutGraph(t *testing.T) {
	opts := n2g.Walkthrough()
	e, err := n2g.Explain(ctx, bank(), n2gtest.NewMasked("sea"), bankExamples(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Prunes) != 6 || e.Trie != nil || e.Graph != nil || e.Tests != nil || e.Scores != nil {
		t.Errorf("%d prunes, %+v", len(e.Prunes), e)
	}
	for i, p := range e.Prunes {
		if p.PromptIndex != i || p.Measured.Activations[p.Measured.Peak] != 1 || len(p.Variants) < 2 {
			t.Errorf("prune %d: %+v", i, p)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	good := bankExamples()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for want, call := range map[string]func() error{
		"no example prompts": func() error { return explain(ctx, n2g.Examples{}, n2g.Options{}) },
		"prompt 2 of 2: the prompt is b": func() error {
			return explain(ctx, n2g.Examples{Prompts: []string{"a", " "}}, n2g.Options{NoGraph: true})
		},
		"has no layer 4": func() error {
			return explain(ctx, n2g.Examples{Site: n2g.Site{Layer: 4}, Prompts: good.Prompts},
				n2g.Options{})
		},
		"option mode":             func() error { return explain(ctx, good, n2g.Options{Mode: new("none")}) },
		"option cutoff":           func() error { return explain(ctx, good, n2g.Options{Cutoff: new(-1)}) },
		"option strong_threshold": func() error { return explain(ctx, good, n2g.Options{StrongThreshold: new(0.0)}) },
		"option skip_interval":    func() error { return explain(ctx, good, n2g.Options{SkipInterval: new(0)}) },
		"context canceled":        func() error { return explain(cancelled, good, n2g.Options{}) },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func explain(ctx context.Context, examples n2g.Examples, opts n2g.Options) error {
	_, err := n2g.Explain(ctx, bank(), nil, examples, opts)
	return err
}

// What is left of a prompt may spell the text of BOS, and nothing else.
func TestPruneToBOSText(t *testing.T) {
	model := n2gtest.NewModel(n2gtest.Rule{Token: ">", Full: 1})
	prunes, err := n2g.PruneText(ctx, model, n2g.Site{}, "a <|endoftext|>", n2g.Options{})
	if err != nil || prunes[0].Text != "<|endoftext|>" {
		t.Errorf("%+v, %v", prunes, err)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("a river bank.", "lake")
	f.Add("Don't bank\n bank!<|endoftext|> bank", "##s")
	f.Add("été bank 日本 bank", "É")
	f.Fuzz(func(t *testing.T, text, word string) {
		e, err := n2g.Explain(ctx, bank(), n2gtest.NewMasked(word, "sea"),
			n2g.Examples{Site: n2g.Site{Index: 1}, Prompts: []string{text, "a bank"}},
			n2g.Options{SkipInterval: new(2), StrongThreshold: new(0.5), Stages: true, TrainProportion: new(1.0)})
		if err != nil {
			return
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read n2g.Explanation
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		for _, p := range e.Prunes {
			seen := map[string]bool{}
			for _, v := range p.Variants {
				if seen[v.Text] {
					t.Errorf("%q: the variant %q twice", p.Text, v.Text)
				}
				seen[v.Text] = true
			}
		}
	})
}
