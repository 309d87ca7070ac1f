package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// maxExplanation bounds what the JSON of a compressed explanation may expand to, in bytes.
const maxExplanation = 1 << 30

// Explanation reads the explanation of one neuron.
func (s *Store) Explanation(ctx context.Context, n Neuron) (*n2g.Explanation, error) {
	for text, err := range s.texts(ctx, "WHERE layer = ? AND neuron = ?", n.Layer, n.Index) {
		if err != nil {
			return nil, err
		}
		return s.decode(n, text)
	}
	var reason string
	err := s.db.QueryRowContext(ctx, "SELECT reason FROM failures WHERE layer = ? AND neuron = ?", n.Layer, n.Index).Scan(&reason)
	switch {
	case err == nil:
		return nil, fmt.Errorf("%s has no explanation of layer %d neuron %d: it failed: %s", s.path, n.Layer, n.Index, reason)
	case !errors.Is(err, sql.ErrNoRows):
		return nil, s.explained("reading", err)
	}
	return nil, fmt.Errorf("%s has no explanation of layer %d neuron %d", s.path, n.Layer, n.Index)
}

// Explanations yields every explanation by layer and index, and ends with the first error.
func (s *Store) Explanations(ctx context.Context) iter.Seq2[*n2g.Explanation, error] {
	return func(yield func(*n2g.Explanation, error) bool) {
		for text, err := range s.texts(ctx, "") {
			var e *n2g.Explanation
			if err == nil {
				e, err = s.decode(text.neuron, text)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// explanationText is a stored explanation whose digest is right.
type explanationText struct {
	neuron Neuron
	json   []byte
}

func (s *Store) decode(n Neuron, text explanationText) (*n2g.Explanation, error) {
	e := new(n2g.Explanation)
	if err := e.UnmarshalJSON(text.json); err != nil {
		return nil, fmt.Errorf("reading layer %d neuron %d of %s: %w", n.Layer, n.Index, s.path, err)
	}
	return e, nil
}

// texts yields the JSON of explanations in order.
func (s *Store) texts(ctx context.Context, where string, values ...any) iter.Seq2[explanationText, error] {
	return func(yield func(explanationText, error) bool) {
		rows, err := s.db.QueryContext(ctx, "SELECT layer, neuron, digest, json FROM neurons JOIN explanations ON neuron_id = id "+where+" ORDER BY layer, neuron", values...)
		if err != nil {
			yield(explanationText{}, s.explained("reading", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var text explanationText
			var sum string
			var raw any
			err := rows.Scan(&text.neuron.Layer, &text.neuron.Index, &sum, &raw)
			if err == nil {
				text.json, err = jsonOf(raw)
			}
			if err == nil && digest(text.json) != sum {
				err = fmt.Errorf("%w: the explanation of layer %d neuron %d is not what was written: restore a copy, or make it anew", ErrDamaged, text.neuron.Layer, text.neuron.Index)
			}
			if err != nil {
				yield(explanationText{}, s.explained("reading", err))
				return
			}
			if !yield(text, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(explanationText{}, s.explained("reading", err))
		}
	}
}

// jsonOf is the JSON in a column that holds text, or a gzipped blob of it.
func jsonOf(raw any) ([]byte, error) {
	switch raw := raw.(type) {
	case string:
		return []byte(raw), nil
	case []byte:
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%w: an explanation is neither text nor gzip: %w", ErrDamaged, err)
		}
		text, err := io.ReadAll(io.LimitReader(z, maxExplanation))
		if err != nil {
			return nil, fmt.Errorf("%w: unpacking an explanation: %w", ErrDamaged, err)
		}
		return text, nil
	}
	return nil, fmt.Errorf("%w: an explanation is a %T", ErrDamaged, raw)
}

// Rows returns what the tables of neurons and baselines hold, by layer and index.
func (s *Store) Rows(ctx context.Context) ([]Row, error) {
	const columns = "n.layer, n.neuron, n.hook, n.max_activation, n.density, n.nodes, n.edges, n.components, n.activating_tokens, n.important_tokens, n.repeated_tokens"
	query := "SELECT " + columns + prefixed("n") + prefixed("t") + prefixed("g") + ` FROM neurons n
		LEFT JOIN baselines t ON t.neuron_id = n.id AND t.name = 'token_lookup'
		LEFT JOIN baselines g ON g.neuron_id = n.id AND g.name = 'ngram' ORDER BY n.layer, n.neuron`
	type wide struct {
		Row
		scores [3]nullableScores
	}
	found, err := collect(ctx, s, func(r *wide) []any {
		to := []any{&r.Layer, &r.Index, &r.Hook, &r.MaxActivation, &r.Density, &r.Nodes, &r.Edges, &r.Components, &r.Activating, &r.Important, &r.Repeated}
		for k := range r.scores {
			to = append(to, r.scores[k].targets()...)
		}
		return to
	}, query)
	if err != nil {
		return nil, err
	}
	list := make([]Row, len(found))
	for i, r := range found {
		list[i] = r.Row
		list[i].Scores, list[i].TokenLookup, list[i].NGram = r.scores[0].scores(), r.scores[1].scores(), r.scores[2].scores()
	}
	return list, nil
}

// collect reads all rows of a query; targets says where the columns of a row go.
func collect[T any](ctx context.Context, s *Store, targets func(*T) []any, query string, values ...any) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, query, values...)
	if err != nil {
		return nil, s.explained("reading", err)
	}
	defer rows.Close()
	list := []T{}
	for rows.Next() {
		var one T
		if err := rows.Scan(targets(&one)...); err != nil {
			return nil, s.explained("reading", err)
		}
		list = append(list, one)
	}
	return list, s.explained("reading", rows.Err())
}
