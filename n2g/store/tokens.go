package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Tokens are the token sets of all neurons of a store, in memory, to compare them. They do not change, and may be used
// concurrently.
type Tokens struct {
	neurons []Neuron
	order   []int32    // indices of neurons in the order of their names, 10_3 before 2_7
	sets    [2][][]use // by kind and neuron: the tokens, the rarest of the kind first
	users   [2][][]int32
}

// use is a token, by number, as a neuron has it. Numbers of a kind are given by the number of neurons that have the token,
// ascending, so that a set sorted by them begins with what tells most.
type use struct {
	token  int32
	weight float32
}

// Tokens reads the tokens of all neurons.
func (s *Store) Tokens(ctx context.Context) (*Tokens, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, layer, neuron FROM neurons ORDER BY layer, neuron")
	if err != nil {
		return nil, s.explained("reading", err)
	}
	defer rows.Close()
	t := &Tokens{}
	number := map[int64]int32{}
	for rows.Next() {
		var id int64
		var n Neuron
		if err := rows.Scan(&id, &n.Layer, &n.Index); err != nil {
			return nil, s.explained("reading", err)
		}
		number[id] = int32(len(t.neurons))
		t.neurons = append(t.neurons, n)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explained("reading", err)
	}
	for k, kind := range [2]string{activating, important} {
		if err := t.read(ctx, s, k, kind, number); err != nil {
			return nil, err
		}
	}
	t.orderNames()
	return t, nil
}

// read fills in the sets of one kind.
func (t *Tokens) read(ctx context.Context, s *Store, k int, kind string, number map[int64]int32) error {
	rows, err := s.db.QueryContext(ctx, "SELECT token, neuron_id, weight FROM tokens WHERE kind = ? ORDER BY token", kind)
	if err != nil {
		return s.explained("reading", err)
	}
	defer rows.Close()
	t.sets[k] = make([][]use, len(t.neurons))
	var users [][]int32 // by first number: in the order of the tokens
	last := ""
	for rows.Next() {
		var token string
		var id int64
		var weight float32
		if err := rows.Scan(&token, &id, &weight); err != nil {
			return s.explained("reading", err)
		}
		neuron, ok := number[id]
		if !ok {
			continue // written since the neurons were read
		}
		if len(users) == 0 || token != last {
			users, last = append(users, nil), token
		}
		at := len(users) - 1
		users[at] = append(users[at], neuron)
		t.sets[k][neuron] = append(t.sets[k][neuron], use{int32(at), weight})
	}
	if err := rows.Err(); err != nil {
		return s.explained("reading", err)
	}
	t.renumber(k, users)
	return nil
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
		t.order[i], names[i] = int32(i), n.String()
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
