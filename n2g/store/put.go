package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// scoreValues are the values of scoreColumns, all NULL where there are no scores.
func scoreValues(s *n2g.Scores) []any {
	if s == nil {
		return make([]any, scoreColumnCount)
	}
	return []any{
		s.Firing.Precision, s.Firing.Recall, s.Firing.F1, s.Firing.Support,
		s.NonFiring.Precision, s.NonFiring.Recall, s.NonFiring.F1, s.NonFiring.Support,
		s.R2, s.Pearson, s.AveragePrecision,
	}
}

// Put writes an explanation with its scores and tokens, in one transaction. One of the same neuron is replaced, and a
// failure of it forgotten. An explanation by another model or hook than [Store.Begin] recorded is refused.
func (s *Store) Put(ctx context.Context, e *n2g.Explanation) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("storing: %w", err)
	}
	stored := any(string(text))
	if s.compress {
		if stored, err = compressed(text); err != nil {
			return err
		}
	}
	row := rowOf(e)
	doing := fmt.Sprintf("writing layer %d neuron %d to", e.Site.Layer, e.Site.Index)
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		if i := s.identity; i != nil && (i.Model != e.Model || i.Hook != e.Site.Hook) {
			return fmt.Errorf("it holds explanations of %s at %s, and this one is of %s at %s: write to another file", i.Model, i.Hook, e.Model, e.Site.Hook)
		}
		id, err := insertNeuron(ctx, tx, row)
		if err != nil {
			return err
		}
		if err := insertTokens(ctx, tx, id, weightedTokens(e.Trie)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO explanations (neuron_id, digest, json) VALUES (?, ?, ?)", id, digest(text), stored)
		return err
	})
}

// PutFailure records why a neuron could not be explained. A neuron that was explained before stays so.
func (s *Store) PutFailure(ctx context.Context, n Neuron, reason string) error {
	return s.change(ctx, "writing to", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO failures (layer, neuron, reason)
			SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM neurons WHERE layer = ?1 AND neuron = ?2)`, n.Layer, n.Index, reason)
		return err
	})
}

func rowOf(e *n2g.Explanation) Row {
	row := Row{
		Neuron:        Neuron{e.Site.Layer, e.Site.Index},
		Hook:          e.Site.Hook,
		MaxActivation: e.MaxActivation,
		Density:       e.Density,
		Repeated:      repeated(e.Trie),
		Scores:        e.Scores,
	}
	sets := n2g.NewTokenSets(e.Trie)
	row.Activating, row.Important = len(sets.Activating), len(sets.Important)
	if g := e.Graph; g != nil {
		row.Nodes, row.Edges, row.Components = len(g.Nodes), len(g.Edges), len(g.Components())
	}
	if b := e.Baselines; b != nil {
		row.TokenLookup, row.NGram = &b.TokenLookup.Scores, &b.NGram.Scores
	}
	return row
}

// insertNeuron writes a neuron with its baselines in place of what was there, and returns its id.
func insertNeuron(ctx context.Context, tx *sql.Tx, r Row) (id int64, err error) {
	for _, table := range [2]string{"neurons", "failures"} { // what belongs to a neuron goes with it
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE layer = ? AND neuron = ?", r.Layer, r.Index); err != nil {
			return 0, err
		}
	}
	values := append([]any{r.Layer, r.Index, r.Hook, r.MaxActivation, r.Density, r.Nodes, r.Edges, r.Components, r.Activating, r.Important, r.Repeated},
		scoreValues(r.Scores)...)
	result, err := tx.ExecContext(ctx, "INSERT INTO neurons ("+neuronColumns+") VALUES ("+placeholders(len(values))+")", values...)
	if err != nil {
		return 0, err
	}
	if id, err = result.LastInsertId(); err != nil {
		return 0, err
	}
	for _, b := range []struct {
		name   string
		scores *n2g.Scores
	}{{"token_lookup", r.TokenLookup}, {"ngram", r.NGram}} {
		if b.scores == nil {
			continue
		}
		values := append([]any{id, b.name}, scoreValues(b.scores)...)
		if _, err := tx.ExecContext(ctx, "INSERT INTO baselines (neuron_id, name, "+scoreColumns+") VALUES ("+placeholders(len(values))+")", values...); err != nil {
			return 0, err
		}
	}
	return id, nil
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func insertTokens(ctx context.Context, tx *sql.Tx, id int64, tokens []weightedToken) error {
	if len(tokens) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO tokens (token, kind, neuron_id, weight) VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, t := range tokens {
		if _, err := insert.ExecContext(ctx, t.token, t.kind, id, t.weight); err != nil {
			return err
		}
	}
	return nil
}

// digest is what the JSON is recognised by, and checked with.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return b.Bytes(), nil
}
