// Command choose finds the neurons that the notebooks show: it ranks all neurons of the embedded model, explained
// beforehand, by how well each teaches something.
//
//   - demo: its best example prunes to a short text whose peak depends on an earlier word, the masked model makes both
//     positive and negative variants of it, and the graph predicts it better than a table of tokens does;
//   - token: fires on one token whatever stands before it, and the graph of that single node predicts it well;
//   - context: the graph, in one part, predicts it much better than a table of tokens does, because context decides;
//   - polysemantic: it has two behaviours or more, and its graph predicts it well.
//
// Left out are neurons of which most examples prune to the same text, since the licence at the head of every file
// excites many, and teaches nothing; and quiet neurons, whose highest activation in the sample is below 0.01: a variant
// of a text can excite them thousands of times more than anything in the sample does, so that their graphs are not to
// be trusted.
//
// Usage, from the repository's root (the first command takes minutes):
//
//	build/n2g run -store build/run.db
//	GOEXPERIMENT=simd go run ./notebooks/choose build/run.db
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "choose:", err)
		os.Exit(1)
	}
}

const (
	listed        = 8    // neurons a criterion
	minDifferent  = 6    // pruned texts of a neuron's ten train examples
	minActivation = 0.01 // highest in the sample; docs/findings.md tells what quieter ones are worth
)

func run(ctx context.Context) error {
	if len(os.Args) != 2 {
		return errors.New("name the store that n2g run made of all neurons")
	}
	found, err := candidates(ctx, os.Args[1])
	if err != nil {
		return err
	}
	if err := rankDemo(ctx, found); err != nil {
		return err
	}
	for _, c := range criteria {
		rank(c.name, found, c.merit)
	}
	return nil
}

// candidates reads the explanations that are worth a look, by layer and neuron.
func candidates(ctx context.Context, path string) ([]*n2g.Explanation, error) {
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var found []*n2g.Explanation
	for e, err := range s.Explanations(ctx) {
		if err != nil {
			return nil, err
		}
		different := map[string]bool{}
		for _, p := range e.Prunes {
			different[strings.TrimSpace(p.Text)] = true
		}
		if e.MaxActivation >= minActivation && e.Scores != nil && e.Baselines != nil && e.Graph != nil &&
			len(different) >= minDifferent {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *n2g.Explanation) int {
		return cmp.Or(cmp.Compare(a.Site.Layer, b.Site.Layer), cmp.Compare(a.Site.Index, b.Site.Index))
	})
	return found, nil
}

// rank prints the candidates of the highest merit; 0 is unfit.
func rank(name string, found []*n2g.Explanation, merit func(*n2g.Explanation) float64) {
	fmt.Printf("\n%s\n", name)
	found = slices.DeleteFunc(slices.Clone(found), func(e *n2g.Explanation) bool { return merit(e) <= 0 })
	slices.SortStableFunc(found, func(a, b *n2g.Explanation) int { return cmp.Compare(merit(b), merit(a)) })
	for _, e := range found[:min(listed, len(found))] {
		fmt.Printf("  %.3f  %s\n", merit(e), describe(e))
	}
}

var criteria = []struct {
	name  string
	merit func(*n2g.Explanation) float64
}{
	{"token", func(e *n2g.Explanation) float64 {
		if len(e.Graph.Nodes) != 1 {
			return 0
		}
		return e.Scores.Firing.F1
	}},
	{"context", func(e *n2g.Explanation) float64 {
		if depth(e.Graph) < 1 || len(e.Graph.Components()) > 1 || e.Scores.Firing.F1 < 0.5 {
			return 0
		}
		return e.Scores.Firing.F1 - e.Baselines.TokenLookup.Scores.Firing.F1
	}},
	{"polysemantic", func(e *n2g.Explanation) float64 {
		if e.Behaviours == nil || len(e.Behaviours.List) < 2 || len(e.Graph.Nodes) > 25 {
			return 0
		}
		return e.Scores.Firing.F1
	}},
}

// rankDemo takes the best example of each well predicted neuron apart, as the walkthrough does, and ranks those that
// show every step.
func rankDemo(ctx context.Context, found []*n2g.Explanation) error {
	model, err := models.Open(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	defer model.Close()
	masked, err := models.OpenMasked(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	defer masked.Close()
	x, err := index.Read(tiny.Index())
	if err != nil {
		return err
	}
	shows := map[*n2g.Explanation]bool{}
	for _, e := range found {
		if e.Scores.Firing.F1 < 0.6 || depth(e.Graph) < 1 {
			continue
		}
		examples, err := corpus.Examples(x, model, e.Site)
		if err != nil {
			return err
		}
		examples.Prompts, examples.MaxActivation = examples.Prompts[:1], 0
		walk, err := n2g.Explain(ctx, model, masked, *examples, n2g.Walkthrough())
		if err != nil {
			return err
		}
		shows[e] = showsAll(walk.Prunes[0])
	}
	rank("demo", found, func(e *n2g.Explanation) float64 {
		if !shows[e] || e.Scores.Firing.F1 <= e.Baselines.TokenLookup.Scores.Firing.F1 {
			return 0
		}
		return e.Scores.Firing.F1
	})
	return nil
}

// showsAll says whether a pruned text is short, depends on a word before its peak, and has variants of both kinds.
func showsAll(p n2g.Prune) bool {
	positive := slices.ContainsFunc(p.Variants[1:], func(v n2g.Variant) bool { return v.Positive })
	negative := slices.ContainsFunc(p.Variants[1:], func(v n2g.Variant) bool { return !v.Positive })
	tokens := len(p.Measured.Tokens)
	return positive && negative && earlierMatters(p) && tokens >= 4 && tokens <= 20
}

// earlierMatters says whether a word before the peak is among the important tokens.
func earlierMatters(p n2g.Prune) bool {
	for i := 1; i < p.Measured.Peak; i++ {
		if p.Measured.Importances[i] >= 0.8 && strings.ContainsFunc(p.Measured.Tokens[i], isLetter) {
			return true
		}
	}
	return false
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func depth(g *n2g.Graph) int {
	deepest := 0
	for _, node := range g.Nodes {
		deepest = max(deepest, node.Depth)
	}
	return deepest
}

func describe(e *n2g.Explanation) string {
	var activating []string
	for _, node := range e.Graph.Nodes {
		if node.Depth == 0 && len(activating) < 6 {
			activating = append(activating, fmt.Sprintf("%q", node.Token))
		}
	}
	behaviours := "behaviours unknown"
	if e.Behaviours != nil {
		behaviours = fmt.Sprintf("%d behaviours", len(e.Behaviours.List))
	}
	return fmt.Sprintf("layer %d neuron %3d  highest %.3g  F1 %.2f (token lookup %.2f)  %2d nodes in %d parts  %s  "+
		"fires on %s  pruned to %.80q",
		e.Site.Layer, e.Site.Index, e.MaxActivation, e.Scores.Firing.F1, e.Baselines.TokenLookup.Scores.Firing.F1,
		len(e.Graph.Nodes), len(e.Graph.Components()), behaviours, strings.Join(activating, " "), e.Prunes[0].Text)
}
