package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Shard is part Number of Of of a run, both from 1. The zero value is a whole run.
type Shard struct{ Number, Of int }

// String is Number/Of.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// Plan records the neurons that a run is to explain in this store, in addition to those recorded before, and which
// shard of the run they are, so that a merge can tell what is missing.
func (s *Store) Plan(ctx context.Context, shard Shard, neurons []n2g.Site) error {
	if shard == (Shard{}) {
		shard = Shard{1, 1}
	}
	return s.change(ctx, "writing", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO shards (number, of, checksum) VALUES (?, ?, ?)",
			shard.Number, shard.Of, checksum(shard.Number, shard.Of))
		if err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, "INSERT OR IGNORE INTO planned (layer, neuron, checksum) VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, n := range neurons {
			if _, err := insert.ExecContext(ctx, n.Layer, n.Index, checksum(n.Layer, n.Index)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Planned returns the neurons that runs were to explain, by layer and index.
func (s *Store) Planned(ctx context.Context) (list []n2g.Site, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error { list, err = planned(ctx, tx); return err })
	return list, err
}

func planned(ctx context.Context, tx *sql.Tx) ([]n2g.Site, error) {
	list, err := whole(ctx, tx, "planned", func(n *n2g.Site) ([]any, func() int64) {
		return []any{&n.Layer, &n.Index}, func() int64 { return checksum(n.Layer, n.Index) }
	}, "layer, neuron", "layer, neuron")
	if err != nil {
		return nil, err
	}
	return list, hooked(ctx, tx, list, func(n *n2g.Site) *n2g.Site { return n })
}

// hooked gives sites the hook of the store.
func hooked[T any](ctx context.Context, tx *sql.Tx, list []T, site func(*T) *n2g.Site) error {
	hook, err := hookOf(ctx, tx)
	for i := range list {
		site(&list[i]).Hook = hook
	}
	return err
}

// whole reads all rows of a table, each of which must be what was written. row returns targets of the columns, and what
// their checksum should be.
func whole[T any](ctx context.Context, tx *sql.Tx, table string, row func(*T) ([]any, func() int64), columns,
	order string) ([]T, error) {
	var one T
	var sum int64
	list := []T{}
	var all tally
	targets, want := row(&one)
	err := each(ctx, tx, append(targets, &sum), func() error {
		if want() != sum {
			return fmt.Errorf("%w: row %d of its table %s is not what was written: %s",
				ErrDamaged, len(list)+1, table, remedyFor(table))
		}
		all.add(sum)
		list = append(list, one)
		return nil
	}, "SELECT "+columns+", checksum FROM "+table+" ORDER BY "+order)
	if err == nil {
		err = all.agrees(ctx, tx, table)
	}
	return list, err
}

// Done returns the neurons that are explained, by layer and index.
func (s *Store) Done(ctx context.Context) (list []n2g.Site, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error { list, err = done(ctx, tx); return err })
	return list, err
}

func done(ctx context.Context, tx *sql.Tx) ([]n2g.Site, error) {
	rows, err := soundNeurons(ctx, tx, everyNeuron)
	list := make([]n2g.Site, len(rows))
	for i, r := range rows {
		list[i] = r.Site
	}
	slices.SortFunc(list, n2g.Site.Compare)
	return list, err
}

// Missing returns the neurons that are planned, and neither explained nor failed.
func (s *Store) Missing(ctx context.Context) (missing []n2g.Site, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		asked, err := planned(ctx, tx)
		if err != nil {
			return err
		}
		there, err := done(ctx, tx)
		if err != nil {
			return err
		}
		failed, err := failures(ctx, tx)
		if err != nil {
			return err
		}
		over := map[n2g.Site]bool{}
		for _, n := range there {
			over[n.WithoutHook()] = true
		}
		for _, f := range failed {
			over[f.Site.WithoutHook()] = true
		}
		missing = slices.DeleteFunc(asked, func(n n2g.Site) bool { return over[n.WithoutHook()] })
		return nil
	})
	return missing, err
}

// Failure is a neuron that could not be explained, and why.
type Failure struct {
	n2g.Site
	Reason string
}

// Failures returns the neurons that could not be explained, by layer and index.
func (s *Store) Failures(ctx context.Context) (list []Failure, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error { list, err = failures(ctx, tx); return err })
	return list, err
}

func failures(ctx context.Context, tx *sql.Tx) ([]Failure, error) {
	list, err := whole(ctx, tx, "failures", func(f *Failure) ([]any, func() int64) {
		return []any{&f.Layer, &f.Index, &f.Reason}, func() int64 { return checksum(f.Layer, f.Index, f.Reason) }
	}, "layer, neuron, reason", "layer, neuron")
	if err != nil {
		return nil, err
	}
	return list, hooked(ctx, tx, list, func(f *Failure) *n2g.Site { return &f.Site })
}

// Shards returns the shards whose results the store holds, at least in part.
func (s *Store) Shards(ctx context.Context) (list []Shard, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		list, err = whole(ctx, tx, "shards", func(shard *Shard) ([]any, func() int64) {
			return []any{&shard.Number, &shard.Of}, func() int64 { return checksum(shard.Number, shard.Of) }
		}, "number, of", "of, number")
		return err
	})
	return list, err
}
