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
// tokens of most alike embeddings, and n2g.RowCounter; without them no neighbours are tried, and every token of a
// prompt counts as a row, so that less is asked within the rows.
type Asker struct {
	Model n2g.LanguageModel
	Site  n2g.Site
	// Rows is how many tokens the model may be run on before learning; 0: none.
	Rows int
	// Prunes are what the published method has measured on texts of the corpus; those of build documents count.
	Prunes []Pruned
}

// Constants of asking.
const (
	seeds        = 16   // firing texts that are masked
	askedContext = 64   // tokens of a text that is masked or varied
	maskedTexts  = 5    // texts on which a test is confirmed
	widenFrom    = 5    // tokens of a set whose neighbours are tried
	widenTo      = 4    // neighbours of each
	alikes       = 16   // neighbours of a firing token that are expected to fire rather than others
	enough       = 0.35 // share of the original activation that a neighbour must reach
	replacedIn   = 3    // firing texts in which tokens are replaced
)

// Ask learns a graph as [Learner.Learn] does, and asks the model. Before it, within the asker's rows: how much firing
// tokens and those before them matter, so that of tests which tell firing from quiet tokens equally well the causes are
// taken; and what is left of the activation where other tokens stand in place of firing ones, which says what to expect
// of tokens that the corpus shows seldom. What the published method has measured of the kind is taken over. After it:
// whether the graph's tests are causes, and whether tokens that the corpus does not show belong to its sets. These two
// take some hundreds of rows, up to well over a thousand, and are not part of the budget.
func (l *Learner) Ask(ctx context.Context, a *Activations, asker Asker) (*n2g.ContextGraph, error) {
	if err := a.check(l.corpus); err != nil {
		return nil, err
	}
	defer func() { l.importances, l.replies = nil, nil }()
	l.importances, l.replies, l.activations = nil, nil, a
	q := &asking{learner: &l.learner, Asker: asker, known: map[int][]int{}}
	if asker.Rows > 0 {
		l.importances, l.replies = map[int32][]float64{}, replies{}
		if err := q.published(); err != nil {
			return nil, err
		}
		spent, err := q.profile(ctx, asker.Rows/2)
		if err != nil {
			return nil, err
		}
		if err := q.replace(ctx, asker.Rows-spent); err != nil {
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
	rows  int
	known map[int][]int // alike
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

// prompt is a text behind BOS, where the model has one.
func (q *asking) prompt(ids []int) []int {
	if bos := q.Model.BOS(); bos >= 0 {
		return append([]int{bos}, ids...)
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
		prompts[i] = q.prompt(ids)
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

// further is how many rows a text takes beside another of its length that it begins like. Where the model runs what
// texts share once, these are the rows behind that.
func (q *asking) further(text, changed []int) int {
	prompts := [][]int{q.prompt(text), q.prompt(changed)}
	last := []int{len(prompts[0]) - 1}
	return q.count(prompts, [][]int{last, last}) - q.count(prompts[:1], [][]int{last})
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
	ids, _, err := m.Neighbours(id, alikes)
	if err != nil {
		ids = nil // a model without embeddings at hand: the corpus alone serves
	}
	q.known[id] = ids
	return ids
}
