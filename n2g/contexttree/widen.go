package contexttree

import (
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// widen adds to the sets of tests tokens that the build documents lack and whose embedding is like that of a member,
// where they excite the neuron as the member does.
func (q *asking) widen(ctx context.Context, g *n2g.ContextGraph) error {
	type trial struct {
		test     *n2g.ContextTest
		token    string
		original int
		changed  int
	}
	var texts [][]int
	var trials []trial
	known := map[*n2g.ContextTest]map[string]bool{}
	for _, p := range q.strongest(2 * seeds) {
		ids := q.text(p, askedContext)
		tokens := make([]string, len(ids))
		for i, id := range ids {
			tokens[i] = q.Model.TokenString(id)
		}
		original := -1
		for _, n := range g.Path(tokens) {
			t := n.Test
			if t == nil || t.Kind != n2g.TestToken || mean(n.Yes) <= mean(n.No) {
				continue
			}
			places := t.Answers(tokens)
			if len(places) == 0 || places[0] < 0 || !slices.Contains(t.Tokens[:min(len(t.Tokens), widenFrom)],
				tokens[places[0]]) {
				continue
			}
			if known[t] == nil {
				known[t] = map[string]bool{}
			}
			alike := q.alike(ids[places[0]])
			for _, other := range alike[:min(len(alike), widenTo)] {
				token := q.Model.TokenString(other)
				if known[t][token] || slices.Contains(t.Tokens, token) || q.shown(token) {
					continue
				}
				known[t][token] = true
				if original < 0 {
					original = len(texts)
					texts = append(texts, ids)
				}
				changed := slices.Clone(ids)
				changed[places[0]] = other
				trials = append(trials, trial{t, token, original, len(texts)})
				texts = append(texts, changed)
			}
		}
	}
	values, err := q.run(ctx, texts)
	if err != nil {
		return err
	}
	for _, t := range trials {
		if v := values[t.original]; v > 0 && values[t.changed] >= enough*v {
			t.test.Tokens = append(t.test.Tokens, t.token)
			t.test.Widened++
		}
	}
	return nil
}

// shown says whether the build documents have a token.
func (q *asking) shown(token string) bool {
	symbol, ok := q.corpus.numbers[token]
	return ok && q.corpus.counts[Build][symbol] > 0
}
