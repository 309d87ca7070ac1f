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
	"iter"
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
	if err := n2g.CheckSize(text); err != nil {
		return fmt.Errorf("the explanation of layer %d neuron %d cannot be stored: %w", e.Site.Layer, e.Site.Index, err)
	}
	stored, err := s.stored(text)
	if err != nil {
		return err
	}
	row := neuronRow{Row: rowOf(e), digest: digest(text)}
	doing := fmt.Sprintf("writing layer %d neuron %d to", e.Site.Layer, e.Site.Index)
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		if i := s.identity; i != nil && (i.Model != e.Model || i.Hook != e.Site.Hook) {
			return otherf("it holds explanations of %s at %s, and this one is of %s at %s",
				i.Model, i.Hook, e.Model, e.Site.Hook)
		}
		id, err := insertNeuron(ctx, tx, &row)
		if err != nil {
			return err
		}
		if err := insertTokens(ctx, tx, id, row.Site, weightedTokens(e.Trie)); err != nil {
			return err
		}
		if err := insertContext(ctx, tx, id, e); err != nil {
			return err
		}
		if err := s.putEffectsOf(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO explanations (neuron_id, json) VALUES (?, ?)", id, stored)
		return err
	})
}

// PutFailure records why a neuron could not be explained. A neuron that was explained before stays so.
func (s *Store) PutFailure(ctx context.Context, n n2g.Site, reason string) error {
	return s.change(ctx, "writing to", func(tx *sql.Tx) error {
		if err := deleteAt(ctx, tx, "failures", n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO failures (layer, neuron, reason, checksum)
			SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM neurons WHERE layer = ?1 AND neuron = ?2)`,
			n.Layer, n.Index, reason, checksum(n.Layer, n.Index, reason))
		return err
	})
}

func rowOf(e *n2g.Explanation) Row {
	row := Row{
		Site:          e.Site,
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

// baselines yields the scores of the baselines that there are, by the names of the table.
func (r *Row) baselines() iter.Seq2[string, *n2g.Scores] {
	return func(yield func(string, *n2g.Scores) bool) {
		if r.TokenLookup != nil && !yield(tokenLookup, r.TokenLookup) {
			return
		}
		if r.NGram != nil {
			yield(nGram, r.NGram)
		}
	}
}

// Names of baselines in the database.
const (
	tokenLookup = "token_lookup"
	nGram       = "ngram"
)

// insertNeuron writes a neuron with its baselines in place of what was there, and returns its id.
func insertNeuron(ctx context.Context, tx *sql.Tx, r *neuronRow) (id int64, err error) {
	loose, err := leavesLoose(ctx, tx, r.Site)
	if err != nil {
		return 0, err
	}
	for _, table := range [2]string{"neurons", "failures"} { // what belongs to a neuron goes with it
		if err := deleteAt(ctx, tx, table, r.Site); err != nil {
			return 0, err
		}
	}
	if loose {
		if _, err := tx.ExecContext(ctx, looseContextTokens); err != nil {
			return 0, err
		}
	}
	values := r.values()
	values = append(values, checksum(values...))
	result, err := tx.ExecContext(ctx,
		"INSERT INTO neurons ("+neuronColumns+") VALUES ("+placeholders(len(values))+")", values...)
	if err != nil {
		return 0, err
	}
	if id, err = result.LastInsertId(); err != nil {
		return 0, err
	}
	for name, scores := range r.baselines() {
		values := append(append([]any{id, name}, scoreValues(scores)...), baselineChecksum(r.Site, name, scores))
		if _, err := tx.ExecContext(ctx, "INSERT INTO baselines (neuron_id, name, "+scoreColumns+", checksum) VALUES ("+
			placeholders(len(values))+")", values...); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// deleteAt removes a neuron's rows from a table.
func deleteAt(ctx context.Context, tx *sql.Tx, table string, n n2g.Site) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE layer = ? AND neuron = ?", n.Layer, n.Index)
	return err
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func insertTokens(ctx context.Context, tx *sql.Tx, id int64, n n2g.Site, tokens []weightedToken) error {
	if len(tokens) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO tokens (token, kind, neuron_id, weight, checksum) VALUES "+
		"(?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, t := range tokens {
		sum := tokenChecksum(n, t.token, t.kind, t.weight)
		if _, err := insert.ExecContext(ctx, t.token, t.kind, id, t.weight, sum); err != nil {
			return err
		}
	}
	return nil
}

// digest is what an explanation's JSON is recognised by, and checked with.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// stored is what the column of JSON holds.
func (s *Store) stored(text []byte) (any, error) {
	if s.plain {
		return string(text), nil
	}
	return compressed(text)
}

// compression is gzip's level: that of the default takes twice as long for 5 % less.
const compression = 4

func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, compression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return b.Bytes(), nil
}
