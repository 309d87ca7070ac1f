// Command choose finds the neurons that the notebooks show. It explains every neuron of the embedded model and ranks them
// by how well each teaches something:
//
//   - demo: its best example prunes to a short text whose peak depends on an earlier token, and the masked model makes
//     both positive and negative variants of it;
//   - token: fires on one token whatever stands before it, and the graph of that single node predicts it well;
//   - context: the graph predicts it much better than a table of tokens does, because context decides;
//   - polysemantic: its graph falls into parts that share no token, and predicts well.
//
// Usage, from the repository's root (minutes on 2 cores):
//
//	GOEXPERIMENT=simd go run ./notebooks/choose
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "choose:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	model, err := models.Open(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	masked, err := models.OpenMasked(tiny.Name, models.Options{})
	if err != nil {
		return err
	}
	index, err := corpus.ReadIndex(tiny.Examples())
	if err != nil {
		return err
	}
	found, err := explainAll(ctx, model, masked, index)
	if err != nil {
		return err
	}
	for _, c := range criteria {
		fmt.Printf("\n%s\n", c.name)
		slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(c.merit(b), c.merit(a)) })
		for _, candidate := range found[:min(8, len(found))] {
			fmt.Printf("  %.3f  %s\n", c.merit(candidate), candidate)
		}
	}
	return nil
}

// candidate is a neuron with its whole explanation and, for the demo, its best example taken apart.
type candidate struct {
	*n2g.Explanation
	first n2g.Prune
}

func explainAll(ctx context.Context, model *models.Causal, masked *models.Masked, index *corpus.Index) ([]candidate, error) {
	var (
		mu    sync.Mutex
		found []candidate
		first error
		wg    sync.WaitGroup
		slots = make(chan struct{}, 4*runtime.GOMAXPROCS(0))
	)
	for i, neuron := range index.Neurons {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := explain(ctx, model, masked, index, neuron)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				found = append(found, c)
			case errors.Is(err, n2g.ErrNeverFires) || len(neuron.Examples) < 20:
				// Too little is known about this neuron to show it.
			case first == nil:
				first = err
			}
			if i%100 == 0 {
				fmt.Fprintf(os.Stderr, "choose: %d of %d neurons\n", i, len(index.Neurons))
			}
		})
	}
	wg.Wait()
	// The order of completion must not decide among equals.
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.Site.Layer, b.Site.Layer), cmp.Compare(a.Site.Index, b.Site.Index))
	})
	return found, first
}

func explain(ctx context.Context, model *models.Causal, masked *models.Masked, index *corpus.Index, neuron corpus.NeuronIndex) (candidate, error) {
	examples, err := index.Examples(neuron.Layer, neuron.Neuron, tiny.Sample())
	if err != nil {
		return candidate{}, err
	}
	whole, err := n2g.Explain(ctx, model, masked, *examples, n2g.Options{})
	if err != nil {
		return candidate{}, err
	}
	one := *examples
	one.Prompts, one.MaxActivation = one.Prompts[:1], 0
	walk, err := n2g.Explain(ctx, model, masked, one, n2g.Walkthrough())
	if err != nil {
		return candidate{}, err
	}
	return candidate{whole, walk.Prunes[0]}, nil
}

// criteria give each candidate a merit; 0 is unfit.
var criteria = []struct {
	name  string
	merit func(candidate) float64
}{
	{"demo", func(c candidate) float64 {
		positive, negative := 0, 0
		for _, v := range c.first.Variants[1:] {
			if v.Positive {
				positive++
			} else {
				negative++
			}
		}
		tokens := len(c.first.Measured.Tokens)
		if positive == 0 || negative == 0 || !earlierMatters(c.first) || tokens < 4 || tokens > 20 {
			return 0
		}
		return c.Scores.Firing.F1
	}},
	{"token", func(c candidate) float64 {
		if len(c.Graph.Nodes) != 1 {
			return 0
		}
		return c.Scores.Firing.F1
	}},
	{"context", func(c candidate) float64 {
		if depth(c.Graph) < 1 || c.Scores.Firing.F1 < 0.5 {
			return 0
		}
		return c.Scores.Firing.F1 - c.Baselines.TokenLookup.Scores.Firing.F1
	}},
	{"polysemantic", func(c candidate) float64 {
		if strongParts(c.Graph) < 2 || len(c.Graph.Nodes) > 25 {
			return 0
		}
		return c.Scores.Firing.F1
	}},
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

// strongParts counts the separate parts of a graph in which an activating token is near the neuron's maximum.
func strongParts(g *n2g.Graph) int {
	strong := 0
	for _, part := range g.Components() {
		if slices.ContainsFunc(part, func(i int) bool { return g.Nodes[i].Depth == 0 && g.Nodes[i].Activation >= 0.7 }) {
			strong++
		}
	}
	return strong
}

func (c candidate) String() string {
	var activating []string
	for _, node := range c.Graph.Nodes {
		if node.Depth == 0 && len(activating) < 6 {
			activating = append(activating, fmt.Sprintf("%q", node.Token))
		}
	}
	return fmt.Sprintf("layer %d neuron %3d  F1 %.2f (token lookup %.2f)  %2d nodes, %d parts  fires on %s  first example %q",
		c.Site.Layer, c.Site.Index, c.Scores.Firing.F1, c.Baselines.TokenLookup.Scores.Firing.F1,
		len(c.Graph.Nodes), len(c.Graph.Components()), strings.Join(activating, " "), c.first.Text)
}
