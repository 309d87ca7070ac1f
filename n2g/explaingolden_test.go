package n2g

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// refExplained is a golden neuron's train prompts with every stage.
type refExplained struct {
	Train []struct {
		Snippet string `json:"snippet"`
		Results []struct {
			Pruned     string  `json:"pruned"`
			InitialMax float64 `json:"initial_max"`
			Truncated  float64 `json:"truncated_max"`
		} `json:"results"`
		Augmented []struct {
			Prompt     string  `json:"prompt"`
			Scale      float64 `json:"scale_factor"`
			Importance []struct {
				refMeasured
				Important  []string `json:"important_tokens"`
				InitialMax float64  `json:"initial_max"`
			} `json:"importance"`
			Augment refVariants `json:"augment"`
		} `json:"augmented"`
	} `json:"train"`
	Error any `json:"error"`
}

// refVariants are [text, activation, change] each.
type refVariants struct {
	Important []string `json:"important_tokens"`
	Positive  [][3]any `json:"positive"`
	Negative  [][3]any `json:"negative"`
}

func (r refVariants) list() (all []Variant) {
	for i, group := range [][][3]any{r.Positive, r.Negative} {
		for _, v := range group {
			all = append(all, Variant{Text: v[0].(string), Activation: v[1].(float64), Change: v[2].(float64), Positive: i == 0})
		}
	}
	return all
}

type refExplainRun struct {
	Params struct {
		Importance  float64 `json:"importance_threshold"`
		Substitutes int     `json:"n"`
		Activation  float64 `json:"activation_threshold"`
		Strong      float64 `json:"token_activation_threshold"`
		Fire        float64 `json:"fire_threshold"`
		Cutoff      int     `json:"cutoff"`
		PostContext *int    `json:"max_post_context_tokens"`
		Stopwords   bool    `json:"exclude_stopwords"`
	} `json:"params"`
	Stopwords []string `json:"stopwords_stub"`
	Masked    string   `json:"mlm"`
}

func (r refExplainRun) options() Options {
	p := r.Params
	o := Options{
		ImportanceThreshold: &p.Importance,
		Substitutes:         &p.Substitutes,
		ActivationThreshold: &p.Activation,
		StrongThreshold:     &p.Strong,
		FireThreshold:       &p.Fire,
		PostContext:         p.PostContext,
	}
	if p.Cutoff != 0 {
		o.Cutoff = &p.Cutoff
	}
	if p.Stopwords {
		o.Stopwords = r.Stopwords
	}
	return o
}

// testBackend is what golden neurons run on: pure Go, unless N2G_BACKEND names another, as make test-xla does.
func testBackend() string { return cmp.Or(os.Getenv(backends.EnvVar), backends.Go) }

// goldenModels opens the small models that the golden results were made with, once a test run.
var goldenModels = sync.OnceValues(func() (*models.Causal, error) {
	return models.Open("../testdata/golden/models/solu", models.Options{Backend: testBackend()})
})

func openGolden(t *testing.T, masked string) (*models.Causal, *models.Masked) {
	t.Helper()
	model, err := goldenModels()
	if err != nil {
		t.Fatal(err)
	}
	fills, err := models.OpenMasked("../testdata/golden/models/"+masked, models.Options{Backend: testBackend()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fills.Close() })
	return model, fills
}

func goldenCasings(t *testing.T) Casings {
	t.Helper()
	f, err := os.Open("../testdata/golden/neurons/word_to_casings.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := LoadCasings(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// sameVariants compares what varying a text gave with the published program's.
func sameVariants(got, want []Variant) error {
	var errs []error
	text := func(v Variant) string { return v.Text }
	if g, w := mapped(got, text), mapped(want, text); !slices.Equal(g, w) {
		return fmt.Errorf("variants are\n\t%q, want\n\t%q", g, w)
	}
	for i := range got {
		g, w := got[i], want[i]
		if !near(g.Activation, w.Activation, 1e-3) || !near(g.Change, w.Change, 1e-3) || g.Positive != w.Positive {
			errs = append(errs, fmt.Errorf("variant %q: %g %g %v, want %g %g %v", g.Text, g.Activation, g.Change, g.Positive,
				w.Activation, w.Change, w.Positive))
		}
	}
	return errors.Join(errs...)
}

func mapped[T, U any](list []T, f func(T) U) []U {
	var result []U
	for _, v := range list {
		result = append(result, f(v))
	}
	return result
}

// sameMeasured compares importances where the activation they divide by is material: they explode elsewhere.
func sameMeasured(got *Measured, want refMeasured) error {
	w := want.measured()
	if !slices.Equal(got.Tokens, w.Tokens) {
		return fmt.Errorf("tokens are %q, want %q", got.Tokens, w.Tokens)
	}
	if got.Peak != w.Peak {
		return fmt.Errorf("the maximum is at %d, want %d", got.Peak, w.Peak)
	}
	for j, a := range got.Activations {
		if !near(a, w.Activations[j], 1.001e-3) {
			return fmt.Errorf("activation %d is %g, want %g", j, a, w.Activations[j])
		}
		for i := range got.Matrix {
			if i >= len(w.Matrix) {
				break // not recorded
			}
			if math.Abs(a) >= 0.05 && !near(got.Matrix[i][j], w.Matrix[i][j], 1e-3) {
				return fmt.Errorf("importance of %d for %d is %g, want %g", i, j, got.Matrix[i][j], w.Matrix[i][j])
			}
		}
	}
	return nil
}

// TestExplainGolden explains every golden neuron and compares each stage with the published program's.
func TestExplainGolden(t *testing.T) {
	casings := goldenCasings(t)
	for _, folder := range []string{"neurons", "neurons_deep"} {
		run := readGoldenGraph[refExplainRun](t, folder+"/run.json.gz")
		model, masked := openGolden(t, run.Masked)
		opts := run.options()
		opts.Casings = casings
		files, _ := filepath.Glob("../testdata/golden/" + folder + "/neuron_*")
		if len(files) == 0 {
			t.Fatalf("no neurons in %s", folder)
		}
		// Stages cost much, so they are compared where all importances are recorded, and of one folder's pruned texts.
		stages := []string{"0_125", "0_177"}
		if folder == "neurons" {
			stages = append(stages, "0_52", "1_115", "1_129", "1_206", "2_104", "2_178", "2_80")
		}
		if testing.Short() {
			files = files[:3]
		}
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "neuron_"), ".json.gz")
			opts := opts
			opts.Stages = slices.Contains(stages, name)
			t.Run(folder+"/"+name, func(t *testing.T) {
				t.Parallel()
				checkExplained(t, model, masked, folder+"/"+filepath.Base(file), opts)
			})
		}
	}
}

func checkExplained(t *testing.T, model LanguageModel, masked MaskedModel, path string, opts Options) {
	graph := readGoldenGraph[refNeuron](t, path)
	ref := readGoldenGraph[refExplained](t, path)
	if ref.Error != nil {
		t.Fatalf("the reference failed: %v", ref.Error)
	}
	e, err := Explain(context.Background(), model, masked, Examples{
		Site: Site{Layer: graph.Layer, Index: graph.Neuron, Hook: "hook_mid"}, MaxActivation: graph.MaxAct,
		Prompts: graph.Prompts,
	}, opts)
	if err != nil {
		t.Fatal(err)
	}

	prunes := e.Prunes
	for _, train := range ref.Train {
		for k, want := range train.Results {
			if len(prunes) == 0 {
				t.Fatal("too few prunes")
			}
			p := prunes[0]
			prunes = prunes[1:]
			if graph.Prompts[p.PromptIndex] != train.Snippet {
				t.Fatalf("prune of prompt %d, want that of %.40q", p.PromptIndex, train.Snippet)
			}
			if p.Text != want.Pruned {
				t.Errorf("pruned to %q, want %q", p.Text, want.Pruned)
				continue
			}
			if !near(p.InitialMax, want.InitialMax, 1e-4) || !near(p.TruncatedMax, want.Truncated, 1e-4) {
				t.Errorf("%q: maxima %g, %g, want %g, %g", p.Text, p.InitialMax, p.TruncatedMax, want.InitialMax, want.Truncated)
			}
			augmented := train.Augmented[k]
			if !near(p.Scale(), augmented.Scale, 1e-3) {
				t.Errorf("%q: scale %g, want %g", p.Text, p.Scale(), augmented.Scale)
			}
			if want := augmented.Importance[0].Important; !slices.Equal(p.ImportantTokens, want) {
				t.Errorf("%q: important tokens %q, want %q", p.Text, p.ImportantTokens, want)
			}
			if err := sameMeasured(p.Measured, augmented.Importance[0].refMeasured); err != nil {
				t.Errorf("%q: %v", p.Text, err)
			}
			if err := sameVariants(p.Variants, augmented.Augment.list()); err != nil {
				t.Errorf("%q: %v", p.Text, err)
				continue
			}
			for i, v := range p.Variants[1:] {
				ref := augmented.Importance[i+2]
				if v.Measured == nil && !opts.Stages {
					continue // no token of it is in the graph, as the trie shows
				}
				if err := sameMeasured(v.Measured, ref.refMeasured); err != nil {
					t.Errorf("%q: %v", v.Text, err)
				}
			}
		}
	}
	if len(prunes) > 0 {
		t.Errorf("%d prunes too many", len(prunes))
	}

	if e.Stages != nil {
		if err := sameTrie(e.Stages.TrieBeforeMerge, graph.TrieBeforeMerge.trie(), 2e-3, false); err != nil {
			t.Errorf("trie before merge: %v", err)
		}
	}
	if err := sameTrie(e.Trie, graph.Trie.trie(), 2e-3, false); err != nil {
		t.Errorf("trie: %v", err)
	}
	for i, want := range graph.Eval {
		got := e.Tests[i]
		if !slices.Equal(got.Tokens, want.Tokens) {
			t.Fatalf("tokens of test %d are %q, want %q", i, got.Tokens, want.Tokens)
		}
		for k := range want.Tokens {
			if !near(got.Activations[k], want.Activations[k], 1e-4) || !near(got.Predictions[k], want.Predicted[k], 1.001e-3) {
				t.Errorf("test %d, token %d: %g predicted %g, want %g and %g", i, k, got.Activations[k], got.Predictions[k],
					want.Activations[k], want.Predicted[k])
			}
		}
	}
	for _, scores := range []struct {
		of        string
		got, want Scores
	}{
		{"graph", *e.Scores, graph.Stats.scores()},
		{"token lookup", e.Baselines.TokenLookup.Scores, graph.Baselines["TokenPredictor"].Stats.scores()},
		{"n-gram", e.Baselines.NGram.Scores, graph.Baselines["NGramBaseline"].Stats.scores()},
	} {
		// R² moves with the activations' fifth digit.
		if near(scores.got.R2, scores.want.R2, 1e-3) {
			scores.got.R2 = scores.want.R2
		}
		if err := sameScores(scores.got, scores.want); err != nil {
			t.Errorf("scores of the %s: %v", scores.of, err)
		}
	}
}
