package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Shard is part Number of Of of a run, both from 1. The zero value is a whole run.
type Shard struct{ Number, Of int }

// String is Number/Of.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// Plan records the neurons that a run is to explain in this store, in addition to those recorded before, and which shard
// of the run they are, so that a merge can tell what is missing.
func (s *Store) Plan(ctx context.Context, shard Shard, neurons []Neuron) error {
	if shard == (Shard{}) {
		shard = Shard{1, 1}
	}
	return s.change(ctx, "writing", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO shards (number, of) VALUES (?, ?)", shard.Number, shard.Of); err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, "INSERT OR IGNORE INTO planned (layer, neuron) VALUES (?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, n := range neurons {
			if _, err := insert.ExecContext(ctx, n.Layer, n.Index); err != nil {
				return err
			}
		}
		return nil
	})
}

// Planned returns the neurons that runs were to explain, by layer and index.
func (s *Store) Planned(ctx context.Context) ([]Neuron, error) {
	return s.neurons(ctx, "SELECT layer, neuron FROM planned ORDER BY layer, neuron")
}

// Done returns the neurons that are explained, by layer and index.
func (s *Store) Done(ctx context.Context) ([]Neuron, error) {
	return s.neurons(ctx, "SELECT layer, neuron FROM neurons ORDER BY layer, neuron")
}

// Missing returns the neurons that are planned, and neither explained nor failed.
func (s *Store) Missing(ctx context.Context) ([]Neuron, error) {
	return s.neurons(ctx, `SELECT layer, neuron FROM planned EXCEPT SELECT layer, neuron FROM neurons EXCEPT SELECT layer, neuron FROM failures
		ORDER BY layer, neuron`)
}

func (s *Store) neurons(ctx context.Context, query string) ([]Neuron, error) {
	return collect(ctx, s, func(n *Neuron) []any { return []any{&n.Layer, &n.Index} }, query)
}

// Failure is a neuron that could not be explained, and why.
type Failure struct {
	Neuron
	Reason string `json:"reason"`
}

// Failures returns the neurons that could not be explained, by layer and index.
func (s *Store) Failures(ctx context.Context) ([]Failure, error) {
	return collect(ctx, s, func(f *Failure) []any { return []any{&f.Layer, &f.Index, &f.Reason} },
		"SELECT layer, neuron, reason FROM failures ORDER BY layer, neuron")
}

// Shards returns the shards whose results the store holds, at least in part.
func (s *Store) Shards(ctx context.Context) ([]Shard, error) {
	return collect(ctx, s, func(shard *Shard) []any { return []any{&shard.Number, &shard.Of} },
		"SELECT number, of FROM shards ORDER BY of, number")
}
