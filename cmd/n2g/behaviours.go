package main

import (
	"context"
	"fmt"
	"io"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/behaviours"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// behavioursFlag says how many examples of a neuron's firing are compared.
func behavioursFlag(c *command) *int {
	return c.flags.Int("behaviours", behaviours.DefaultExamples, "`NUMBER` of places where the neuron fires that are "+
		"compared by its input there, to tell whether it does one thing or several; 0 leaves that out")
}

// addBehaviours tells the behaviours of an explanation's neuron apart, by examples from the index, or from the prompts
// that it was made of where the index, which may be nil, lacks the neuron.
func addBehaviours(ctx context.Context, model n2g.LanguageModel, from *index.Index, e *n2g.Explanation,
	prompts func() ([]string, error), limit int) error {
	if limit < 1 || e.Options.NoGraph {
		return nil
	}
	var examples []behaviours.Example
	var err error
	if from != nil && hasSite(from, e.Site) {
		examples, err = behaviours.OfIndex(from, e.Site, limit)
	} else {
		var texts []string
		if texts, err = prompts(); err == nil {
			examples, err = behaviours.OfPrompts(model, e, texts, limit)
		}
	}
	if err != nil {
		return fmt.Errorf("examples of %s: %w", e.Site.Name(), err)
	}
	return behaviours.Complete(ctx, model, e, examples)
}

// addBehaviours is addBehaviours by where the examples of an explanation come from.
func (s *exampleSource) addBehaviours(ctx context.Context, model n2g.LanguageModel, e *n2g.Explanation,
	limit int) error {
	return addBehaviours(ctx, model, s.index, e, func() ([]string, error) {
		examples, err := s.examples(e.Site)
		if err != nil {
			return nil, err
		}
		return examples.Prompts, nil
	}, limit)
}

func hasSite(x *index.Index, s n2g.Site) bool {
	_, err := x.Meta().Number(s.Layer, s.Hook, s.Index)
	return err == nil
}

// checkBehaviours refuses a number of examples that cannot be.
func checkBehaviours(n int) error {
	if n != 0 && (n < behaviours.MinExamples || n > behaviours.MaxExamples) {
		return fmt.Errorf("-behaviours is %d: it is %d to %d, or 0 to leave them out", n, behaviours.MinExamples,
			behaviours.MaxExamples)
	}
	return nil
}

// behavioursIdentity tells stores whose behaviours rest on another number of examples than usual apart.
func behavioursIdentity(n int) string {
	if n == behaviours.DefaultExamples {
		return ""
	}
	return fmt.Sprintf(", behaviours by %d examples", n)
}

// writeBehaviours prints what was found.
func writeBehaviours(w io.Writer, b *n2g.Behaviours) {
	fmt.Fprintf(w, "\nbehaviours: %s\n", b.Summary())
	for i, one := range b.List {
		fmt.Fprintf(w, "  %d  %s: %s\n", i+1, printable(one.Label), one.Facts())
		if len(b.List) < 2 {
			return
		}
		for _, e := range one.Shown {
			text := ""
			for k, token := range e.Tokens {
				if k == e.Peak {
					token = "[" + token + "]"
				}
				text += token
			}
			fmt.Fprintf(w, "       %q\n", text)
		}
	}
}
