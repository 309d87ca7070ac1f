package contexttree

import (
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// causes confirms tests of the context by masking the tokens that answer, on real texts.
func (q *asking) causes(ctx context.Context, g *n2g.ContextGraph) error {
	type trial struct {
		test     *n2g.ContextTest
		original int // in texts
		masked   int
	}
	var texts [][]int
	var trials []trial
	tried := map[*n2g.ContextTest]int{}
	for _, p := range q.strongest(4 * seeds) {
		ids := q.text(p, len(q.corpus.ids))
		tokens := make([]string, len(ids))
		for i := range ids {
			tokens[i] = q.corpus.tokens[q.corpus.symbols[int(p)+1-len(ids)+i]]
		}
		original := -1
		for _, n := range g.Path(tokens) {
			t := n.Test
			if t == nil || t.Kind == n2g.TestToken && t.Distance == 0 || tried[t] == maskedTexts || mean(n.Yes) <= mean(n.No) {
				continue
			}
			places := t.Answers(tokens)
			if len(places) == 0 || places[0] < 0 {
				continue
			}
			if original < 0 {
				original = len(texts)
				texts = append(texts, ids)
			}
			masked := slices.Clone(ids)
			for _, place := range places {
				masked[place] = q.Model.MaskID()
			}
			tried[t]++
			trials = append(trials, trial{t, original, len(texts)})
			texts = append(texts, masked)
		}
	}
	values, err := q.run(ctx, texts)
	if err != nil {
		return err
	}
	lost := map[*n2g.ContextTest]float64{}
	for _, t := range trials {
		if v := values[t.original]; v > 0 {
			lost[t.test] += 1 - values[t.masked]/v
		}
	}
	for test, n := range tried {
		moves := round(lost[test] / float64(n))
		test.Moves = &moves
	}
	return nil
}

// mean is the mean response below a node.
func mean(n *n2g.ContextNode) float64 {
	if n.Test == nil {
		return n.Value
	}
	total := n.Yes.Tokens + n.No.Tokens
	if total == 0 {
		return n.Value
	}
	return (mean(n.Yes)*n.Yes.Tokens + mean(n.No)*n.No.Tokens) / total
}
