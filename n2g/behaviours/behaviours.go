package behaviours

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Model gives what a neuron's number is the sum of.
type Model interface {
	n2g.LanguageModel
	// HasInputTerms says why a hook point's numbers are no sums over an input, nil if they are.
	HasInputTerms(layer int, hook string) error
	// InputTerms are the terms of a number's sum, before its bias and activation function: result[i][k] is that on token
	// positions[i][k] of prompts[i], ids with BOS.
	InputTerms(ctx context.Context, layer int, hook string, index int, prompts, positions [][]int) ([][][]float32, error)
}

// Constants of the rule.
const (
	least    = 3   // examples of a behaviour
	alike    = 0.3 // mean cosine from which two groups of examples are one
	shuffles = 19  // so that chance reaches what is found once in 20 times
	shown    = 3   // examples of a behaviour
	before   = 16  // tokens of text shown before the firing one
	after    = 4   // and behind it
	branches = 5   // of a behaviour that are kept
)

// Complete finds the behaviours of an explanation's neuron by the examples. Where there are none to be found, the
// model or the site having no input terms, it adds a note that says why.
func Complete(ctx context.Context, model n2g.LanguageModel, e *n2g.Explanation, examples []Example) error {
	m, ok := model.(Model)
	why := "the model tells no terms of a neuron's input"
	if ok {
		if err := m.HasInputTerms(e.Site.Layer, e.Site.Hook); err != nil {
			ok, why = false, err.Error()
		}
	}
	if !ok {
		e.Notes = append(e.Notes, "behaviours are not told apart: "+why)
		return nil
	}
	found, err := Find(ctx, m, e, examples)
	if err != nil {
		return fmt.Errorf("behaviours of %s: %w", e.Site.Name(), err)
	}
	e.Behaviours = found
	return nil
}

// Find groups the examples by the neuron's input and names each group by the branches of the explanation's context
// graph, or else of its published one. Examples whose input is not finite, or all zeros, are left out. The result does
// not depend on the order of the examples.
func Find(ctx context.Context, model Model, e *n2g.Explanation, examples []Example) (*n2g.Behaviours, error) {
	g, err := group(ctx, model, e.Site, examples)
	if err != nil {
		return nil, err
	}
	found := &n2g.Behaviours{Examples: len(g.examples), List: []n2g.Behaviour{}, Separation: g.separation,
		Chance: g.chance}
	if len(g.examples) < MinExamples {
		return found, nil
	}
	found.Stray = len(g.examples)
	n := newNamer(model, e, g)
	for i, members := range g.groups {
		found.Stray -= len(members)
		found.List = append(found.List, n.behaviour(i))
	}
	return found, nil
}

// grouping is examples that can be compared, and which of them belong together.
type grouping struct {
	examples           []Example
	similarity         [][]float64
	groups             [][]int // largest first
	separation, chance float64 // where there is more than one
}

// group finds which examples are alike.
func group(ctx context.Context, model Model, s n2g.Site, examples []Example) (*grouping, error) {
	sound, vectors, err := embed(ctx, model, s, examples)
	if err != nil || len(sound) < MinExamples {
		return &grouping{examples: sound}, err
	}
	similarity := cosines(vectors)
	g := &grouping{examples: sound, similarity: similarity, groups: groupsOf(similarity)}
	if len(g.groups) < 2 {
		return g, nil
	}
	g.separation, g.chance = silhouette(similarity, g.groups), chance(vectors, len(g.groups))
	if g.separation <= g.chance {
		g.groups, g.separation, g.chance = [][]int{slices.Concat(g.groups...)}, 0, 0
	}
	return g, nil
}

// embed asks for the input terms of all examples, and returns those that can be compared with their vectors, of length
// 1 each, in an order of their own.
func embed(ctx context.Context, model Model, s n2g.Site, examples []Example) ([]Example, [][]float32, error) {
	if len(examples) == 0 {
		return nil, nil, nil
	}
	prompts, positions := make([][]int, len(examples)), make([][]int, len(examples))
	for i, x := range examples {
		if x.Position < 0 || x.Position >= len(x.IDs) {
			return nil, nil, fmt.Errorf("example %d fires at %d of %d tokens", i+1, x.Position, len(x.IDs))
		}
		prompts[i], positions[i] = x.IDs[:x.Position+1], []int{x.Position}
	}
	terms, err := model.InputTerms(ctx, s.Layer, s.Hook, s.Index, prompts, positions)
	if err != nil {
		return nil, nil, err
	}
	if len(terms) != len(examples) {
		return nil, nil, fmt.Errorf("the model gave terms of %d of %d examples", len(terms), len(examples))
	}
	type embedded struct {
		example Example
		vector  []float32
	}
	var list []embedded
	for i, t := range terms {
		if len(t) != 1 || len(t[0]) != len(terms[0][0]) {
			return nil, nil, fmt.Errorf("the model gave other terms of example %d than were asked", i+1)
		}
		if v := direction(t[0]); v != nil {
			list = append(list, embedded{examples[i], v})
		}
	}
	slices.SortStableFunc(list, func(a, b embedded) int {
		return cmp.Or(slices.Compare(a.vector, b.vector), slices.Compare(a.example.IDs, b.example.IDs))
	})
	sound, vectors := make([]Example, len(list)), make([][]float32, len(list))
	for i, x := range list {
		sound[i], vectors[i] = x.example, x.vector
	}
	return sound, vectors, nil
}

// direction is the vector of the terms' square roots, each with its term's sign, at length 1; nil where they are not
// finite or all zeros. Roots keep the few coordinates of the residual stream that are hundreds of times as large as all
// others, whatever the text, from deciding alone.
func direction(terms []float32) []float32 {
	squares := 0.0 // of the roots
	for _, t := range terms {
		squares += math.Abs(float64(t))
	}
	if !(squares > 0) || math.IsInf(squares, 0) {
		return nil
	}
	v := make([]float32, len(terms))
	for i, t := range terms {
		v[i] = float32(math.Copysign(math.Sqrt(math.Abs(float64(t))/squares), float64(t)))
	}
	return v
}
