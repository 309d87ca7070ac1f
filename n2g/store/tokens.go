package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Tokens are the token sets of all neurons of a store, in memory, to compare them. They do not change, and may be used
// concurrently.
type Tokens struct {
	neurons []n2g.Site
	order   []int32    // indices of neurons in the order of their names, 10_3 before 2_7
	sets    [2][][]use // by kind and neuron: the tokens, the rarest of the kind first
	users   [2][][]int32
}

// use is a token, by number, as a neuron has it. Numbers of a kind are given by the number of neurons that have the
// token, ascending, so that a set sorted by them begins with what tells most.
type use struct {
	token  int32
	weight float32
}

// Tokens reads the tokens of all neurons.
func (s *Store) Tokens(ctx context.Context) (*Tokens, error) {
	t := &Tokens{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		return t.read(ctx, tx, rows, t.number(rows))
	})
	if err != nil {
		return nil, err
	}
	t.orderNames()
	return t, nil
}

// ContextTokens reads the tokens of all neurons' context graphs ([n2g.ContextGraph.TokenSets]), each of which weighs 1.
// Neurons without a context graph have none.
func (s *Store) ContextTokens(ctx context.Context) (*Tokens, error) {
	t := &Tokens{}
	err := s.reading(ctx, func(tx *sql.Tx) error {
		rows, err := soundNeurons(ctx, tx, everyNeuron)
		if err != nil {
			return err
		}
		number := t.number(rows)
		var neurons [2]map[string][]int32 // by kind and token
		for k := range neurons {
			neurons[k] = map[string][]int32{}
		}
		err = eachSoundLabel(ctx, tx, func(r *labelRow) error {
			sets, err := r.tokens()
			for k, set := range sets {
				for _, token := range set {
					neurons[k][token] = append(neurons[k][token], number[r.id])
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		for k := range neurons {
			var users [][]int32
			for _, token := range slices.Sorted(maps.Keys(neurons[k])) {
				have := neurons[k][token]
				slices.Sort(have)
				for _, neuron := range have {
					t.sets[k][neuron] = append(t.sets[k][neuron], use{int32(len(users)), 1})
				}
				users = append(users, have)
			}
			t.renumber(k, users)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.orderNames()
	return t, nil
}

// number takes neurons, and tells the number of each by id.
func (t *Tokens) number(rows []*neuronRow) map[int64]int32 {
	slices.SortFunc(rows, func(a, b *neuronRow) int { return a.Compare(b.Site) })
	number := make(map[int64]int32, len(rows))
	for i, r := range rows {
		number[r.id] = int32(i)
		t.neurons = append(t.neurons, r.Site)
	}
	for k := range t.sets {
		t.sets[k] = make([][]use, len(t.neurons))
	}
	return number
}

// read fills in the sets.
func (t *Tokens) read(ctx context.Context, tx *sql.Tx, rows []*neuronRow, number map[int64]int32) error {
	var users [2][][]int32 // by kind and first number: in the order of the tokens
	var last [2]string
	err := allPostings(ctx, tx, rows, func(k int, p *posting) {
		neuron := number[p.id]
		if len(users[k]) == 0 || p.token != last[k] {
			users[k], last[k] = append(users[k], nil), p.token
		}
		at := len(users[k]) - 1
		users[k][at] = append(users[k][at], neuron)
		t.sets[k][neuron] = append(t.sets[k][neuron], use{int32(at), float32(p.weight)})
	})
	if err != nil {
		return err
	}
	for k := range users {
		t.renumber(k, users[k])
	}
	return nil
}

// allPostings calls do for every row of tokens, by token, with the number of its kind: 0 is activating, 1 important.
// Each must be what was written, each neuron have as many as its row says, and all add up.
func allPostings(ctx context.Context, tx *sql.Tx, rows []*neuronRow, do func(kind int, p *posting)) error {
	open := make(map[int64][2]int, len(rows))
	for _, r := range rows {
		open[r.id] = [2]int{r.Activating, r.Important}
	}
	var all tally
	err := eachPosting(ctx, tx, func(p *posting) error {
		if !p.sound() {
			return damagedToken(p)
		}
		all.add(p.sum)
		k := 0
		if p.kind == important {
			k = 1
		}
		left := open[p.id]
		left[k]--
		open[p.id] = left
		do(k, p)
		return nil
	}, "ORDER BY token")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if open[r.id] != [2]int{} {
			return damaged(r.Site, "the list of tokens is")
		}
	}
	return all.agreesWithVocabulary(ctx, tx, "vocabulary", "", nil)
}

// renumber gives the tokens of a kind their numbers by rarity.
func (t *Tokens) renumber(k int, users [][]int32) {
	byRarity := make([]int32, len(users))
	for i := range byRarity {
		byRarity[i] = int32(i)
	}
	slices.SortStableFunc(byRarity, func(a, b int32) int { return cmp.Compare(len(users[a]), len(users[b])) })
	rank := make([]int32, len(users))
	t.users[k] = make([][]int32, len(users))
	for r, i := range byRarity {
		rank[i] = int32(r)
		t.users[k][r] = users[i]
	}
	for _, set := range t.sets[k] {
		for i := range set {
			set[i].token = rank[set[i].token]
		}
		slices.SortFunc(set, func(a, b use) int { return cmp.Compare(a.token, b.token) })
	}
}

func (t *Tokens) orderNames() {
	t.order = make([]int32, len(t.neurons))
	names := make([]string, len(t.neurons))
	for i, n := range t.neurons {
		t.order[i], names[i] = int32(i), n.PublishedName()
	}
	slices.SortFunc(t.order, func(a, b int32) int { return cmp.Compare(names[a], names[b]) })
}

// Len is the number of neurons.
func (t *Tokens) Len() int { return len(t.neurons) }

// kindsOf are the indices of sets that a kind means in comparisons.
func kindsOf(kind n2g.TokenKind) []int {
	switch kind {
	case n2g.ActivatingKind:
		return []int{0}
	case n2g.ImportantKind:
		return []int{1}
	}
	return []int{0, 1}
}
