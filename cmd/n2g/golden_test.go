package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// goldenRun is how the published program was called.
type goldenRun struct {
	Params struct {
		Importance  float64 `json:"importance_threshold"`
		Substitutes int     `json:"n"`
		Activation  float64 `json:"activation_threshold"`
		Strong      float64 `json:"token_activation_threshold"`
		Fire        float64 `json:"fire_threshold"`
		Cutoff      *int    `json:"cutoff"`
		PostContext *int    `json:"max_post_context_tokens"`
		Stopwords   bool    `json:"exclude_stopwords"`
	} `json:"params"`
	Stopwords []string `json:"stopwords_stub"`
	Masked    string   `json:"mlm"`
}

// flags are the run as this program's flags.
func (r goldenRun) flags(t *testing.T) []string {
	p := r.Params
	flags := []string{"-masked", golden + "models/" + r.Masked}
	add := func(name string, value any) { flags = append(flags, "-"+name, fmt.Sprint(value)) }
	add("importance-threshold", p.Importance)
	add("substitutes", p.Substitutes)
	add("activation-threshold", p.Activation)
	add("strong-threshold", p.Strong)
	add("fire-threshold", p.Fire)
	if p.Cutoff != nil {
		add("cutoff", *p.Cutoff)
	}
	if p.PostContext != nil {
		add("post-context", *p.PostContext)
	}
	if p.Stopwords {
		add("stopwords", file(t, strings.Join(r.Stopwords, "\n")))
	}
	return flags
}

// goldenNeuron is what the published program found; pairs of variants are [text, activation, change].
type goldenNeuron struct {
	publishedNeuron
	Train []struct {
		Results []struct {
			Pruned string `json:"pruned"`
		} `json:"results"`
		Augmented []struct {
			Importance []struct {
				Important []string `json:"important_tokens"`
			} `json:"importance"`
			Augment struct {
				Positive [][3]any `json:"positive"`
				Negative [][3]any `json:"negative"`
			} `json:"augment"`
		} `json:"augmented"`
	} `json:"train"`
	Eval []struct {
		Tokens    []string  `json:"tokens"`
		Predicted []float64 `json:"predicted"`
	} `json:"eval"`
	Stats     goldenStats `json:"stats"`
	Baselines map[string]struct {
		Stats goldenStats `json:"stats"`
	} `json:"baselines"`
}

type goldenStats struct {
	Rest   goldenClass `json:"0"`
	Firing goldenClass `json:"1"`
}

type goldenClass struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1-score"`
	Support   float64 `json:"support"`
}

func readGolden[T any](t *testing.T, name string) (value T) {
	t.Helper()
	testfile.JSON(t, golden+name+".json.gz", &value)
	return value
}

// TestGolden explains neurons by the command line alone, with the defaults and with other options, and compares what
// its JSON tells with the published program's results. The library's tests compare more of all of them.
func TestGolden(t *testing.T) {
	for folder, names := range map[string][]string{
		"neurons":      {"1_237", "2_80"},
		"neurons_deep": {"0_125", "2_164", "2_178"},
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			run := readGolden[goldenRun](t, folder+"/run")
			var wanted []goldenNeuron
			var lines strings.Builder
			for _, name := range names {
				n := readGolden[goldenNeuron](t, folder+"/neuron_"+name)
				wanted = append(wanted, n)
				lines.WriteString(n.examples(t) + "\n")
			}
			args := append([]string{"explain", "-model", solu, "-casings", golden + "neurons/word_to_casings.json", "-examples",
				"-", "-json", "-", "-stages=false"}, run.flags(t)...)
			status, stdout, stderr := call(t, lines.String(), args...)
			if status != 0 {
				t.Fatal(stderr)
			}
			i := 0
			for e, err := range n2g.ReadExplanations(strings.NewReader(stdout)) {
				if err != nil {
					t.Fatal(err)
				}
				if i == len(wanted) {
					t.Fatal("too many explanations")
				}
				t.Run(names[i], func(t *testing.T) { wanted[i].compare(t, e) })
				i++
			}
			if i != len(names) {
				t.Errorf("%d explanations, want %d", i, len(names))
			}
		})
	}
}

func (n goldenNeuron) compare(t *testing.T, e *n2g.Explanation) {
	if e.Site.Layer != n.Layer || e.Site.Index != n.Neuron {
		t.Fatalf("it is of %+v", e.Site)
	}
	k := 0
	for _, train := range n.Train {
		for i, result := range train.Results {
			if k == len(e.Prunes) {
				t.Fatalf("only %d prunes", k)
			}
			got, augmented := e.Prunes[k], train.Augmented[i]
			k++
			if got.Text != result.Pruned || !slices.Equal(got.ImportantTokens, augmented.Importance[0].Important) {
				t.Errorf("pruned to %q with %q, want %q with %q", got.Text, got.ImportantTokens, result.Pruned,
					augmented.Importance[0].Important)
			}
			want := append(augmented.Augment.Positive, augmented.Augment.Negative...)
			if len(got.Variants) != len(want) {
				t.Errorf("%q: %d variants, want %d", got.Text, len(got.Variants), len(want))
				continue
			}
			for j, v := range got.Variants {
				if v.Text != want[j][0] || v.Positive != (j < len(augmented.Augment.Positive)) ||
					!roughly(v.Activation, want[j][1].(float64), 1e-3) {
					t.Errorf("variant %q %g %v, want %v", v.Text, v.Activation, v.Positive, want[j])
				}
			}
		}
	}
	if k != len(e.Prunes) {
		t.Errorf("%d prunes, want %d", len(e.Prunes), k)
	}
	if len(e.Tests) != len(n.Eval) {
		t.Fatalf("%d tests, want %d", len(e.Tests), len(n.Eval))
	}
	for i, want := range n.Eval {
		got := e.Tests[i]
		near := func(a, b float64) bool { return roughly(a, b, 1.001e-3) }
		if !slices.Equal(got.Tokens, want.Tokens) || !slices.EqualFunc(got.Predictions, want.Predicted, near) {
			t.Errorf("test %d: %q predicted %v, want %q %v", i, got.Tokens, got.Predictions, want.Tokens, want.Predicted)
		}
	}
	for name, pair := range map[string]struct {
		got  n2g.Scores
		want goldenStats
	}{
		"graph":        {*e.Scores, n.Stats},
		"token lookup": {e.Baselines.TokenLookup.Scores, n.Baselines["TokenPredictor"].Stats},
		"n-gram":       {e.Baselines.NGram.Scores, n.Baselines["NGramBaseline"].Stats},
	} {
		if !pair.want.Firing.equals(pair.got.Firing) || !pair.want.Rest.equals(pair.got.NonFiring) {
			t.Errorf("scores of the %s: %+v, want %+v", name, pair.got, pair.want)
		}
	}
}

func (c goldenClass) equals(got n2g.ClassScores) bool {
	return roughly(got.Precision, c.Precision, 1e-9) && roughly(got.Recall, c.Recall, 1e-9) &&
		roughly(got.F1, c.F1, 1e-9) && float64(got.Support) == c.Support
}

func roughly(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}
