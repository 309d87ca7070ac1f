package contexttree

import (
	"cmp"
	"context"
	"slices"
)

// trial is a symbol to be put in place of a firing text's last token.
type trial struct {
	text   int
	symbol int32
	worth  float64 // expected gain
}

// replace puts symbols in place of the last tokens of firing texts, those first by which most is expected to be gained,
// and keeps what is left of the activation as replies. It spends no more than the rows.
func (q *asking) replace(ctx context.Context, rows int) error {
	var texts [][]int
	for _, p := range q.strongest(replacedIn) {
		ids := q.text(p, askedContext)
		if cost := len(ids) + 1; cost < rows { // with BOS
			rows -= cost
			texts = append(texts, ids)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	trials := q.trials(texts)
	asked := slices.Clone(texts)
	costs := make([]int, len(texts)) // of a trial of each: one row where the model shares what lies before
	for i, t := range trials {
		changed := slices.Clone(texts[t.text])
		changed[len(changed)-1] = int(q.corpus.example[t.symbol])
		cost := &costs[t.text]
		if *cost == 0 {
			*cost = q.further(texts[t.text], changed)
		}
		if rows -= *cost; rows < 0 {
			trials = trials[:i]
			break
		}
		asked = append(asked, changed)
	}
	values, err := q.run(ctx, asked)
	if err != nil {
		return err
	}
	for i, t := range trials {
		if original := values[t.text]; original > 0 {
			q.replies.add(t.symbol, values[len(texts)+i]/original)
		}
	}
	q.sameToken(texts)
	return nil
}

// trials are all that can be asked of some texts, worth most first. A symbol's second text is worth a quarter of its
// first, its third a ninth. A text's own token is not tried: its reply would be 1.
func (q *asking) trials(texts [][]int) []trial {
	var trials []trial
	for symbol, gain := range q.gains() {
		for i, ids := range texts {
			if gain > 0 && int32(symbol) != q.lastOf(ids) {
				trials = append(trials, trial{i, int32(symbol), gain / float64((i+1)*(i+1))})
			}
		}
	}
	slices.SortStableFunc(trials, func(a, b trial) int { return cmp.Compare(b.worth, a.worth) })
	return trials
}

// lastOf is the symbol of a text's last token.
func (q *asking) lastOf(ids []int) int32 {
	return q.corpus.numbers[q.Model.TokenString(ids[len(ids)-1])]
}

// sameToken adds the replies that need no asking: a token that several of the texts end in excites the neuron in each.
func (q *asking) sameToken(texts [][]int) {
	for i, ids := range texts {
		symbol := q.lastOf(ids)
		if slices.ContainsFunc(texts[:i], func(other []int) bool { return q.lastOf(other) == symbol }) {
			q.replies.add(symbol, 1)
		}
	}
}
