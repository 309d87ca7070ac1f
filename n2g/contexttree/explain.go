package contexttree

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Explainer adds context graphs to explanations, from an activation index. It is safe for concurrent use.
type Explainer struct {
	index       *index.Index
	tokenString func(id int) string
	options     Options
	corpus      func() (*Corpus, error)
	others      []func() (*other, error)
	learners    sync.Pool
}

// NewExplainer reads the index's corpus when it is first needed. tokenString is the text of one id of the index's
// model.
func NewExplainer(x *index.Index, tokenString func(id int) string, o Options) *Explainer {
	return &Explainer{
		index: x, tokenString: tokenString, options: o.Resolved(),
		corpus: sync.OnceValues(func() (*Corpus, error) { return CorpusOf(x, tokenString) }),
	}
}

// CompareOn has all predictors that Complete compares scored on the text of another index of the same model, too: how
// well they do on text of another kind than they have learned from. Its comparisons are of [OtherText] of the name. It
// is called before the first Complete, for each such index.
func (x *Explainer) CompareOn(name string, text *index.Index) {
	x.others = append(x.others, sync.OnceValues(func() (*other, error) {
		learned, err := x.corpus()
		if err != nil {
			return nil, err
		}
		return newOther(name, text, x.tokenString, learned)
	}))
}

// Prepare reads what Complete needs of the index for any neuron, which can be done while the explanation is made.
func (x *Explainer) Prepare() {
	if c, err := x.corpus(); err == nil {
		c.classes()
		c.bigrams()
	}
}

// Has tells whether the index has a neuron.
func (x *Explainer) Has(s n2g.Site) bool {
	_, err := x.index.Meta().Number(s.Layer, s.Hook, s.Index)
	return err == nil
}

// Complete learns the context graph of an explanation's neuron and compares it with the published one. With asker's
// model, which may be nil, the graph is asked about ([Learner.Ask]). A neuron that is never above 0 gets a note
// instead, and so does one on which the index keeps less than all firing tokens and no sample to tell what it left out.
func (x *Explainer) Complete(ctx context.Context, e *n2g.Explanation, asker Asker) error {
	err := x.complete(ctx, e, asker)
	if errors.Is(err, ErrDead) {
		e.Notes = append(e.Notes, "there is no context graph: the neuron is nowhere above 0 in the index's corpus")
		return nil
	}
	if errors.Is(err, errThin) {
		e.Notes = append(e.Notes, "there is no context graph: this index keeps only the strongest of the tokens that the "+
			"neuron fires on, and no sample of the others, or too small a one; mine the corpus, or more text, and name that "+
			"index")
		return nil
	}
	if err != nil {
		return fmt.Errorf("context graph of %s: %w", e.Site.Name(), err)
	}
	return nil
}

// errThin is of a neuron whose quiet tokens cannot be told from those that fire and were left out.
var errThin = errors.New("firing tokens are missing from the index")

func (x *Explainer) complete(ctx context.Context, e *n2g.Explanation, asker Asker) error {
	number, err := x.index.Meta().Number(e.Site.Layer, e.Site.Hook, e.Site.Index)
	if err != nil {
		return err
	}
	a, err := ActivationsOf(x.index, number)
	if err != nil {
		return err
	}
	c, err := x.corpus()
	if err != nil {
		return err
	}
	if a.incomplete(c) {
		return errThin
	}
	l, ok := x.learners.Get().(*Learner)
	if !ok {
		l = NewLearner(c, x.options)
	}
	defer x.learners.Put(l)
	if asker.Model == nil {
		e.Context, err = l.Learn(ctx, a)
	} else {
		asker.Site = e.Site
		if asker.Prunes, err = x.prunes(e, number, asker.Model.BOS() >= 0); err != nil {
			return err
		}
		e.Context, err = l.Ask(ctx, a, asker)
	}
	if err != nil {
		return err
	}
	taught, err := x.taught(e, number)
	if err != nil {
		return err
	}
	tables := c.means(a, a.quiet(c))
	rows, chances := compare(c, a, e.Context, e.Trie, tables, taught)
	own := rows
	for _, open := range x.others {
		o, err := open()
		if err != nil {
			return err
		}
		there, err := o.activations(e.Site, a.Maximum)
		if err != nil {
			return err
		}
		if there.incomplete(o.corpus) {
			e.Notes = append(e.Notes, o.text+": nothing is compared there: its index keeps only the strongest of the tokens "+
				"that the neuron fires on, and no sample of the others; mine more text")
			continue
		}
		rows = append(rows, o.compare(there, own, chances, e.Context, e.Trie, tables)...)
	}
	e.Comparisons = rows
	return nil
}

// prunes are the explanation's, with their positions in the corpus.
func (x *Explainer) prunes(e *n2g.Explanation, number int, bos bool) ([]Pruned, error) {
	top, _, err := x.index.Examples(number)
	if err != nil {
		return nil, err
	}
	var prunes []Pruned
	for _, p := range e.Prunes {
		if p.PromptIndex >= len(top) {
			continue // the examples were not the index's
		}
		position := top[p.PromptIndex].Window.First + p.Position
		if bos {
			position--
		}
		prunes = append(prunes, Pruned{position, p})
	}
	return prunes, nil
}

// taught are the windows that the explanation's published graph was made from: of build documents, unless there were
// too few.
func (x *Explainer) taught(e *n2g.Explanation, number int) ([]int, error) {
	if e.Trie == nil {
		return nil, nil
	}
	top, testOnly, err := x.index.Examples(number)
	if err != nil {
		return nil, err
	}
	examples := n2g.Examples{Prompts: make([]string, len(top)), TestOnly: testOnly}
	train, _ := examples.Split(e.Options)
	windows := make([]int, len(train))
	for i, k := range train {
		windows[i] = top[k].Window.Number
	}
	return windows, nil
}
