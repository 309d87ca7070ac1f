package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// insertBehaviours writes how many behaviours a neuron has, where they were looked for.
func insertBehaviours(ctx context.Context, tx *sql.Tx, id int64, e *n2g.Explanation) error {
	b := e.Behaviours
	if b == nil {
		return nil
	}
	r := behavioursRow{behaviours: len(b.List), examples: b.Examples, of: e.Site}
	_, err := tx.ExecContext(ctx, "INSERT INTO main.behaviours (neuron_id, behaviours, examples, checksum) VALUES "+
		"(?, ?, ?, ?)", id, r.behaviours, r.examples, r.checksum())
	return err
}

// behavioursRow is a row of behaviours: how many were found, by how many examples.
type behavioursRow struct {
	behaviours, examples int
	id                   int64 // of the neuron; 0: there is none
	of                   n2g.Site
	sum                  int64
}

func (r *behavioursRow) checksum() int64 {
	return checksum("behaviours", r.of.Layer, r.of.Index, r.behaviours, r.examples)
}

// sound tells whether the row is what was written.
func (r *behavioursRow) sound() bool { return r.id != 0 && r.checksum() == r.sum && r.behaviours >= 0 }

// hasBehaviours tells whether there is a table of behaviours: stores of layouts 3 and 4 that are only read have none.
// One sign is enough, so that no single damage hides the table.
func hasBehaviours(ctx context.Context, tx *sql.Tx, database string) (there bool, err error) {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA "+database+".user_version").Scan(&version); err != nil || version > 4 {
		return version > 4, err
	}
	err = tx.QueryRowContext(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM %[1]s.sqlite_schema WHERE name = "+
		"'behaviours') + (SELECT count(*) FROM %[1]s.totals WHERE name = 'behaviours') > 0", database)).Scan(&there)
	return there, err
}

// eachBehaviours calls do for rows of behaviours.
func eachBehaviours(ctx context.Context, tx *sql.Tx, do func(*behavioursRow) error) error {
	if there, err := hasBehaviours(ctx, tx, "main"); err != nil || !there {
		return err
	}
	var r behavioursRow
	var id, layer, index sql.NullInt64
	return each(ctx, tx, []any{&id, &layer, &index, &r.behaviours, &r.examples, &r.sum}, func() error {
		r.id, r.of = id.Int64, n2g.Site{Layer: int(layer.Int64), Index: int(index.Int64)}
		return do(&r)
	}, "SELECT id, layer, neuron, behaviours, examples, b.checksum FROM behaviours b LEFT JOIN neurons ON id = neuron_id")
}

// soundBehaviours are how many behaviours neurons have, by id: all must be what was written, and none be lost.
func soundBehaviours(ctx context.Context, tx *sql.Tx) (map[int64]int, error) {
	of := map[int64]int{}
	var all tally
	err := eachBehaviours(ctx, tx, func(r *behavioursRow) error {
		switch {
		case r.id == 0:
			return fmt.Errorf("%w: behaviours are of no neuron: %s", ErrDamaged, remedy)
		case !r.sound():
			return damaged(r.of, "the number of behaviours is")
		}
		all.add(r.sum)
		of[r.id] = r.behaviours
		return nil
	})
	if there, failed := hasBehaviours(ctx, tx, "main"); err == nil && there {
		err = all.agrees(ctx, tx, "behaviours")
	} else if err == nil {
		err = failed
	}
	return of, err
}
