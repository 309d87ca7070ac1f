package contexttree

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Asker asks a model about one neuron. The model may also have Neighbours(id, k int) ([]int, []float64, error), the
// tokens of most alike embeddings, and n2g.RowCounter; without them variants come from the corpus alone, and every
// token of a prompt counts as a row.
type Asker struct {
	Model n2g.LanguageModel
	Site  n2g.Site
	// Rows is how many tokens the model may be run on before learning; 0: none.
	Rows int
}

// Constants of asking.
const (
	seeds        = 16   // firing texts that are masked
	askedContext = 64   // tokens of a text that is masked or varied
	maskedTexts  = 5    // texts on which a test is confirmed
	widenFrom    = 5    // tokens of a set whose neighbours are tried
	widenTo      = 4    // neighbours of each
	enough       = 0.35 // share of the original activation that a neighbour must reach
)

// Ask learns a graph as [Learner.Learn] does, and asks the model: before it, within the asker's rows, how much the
// tokens before firing ones matter, so that of tests which tell firing from quiet tokens equally well the causes are
// taken; after it, whether the graph's tests are causes, and whether tokens that the corpus does not show belong to its
// sets. The last two take a few hundred rows and are not part of the budget.
func (l *Learner) Ask(ctx context.Context, a *Activations, asker Asker) (*n2g.ContextGraph, error) {
	if err := a.check(l.corpus); err != nil {
		return nil, err
	}
	l.importances = nil
	defer func() { l.importances = nil }()
	l.activations = a
	q := &asking{learner: &l.learner, Asker: asker, activations: a, known: map[int][]int{}}
	if asker.Rows > 0 {
		if err := q.profile(ctx); err != nil {
			return nil, err
		}
	}
	g, err := q.learn(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := q.causes(ctx, g); err != nil {
		return nil, err
	}
	if err := q.widen(ctx, g); err != nil {
		return nil, err
	}
	g.Support.Asked = q.rows
	g.Label = Label(g)
	return g, nil
}

type asking struct {
	*learner
	Asker
	activations *Activations
	rows        int
	known       map[int][]int // alike
}

// strongest are the build positions at which the neuron fires, strongest first, no two in one window unless there are
// not enough.
func (q *asking) strongest(most int) []int32 {
	c, a := q.corpus, q.activations
	order := make([]int32, 0, len(a.Positions))
	for i, p := range a.Positions {
		if c.split(p) == Build && float64(a.Values[i]) >= firing*a.Maximum {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(x, y int32) int { return cmp.Compare(a.Values[y], a.Values[x]) })
	used := map[int32]bool{}
	var first, rest []int32
	for _, i := range order {
		p := a.Positions[i]
		if used[c.window[p]] {
			rest = append(rest, p)
			continue
		}
		used[c.window[p]] = true
		first = append(first, p)
	}
	first = append(first, rest...)
	return first[:min(most, len(first))]
}

// text is a prompt that ends at a position, without BOS, as ids.
func (q *asking) text(p int32, most int) []int {
	start := max(q.corpus.starts[q.corpus.window[p]], p+1-int32(most))
	ids := make([]int, 0, p+1-start)
	for _, id := range q.corpus.ids[start : p+1] {
		ids = append(ids, int(id))
	}
	return ids
}

// run asks for the activation on the last token of each text, as a share of the maximum.
func (q *asking) run(ctx context.Context, texts [][]int) ([]float64, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	prompts, positions := make([][]int, len(texts)), make([][]int, len(texts))
	for i, ids := range texts {
		if bos := q.Model.BOS(); bos >= 0 {
			prompts[i] = append(prompts[i], bos)
		}
		prompts[i] = append(prompts[i], ids...)
		positions[i] = []int{len(prompts[i]) - 1}
	}
	q.rows += q.count(prompts, positions)
	answers, err := q.Model.Activations(ctx, q.Site.Layer, q.Site.Hook, q.Site.Index, prompts, positions)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", q.Site.Name(), err)
	}
	if len(answers) != len(prompts) {
		return nil, fmt.Errorf("asking %s: %d answers to %d prompts", q.Site.Name(), len(answers), len(prompts))
	}
	values := make([]float64, len(answers))
	for i, answer := range answers {
		if len(answer) != 1 || math.IsNaN(float64(answer[0])) || math.IsInf(float64(answer[0]), 0) {
			return nil, fmt.Errorf("asking %s: the activation is %v", q.Site.Name(), answer)
		}
		values[i] = float64(answer[0]) / q.activations.Maximum
	}
	return values, nil
}

// count is how many tokens the model is run on.
func (q *asking) count(prompts, positions [][]int) int {
	if counter, ok := q.Model.(n2g.RowCounter); ok {
		return counter.Rows(prompts, positions)
	}
	n := 0
	for _, p := range prompts {
		n += len(p)
	}
	return n
}

// profile measures how much each of the tokens before firing ones matters to the neuron: what part of the activation is
// lost where it is masked, as the published method's importance. Near tokens of all seeds come first, then further ones
// of as many seeds as the rows allow.
func (q *asking) profile(ctx context.Context) error {
	type trial struct {
		seed     int32
		distance int
		original int
	}
	var texts [][]int
	var trials []trial
	spent := 0
	places := q.strongest(seeds)
	originals := make([]int, len(places))
	for i, p := range places {
		ids := q.text(p, askedContext)
		if spent += len(ids); spent > q.Rows {
			places = places[:i]
			break
		}
		originals[i] = len(texts)
		texts = append(texts, ids)
	}
	for _, reach := range [][2]int{{0, q.options.Distance}, {q.options.Distance + 1, farthest}} {
		for i, p := range places {
			ids := texts[originals[i]]
			for d := reach[0]; d <= reach[1] && d < len(ids); d++ {
				if spent+d+1 > q.Rows {
					break
				}
				spent += d + 1 // what lies before the masked token is shared
				masked := slices.Clone(ids)
				masked[len(ids)-1-d] = q.Model.MaskID()
				trials = append(trials, trial{p, d, originals[i]})
				texts = append(texts, masked)
			}
		}
	}
	if len(trials) == 0 {
		return nil
	}
	values, err := q.run(ctx, texts)
	if err != nil {
		return err
	}
	q.importances = map[int32][]float64{}
	for k, t := range trials {
		list := q.importances[t.seed]
		for len(list) <= t.distance {
			list = append(list, math.NaN())
		}
		if original := values[t.original]; original > 0 {
			list[t.distance] = max(0, min(1, 1-values[len(texts)-len(trials)+k]/original))
		}
		q.importances[t.seed] = list
	}
	return nil
}

// alike are the tokens of most like embedding, none where the model cannot tell.
func (q *asking) alike(id int) []int {
	if known, ok := q.known[id]; ok {
		return known
	}
	m, ok := q.Model.(interface {
		Neighbours(id, k int) ([]int, []float64, error)
	})
	if !ok {
		return nil
	}
	ids, _, err := m.Neighbours(id, widenTo)
	if err != nil {
		ids = nil // a model without embeddings at hand: the corpus alone serves
	}
	q.known[id] = ids
	return ids
}

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
			for _, other := range q.alike(ids[places[0]]) {
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
