package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// contextPosting is a row of context_tokens.
type contextPosting struct {
	n2g.ContextToken
	id  int64 // of the neuron; 0: there is none
	of  n2g.Site
	sum int64
}

func contextTokenChecksum(n n2g.Site, t n2g.ContextToken) int64 {
	return checksum(n.Layer, n.Index, t.Token, int(t.Activating), int(t.Important))
}

// sound tells whether the row is what was written.
func (p *contextPosting) sound() bool {
	return p.id != 0 && contextTokenChecksum(p.of, p.ContextToken) == p.sum
}

func insertContextTokens(ctx context.Context, tx *sql.Tx, id int64, n n2g.Site, tokens []n2g.ContextToken) error {
	if len(tokens) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO context_tokens VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, t := range tokens {
		sum := contextTokenChecksum(n, t)
		if _, err := insert.ExecContext(ctx, t.Token, id, int(t.Activating), int(t.Important), sum); err != nil {
			return err
		}
	}
	return nil
}

// leavesLoose tells whether a neuron's rows of context_tokens stay when it is removed, since its label, which says
// which they are, is damaged.
func leavesLoose(ctx context.Context, tx *sql.Tx, n n2g.Site) (bool, error) {
	r := labelRow{of: n}
	err := tx.QueryRowContext(ctx, "SELECT id, coalesce(label, ''), coalesce(activating, ''), coalesce(important, ''), "+
		"coalesce(l.checksum, 0) FROM neurons LEFT JOIN labels l ON neuron_id = id WHERE layer = ? AND neuron = ?",
		n.Layer, n.Index).Scan(&r.id, &r.label, &r.activating, &r.important, &r.sum)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return !r.sound(), err
}

// eachContextPosting calls do for rows of context_tokens, which is told once more what it was told of the row. rest
// follows the tables.
func eachContextPosting(ctx context.Context, tx *sql.Tx, do func(*contextPosting) error, rest string,
	values ...any) error {
	var p contextPosting
	var id, layer, index sql.NullInt64
	targets := []any{&p.Token, &p.Activating, &p.Important, &p.sum, &id, &layer, &index}
	return each(ctx, tx, targets, func() error {
		p.id, p.of = id.Int64, n2g.Site{Layer: int(layer.Int64), Index: int(index.Int64)}
		return do(&p)
	}, "SELECT token, activating, important, t.checksum, id, layer, neuron FROM context_tokens t LEFT JOIN neurons ON "+
		"id = neuron_id "+rest, values...)
}

// contextMentions finds the neurons whose context graphs have tokens that terms ask for: a list for each term.
func (s *Store) contextMentions(ctx context.Context, tx *sql.Tx, terms []Term) ([][]mention, error) {
	if s.unindexed {
		return labelMentions(ctx, tx, terms)
	}
	lists := make([][]mention, len(terms))
	for i, t := range terms {
		var err error
		if lists[i], err = t.contextMentions(ctx, tx); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// labelMentions reads all labels, as it has to be done with a store of layout 3. They tell no roles.
func labelMentions(ctx context.Context, tx *sql.Tx, terms []Term) ([][]mention, error) {
	lists := make([][]mention, len(terms))
	err := eachSoundLabel(ctx, tx, func(r *labelRow) error {
		kinds, err := r.tokens()
		if err != nil {
			return err
		}
		for i, t := range terms {
			one := mention{id: r.id}
			for _, k := range kindsOf(t.Kind) {
				one.context[k] = t.in(kinds[k])
			}
			if one.context != [2]bool{} {
				lists[i] = append(lists[i], one)
			}
		}
		return nil
	})
	return lists, err
}

// in tells whether sorted tokens have one that the term asks for.
func (t Term) in(tokens []string) bool {
	token := n2g.NormalizeToken(t.Token)
	at, found := slices.BinarySearch(tokens, token)
	return found || t.Prefix && at < len(tokens) && tokens[at] < behind(token)
}

// contextMentions looks the term up in context_tokens. What context_vocabulary says of the tokens must be there.
func (t Term) contextMentions(ctx context.Context, tx *sql.Tx) (list []mention, err error) {
	where, values := t.ofToken()
	var found tally
	err = eachContextPosting(ctx, tx, func(p *contextPosting) error {
		switch {
		case p.id == 0:
			return fmt.Errorf("%w: a context graph's token is of no neuron: %s", ErrDamaged, remedy)
		case !p.sound():
			return damaged(p.of, fmt.Sprintf("the context graph's token %q is", p.Token))
		}
		found.add(p.sum)
		one := mention{id: p.id}
		for _, k := range kindsOf(t.Kind) {
			one.roles[k] = [2]n2g.TokenRoles{p.Activating, p.Important}[k]
			one.context[k] = one.roles[k] != 0
		}
		if one.context != [2]bool{} {
			list = append(list, one)
		}
		return nil
	}, where, values...)
	if err == nil {
		err = found.agreesWithVocabulary(ctx, tx, "context_vocabulary", where, values)
	}
	return list, err
}
