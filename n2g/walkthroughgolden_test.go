package n2g

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// refWalk is one prompt of the published walkthrough notebook.
type refWalk struct {
	Layer      int    `json:"layer"`
	Neuron     int    `json:"neuron"`
	Prompt     string `json:"prompt"`
	Pruned     string `json:"pruned"`
	Importance struct {
		InitialMax  float64  `json:"initial_max"`
		Important   []string `json:"important_tokens"`
		Importances [][3]any `json:"tokens_and_importances"` // token, maximum with it masked, importance
		Activations [][2]any `json:"tokens_and_activations"`
	} `json:"importance"`
	Augment map[string]refVariants `json:"augment"`
}

// variants of a mode. Where nothing is masked the reference returns the unchanged prompt once more; ours does not.
func (r refWalk) variants(mode string) []Variant {
	all := r.Augment[mode].list()
	return append(all[:1:1], slices.DeleteFunc(all[1:], func(v Variant) bool { return v.Text == r.Pruned })...)
}

func TestWalkthroughGolden(t *testing.T) {
	model, masked := openGolden(t, "distilbert")
	casings := goldenCasings(t)
	modes := map[string]Options{
		"default":           {},
		"mask_num3":         {Mode: new(ModeMaskNum), MaskNum: new(3)},
		"only_important":    {Mode: new(ModeOnlyImportant)},
		"all_but_important": {Mode: new(ModeAllButImportant)},
	}
	for _, ref := range readGoldenGraph[[]refWalk](t, "walkthrough/walkthrough.json.gz") {
		t.Run(fmt.Sprintf("%d_%d", ref.Layer, ref.Neuron), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			site := Site{Layer: ref.Layer, Index: ref.Neuron, Hook: "hook_mid"}
			opts := Walkthrough()
			opts.Casings = casings
			prunes, err := PruneText(ctx, model, site, ref.Prompt, opts)
			if err != nil {
				t.Fatal(err)
			}
			prune := prunes[0]
			if prune.Text != ref.Pruned {
				t.Fatalf("pruned to %q, want %q", prune.Text, ref.Pruned)
			}
			m, err := MeasureImportance(ctx, model, site, prune.Text, opts, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !near(m.Maximum, ref.Importance.InitialMax, 1e-4) {
				t.Errorf("maximum is %g, want %g", m.Maximum, ref.Importance.InitialMax)
			}
			if got := m.ImportantTokens(0.8); !slices.Equal(got, ref.Importance.Important) {
				t.Errorf("important tokens are %q, want %q", got, ref.Importance.Important)
			}
			for i, want := range ref.Importance.Importances {
				if m.Tokens[i] != want[0].(string) || !near(m.Importances[i], want[2].(float64), 1e-3) {
					t.Errorf("importance of %q is %g, want %v", m.Tokens[i], m.Importances[i], want)
				}
				if a := ref.Importance.Activations[i][1].(float64); math.Abs(m.Activations[i]-a) > 1.001e-3 {
					t.Errorf("activation of %q is %g, want %g", m.Tokens[i], m.Activations[i], a)
				}
			}
			prune.Measured = m
			for mode, changed := range modes {
				o := opts
				o.Mode, o.MaskNum = changed.Mode, changed.MaskNum
				got, err := Augment(ctx, model, masked, site, prune, o)
				if err != nil {
					t.Fatal(err)
				}
				if err := sameVariants(got, ref.variants(mode)); err != nil {
					t.Errorf("%s: %v", mode, err)
				}
				if mode != ModeDefault {
					continue
				}
				// The whole method in one call gives the same.
				e, err := Explain(ctx, model, masked, Examples{
					Site: Site{Layer: ref.Layer, Index: ref.Neuron}, Prompts: []string{ref.Prompt}},
					o)
				if err != nil {
					t.Fatal(err)
				}
				one := e.Prunes[0]
				equal := slices.Equal[[]float64]
				if model.Backend().Name != backends.Go { // a compiled program of another shape rounds otherwise
					equal = func(a, b []float64) bool {
						return slices.EqualFunc(a, b, func(x, y float64) bool { return near(x, y, 1e-5) })
					}
				}
				if one.Text != prune.Text || !equal(one.Measured.Importances, m.Importances) ||
					!equal(one.Measured.Activations, m.Activations) {
					t.Errorf("%s: Explain gives %q %+v, want %q %+v", mode, one.Text, one.Measured, prune.Text, m)
				}
				if err := sameVariants(one.Variants, got); err != nil {
					t.Errorf("%s: Explain: %v", mode, err)
				}
			}
		})
	}
}
